"""What a training run left in its pod's folder, made ready to be sent: moved, never copied, and rid of what no version
can hold.

The version is the package's folder as save() left it. Beside it a run has files: its log, the list of what was
installed, its artifacts, and after a failure whatever save() had left.
"""

import os

from modelberth.training.config import RunConfig
from modelberth.training.outcome import Outcome, clean
from modelberth.training.pod_folder import FILES, PACKAGE, PodFolder
from modelberth.transfer.tidy import remove, tidy

ARTIFACTS = "artifacts"
OUTPUT = "output"
LOG_FILE = "log.txt"
PACKAGES_FILE = "packages.txt"
MAX_PATHS = 1000
_TAIL_LINES = 100
_TAIL_BYTES = 64 * 1024


class BadOutput(Exception):  # noqa: N818 (the word of the run's reason)
    """What the program left cannot be a version; the message names why."""


class Outputs:
    """The two folders that are to be sent. The program has ended: nobody else writes here any more.

    Args:
        folder: of the pod.
        config: of the run.

    Attributes:
        files: the folder of the run's files.
        version: the folder that is to become a version.
        left_out: sentences about artifacts that could not be kept.
    """

    def __init__(self, folder: PodFolder, config: RunConfig) -> None:
        self.files = folder.path(FILES)
        self.version = folder.path(PACKAGE)
        self.left_out: list[str] = []
        self._folder = folder
        self._artifacts = os.path.normpath(os.path.join(self.version, config.artifacts_directory))

    def arrange(self, outcome: Outcome) -> None:
        """Move the artifacts to the run's files and write the others.

        Args:
            outcome: how the program ended.

        Raises:
            BadOutput: the folder that is to become a version holds something that cannot be in one; that is taken
                out of it, and what is left lies among the run's files.
            OSError: the disk is full.
        """
        remove(self.files)
        os.makedirs(self.files)
        self._write_log()
        self._write_packages(outcome)
        self._take_artifacts()
        if not self._is_real(self.version):
            why = "the package's folder was removed, or replaced by something that is no folder"
            if outcome.succeeded:
                raise BadOutput(why)
            self.left_out.append(why)
            return
        refused = tidy(self.version)
        if refused or not outcome.succeeded:
            if outcome.saved:
                os.rename(self.version, os.path.join(self.files, OUTPUT))
            if outcome.succeeded:
                raise BadOutput("what save() left cannot be a version: " + "; ".join(refused[:3]))

    def drop_artifacts(self, why: str) -> None:
        """Leave all artifacts out: they cannot be sent."""
        remove(os.path.join(self.files, ARTIFACTS))
        remove(os.path.join(self.files, OUTPUT))
        self.left_out.append(why)

    def artifact_paths(self) -> list[str]:
        """The paths of the artifacts, as they are in the run's files; the first thousand."""
        root = os.path.join(self.files, ARTIFACTS)
        found = (
            os.path.relpath(os.path.join(parent, name), self.files)
            for parent, _, names in os.walk(root)
            for name in sorted(names)
        )
        return sorted(path for path, _ in zip(found, range(MAX_PATHS), strict=False))

    def log_tail(self) -> list[str]:
        """The last lines of the program's output."""
        text = self._folder.log_tail(_TAIL_BYTES).decode("utf-8", "replace")
        return [clean(line)[: _TAIL_BYTES // _TAIL_LINES] for line in text.splitlines()[-_TAIL_LINES:]]

    def _take_artifacts(self) -> None:
        """An empty folder is no artifact; one that is reached by a link is somewhere else."""
        if not self._is_real(self._artifacts):
            if os.path.lexists(self._artifacts):
                self.left_out.append("the artifacts folder was replaced by something that is no folder")
                remove(self._artifacts)
            return
        self.left_out += tidy(self._artifacts)
        if os.listdir(self._artifacts):
            os.rename(self._artifacts, os.path.join(self.files, ARTIFACTS))
        else:
            os.rmdir(self._artifacts)
        above = os.path.dirname(self._artifacts)
        while above != self.version and not os.listdir(above):  # a/b/artifacts leaves no empty a/b
            os.rmdir(above)
            above = os.path.dirname(above)

    def _write_log(self) -> None:
        with open(os.path.join(self.files, LOG_FILE), "wb") as file:
            file.writelines(self._folder.log())

    def _write_packages(self, outcome: Outcome) -> None:
        lines = [f"{name}=={version}\n" for name, version in outcome.packages.items()]
        with open(os.path.join(self.files, PACKAGES_FILE), "w", encoding="utf-8") as file:
            file.writelines(lines)

    def _is_real(self, path: str) -> bool:
        """Whether this is a folder, and no link is on the way to it from the pod's folder."""
        root = self._folder.root
        expected = os.path.join(os.path.realpath(root), os.path.relpath(path, root))
        return os.path.isdir(path) and os.path.realpath(path) == expected
