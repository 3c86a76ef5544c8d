"""The folder that the containers of a run's pod share, and the harness as the process that it is there."""

import json
import os
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

HARNESS = Path(__file__).parents[3] / "operator" / "modelberth" / "training" / "harness.py"
SEAL = "known to those who watch"
GOOD = """
    class Main:
        def train(self, data_directory):
            self.lines = open(data_directory + "/rows.csv").read().split()

        def evaluate(self, data_directory):
            return {"rows": len(self.lines)}

        def save(self):
            open("model.txt", "w").write("the model")
"""


@dataclass(frozen=True)
class Ended:
    """What is there when the harness has ended."""

    code: int
    output: bytes
    outcome: dict
    phase: dict

    @property
    def verdict(self):
        return self.outcome["status"], self.outcome["reason"]


class PodFolder:
    """`/modelberth` of a pod, with a package and one row of data."""

    def __init__(
        self,
        root: Path,
        train: str | None = GOOD,
        *,
        deadline: float | None = None,
        evaluation: bool = False,
        watched: bool = True,
    ):
        self.root = root
        for folder in ("bin", "run", "package", "data", "home", *(["evaluation"] if evaluation else [])):
            (root / folder).mkdir(parents=True)
        (root / "data" / "rows.csv").write_text("1 2 3")
        if evaluation:
            (root / "evaluation" / "rows.csv").write_text("4")
        self.package = root / "package"
        if train is not None:
            (self.package / "train.py").write_text(textwrap.dedent(train))
        config = {"artifactsDirectory": "artifacts", "deadlineSeconds": deadline}
        config["evaluation"] = {"folder": ""} if evaluation else None
        (root / "run" / "config.json").write_text(json.dumps(config))
        (root / "run" / "lock").touch()
        self.watched = watched
        (root / "bin" / "harness.py").write_bytes(HARNESS.read_bytes())

    def start(self, python: str = sys.executable, **environment: str) -> subprocess.Popen:
        if self.watched:
            self.watch()
        return subprocess.Popen(
            [python, "-u", str(self.root / "bin" / "harness.py"), str(self.root)],
            cwd=self.package,
            env={"PATH": os.environ["PATH"], "artifacts_directory": "artifacts", **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def watch(self) -> None:
        """As the container does that watches."""
        (self.root / "run" / "watched.new").write_text(json.dumps({"seal": SEAL}))
        (self.root / "run" / "watched.new").rename(self.root / "run" / "watched")

    def run(self, python: str = sys.executable, **environment: str) -> Ended:
        return self.wait(self.start(python, **environment))

    def wait(self, process: subprocess.Popen) -> Ended:
        output, _ = process.communicate(timeout=60)
        return Ended(process.returncode, output, self.read("outcome.json"), self.read("phase.json"))

    def read(self, name: str) -> dict:
        return json.loads((self.root / "run" / name).read_text())

    def log(self) -> bytes:
        return (self.root / "run" / "log").read_bytes()
