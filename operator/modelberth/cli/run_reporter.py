"""What a run's pod reports: tells how far the program is, sends what it left, and says how the attempt ended.

It runs beside the program and outlives it: the program's image needs nothing of ours, and its container is never given
a token. That the program has ended shows at a lock that its supervisor held, however it ended.
"""

import fcntl
import os
import signal
import sys
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, NoReturn

from modelberth.cli.access import Access
from modelberth.cli.pod import run_access
from modelberth.cli.run_outputs import BadOutput, Outputs
from modelberth.cli.run_progress import RunProgress, Seen
from modelberth.cli.run_report_size import shortened
from modelberth.content.errors import FormatError
from modelberth.training.config import VARIABLE, RunConfig
from modelberth.training.handshake import Handshake
from modelberth.training.outcome import DIED, FORGED, MAX_MESSAGE, Outcome, Phase, clean, parse_outcome, parse_phases
from modelberth.training.pod_folder import OUTCOME, PHASE, PodFolder
from modelberth.transfer.errors import HttpFailure, SourceRefused, TransferError
from modelberth.transfer.patience import Patience
from modelberth.transfer.push import send
from modelberth.transfer.scan import scan
from modelberth.transfer.workers import default_workers

UPLOADING = "Uploading"
_POLL_SECONDS = 0.1
_DEATH_SECONDS = 1.0
"""How long the processes of a container may outlive its first one, which held the lock."""
_REFUSALS = Patience(
    first=4.0,
    longest=4.0,
    passes=lambda error: isinstance(error, HttpFailure) and error.status in (401, 403),
)
"""Two minutes for refusals that pass: a token that is just rotated, a status that is just written. Outages are waited
for by the client itself, without end.
"""


def main(folder: PodFolder, hands: Handshake) -> int:
    """Watch the program, and report.

    Args:
        folder: that the pod's containers share.
        hands: what was taken hold of before the program was started. Its lock stays open.

    Returns:
        0 when the registry knows how the attempt ended.
    """
    config = RunConfig.parse(os.environ.get(VARIABLE, ""))
    with run_access(config.run) as access:
        reporter = _Reporter(access, config, folder, hands)
        try:
            reporter.run()
        except (TransferError, OSError) as error:
            print(f"modelberth run-report: {error}", file=sys.stderr)
            return 1
    return 0


def wait_for_end(folder: PodFolder, hands: Handshake) -> Outcome:
    """Wait until the program's container has ended, and read how.

    Whose lock was tampered with has died; an outcome without the seal is the program's own, and no word of it counts.

    A pod that is deleted before the program has started has nothing to report: SIGTERM ends the wait for the start.
    Once it has started, SIGTERM is the supervisor's business, and what it leaves is still sent.
    """
    signal.signal(signal.SIGTERM, _end)
    lock = hands.lock
    while lock is not None and not _has_begun(folder, lock):
        time.sleep(_POLL_SECONDS)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if lock is not None:
        fcntl.flock(lock, fcntl.LOCK_SH)
    if lock is None or not _is_in_place(folder, lock) or not folder.has(OUTCOME):
        time.sleep(_DEATH_SECONDS)
        return DIED
    said = hands.outcome(folder)
    if said is None:
        time.sleep(_DEATH_SECONDS)
        return FORGED
    return parse_outcome(said)


def _has_begun(folder: PodFolder, lock: int) -> bool:
    """Whether the lock was held: its holder has written into it, and to a file that the program may have deleted."""
    return os.fstat(lock).st_size > 0 or folder.has(PHASE)


def _is_in_place(folder: PodFolder, lock: int) -> bool:
    """Whether the lock still is the one that was opened at the start."""
    there = folder.lock()
    if there is None:
        return False
    try:
        return os.path.samestat(os.fstat(there), os.fstat(lock))
    finally:
        os.close(there)


def seen(folder: PodFolder, loaded: tuple[Phase, ...]) -> Seen:
    """The phase that the harness has written down, and those before it."""
    said = folder.json(PHASE)
    phase = said.get("phase")
    return phase if isinstance(phase, str) else "", loaded + parse_phases(said.get("phases"))


@dataclass(frozen=True, slots=True)
class _Sent:
    """What the registry has of the attempt: digests of the version-to-be and of the run's files, and the bytes sent."""

    output: str | None = None
    files: str | None = None
    size: int = 0


class _Reporter:
    """One attempt, from the program's start to the report of its end."""

    def __init__(self, access: Access, config: RunConfig, folder: PodFolder, hands: Handshake) -> None:
        self._access = access
        self._config = config
        self._folder = folder
        self._progress = RunProgress(access.client, config.package.digest)
        self._outputs = Outputs(folder, config)
        self._hands = hands
        self._loaded = parse_phases(hands.loading.get("phases"))

    def run(self) -> None:
        """Watch, send, tell.

        Raises:
            TransferError: the registry does not take it from this pod.
        """
        self._progress.follow(lambda: seen(self._folder, self._loaded))
        with self._progress.posting():
            outcome = wait_for_end(self._folder, self._hands)
            ended = self._loaded + outcome.phases
            self._progress.begin(UPLOADING, ended)
            began, clock = datetime.now(UTC), time.monotonic()
            outcome, sent = self._send(outcome)
            seconds = round(time.monotonic() - clock, 3)
            uploading = Phase(UPLOADING, began.strftime("%Y-%m-%dT%H:%M:%SZ"), seconds, sent.size)
        report = self._report(replace(outcome, phases=(*ended, uploading)), sent)
        _REFUSALS.run(lambda: self._access.client.report_attempt(self._config.run, self._config.attempt, report))

    def _send(self, outcome: Outcome) -> tuple[Outcome, _Sent]:
        """Send everything; the outcome is another one where what the program left cannot be a version."""
        try:
            self._outputs.arrange(outcome)
        except BadOutput as error:
            outcome = replace(outcome, reason="BadOutput", message=str(error))
        except OSError as error:
            what = f"what is to be sent: {error.strerror}; is storage.sizeLimit large enough?"
            if outcome.succeeded:
                outcome = replace(outcome, reason="UploadFailed", message=what)
            else:
                self._outputs.left_out.append(what)
        output, size = None, 0
        try:
            if outcome.succeeded:
                output, size = self._push(self._outputs.version)
        except (SourceRefused, FormatError) as error:
            outcome = replace(outcome, reason="BadOutput", message=f"what save() left cannot be a version: {error}")
        except TransferError as error:
            outcome = replace(outcome, reason="UploadFailed", message=f"what save() left could not be sent: {error}")
        files, more = None, 0
        try:
            files, more = self._push_files()
        except (TransferError, FormatError) as error:
            self._outputs.left_out.append(f"the run's files could not be sent: {error}")
        return outcome, _Sent(output, files, size + more)

    def _push_files(self) -> tuple[str, int]:
        """The run's files; without the artifacts where these cannot be sent, for the log is worth more than nothing."""
        try:
            return self._push(self._outputs.files)
        except (SourceRefused, FormatError) as error:
            self._outputs.drop_artifacts(f"the artifacts were left out: {error}")
            return self._push(self._outputs.files)

    def _push(self, path: str) -> tuple[str, int]:
        """Send a folder; returns its digest and the bytes that it took."""

        def attempt() -> tuple[str, int]:
            scanned = scan(path, workers=default_workers(), progress=self._progress.bytes)
            access = self._access
            sent = send(
                access.client, access.http, scanned, workers=default_workers(), progress=self._progress.bytes
            ).sent_bytes
            self._progress.moved(sent)
            return scanned.tree.digest, sent

        return _REFUSALS.run(attempt)

    def _report(self, outcome: Outcome, sent: _Sent) -> dict[str, Any]:
        message = "; ".join(filter(None, [outcome.message, *self._outputs.left_out[:3]]))
        report: dict[str, Any] = {
            "status": "Succeeded" if outcome.succeeded else "Failed",
            "reason": outcome.reason,
            "message": clean(message)[:MAX_MESSAGE],
            "traceback": list(outcome.traceback),
            "output": sent.output,
            "files": sent.files,
            "filePaths": self._outputs.artifact_paths() if sent.files else [],
            "metrics": dict(outcome.metrics),
            "phases": [phase.document() for phase in outcome.phases][:16],
            "python": outcome.python,
            "packages": dict(outcome.packages),
            "logTail": self._outputs.log_tail(),
        }
        return shortened(report)


def _end(*_: object) -> NoReturn:
    os._exit(128 + signal.SIGTERM)
