"""The demo's models: trained here, pushed with the command line as any user would."""

import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from demo.cluster import STATE, Cluster
from demo.progress import Progress
from demo.shell import ROOT, run

ARTIFACT = "handwriting"
MODELS = STATE / "models"
HELD_OUT = MODELS / "held-out.json"
_ENVIRONMENT = ROOT / ".venv-demo"


@dataclass(frozen=True)
class Trained:
    """A model in a folder, and what training found out about it."""

    folder: Path
    kind: str
    metrics: dict[str, float]


@dataclass(frozen=True)
class Pushed:
    """A version in the cluster."""

    name: str
    digest: str


def environment(progress: Progress) -> Path:
    """The Python of an environment with scikit-learn, which is made when it is not there."""
    python = _ENVIRONMENT / "bin" / "python"
    if not (_ENVIRONMENT / ".complete").exists():
        with progress.step("scikit-learn for the training (half a minute once)"):
            run([sys.executable, "-m", "venv", _ENVIRONMENT])
            pip: list[str | Path] = [
                python,
                "-m",
                "pip",
                "install",
                "--quiet",
                "--require-hashes",
                "--only-binary",
                ":all:",
            ]
            run([*pip, "-r", ROOT / "requirements" / "demo.txt"], progress=progress)
            (_ENVIRONMENT / ".complete").touch()
    return python


def train(progress: Progress) -> dict[str, Trained]:
    """Train the models of demo/train.py; the same input gives the same bytes."""
    python = environment(progress)
    with progress.step("training on 1,437 of scikit-learn's 1,797 images of handwritten digits"):
        run([python, ROOT / "demo" / "train.py", MODELS], progress=progress)
    trained = {}
    for notes in MODELS.glob("*.json"):
        if notes != HELD_OUT:
            found = json.loads(notes.read_text())
            trained[notes.stem] = Trained(MODELS / notes.stem, found["kind"], found["metrics"])
    return trained


def push(cluster: Cluster, model: Trained, namespace: str, progress: Progress) -> Pushed:
    """`modelberth push`: the same content pushed again gives the version that exists."""
    options = ["--namespace", namespace, "--format", "sklearn", "--parameter", f"estimator={model.kind}"]
    options += [word for name, value in model.metrics.items() for word in ("--metric", f"{name}={value}")]
    with progress.step(f"modelberth push {model.folder.name}/ --artifact {ARTIFACT}"):
        said = cluster.modelberth("push", model.folder, "--artifact", ARTIFACT, *options, progress=progress)
        found = re.search(rf"\b{ARTIFACT}-v[0-9]+\b", said)
        if found is None:
            raise LookupError(f"modelberth push named no version: {said!r}")
        name = found.group()
        cluster.kubectl("wait", "--namespace", namespace, "--for=condition=Ready", f"mver/{name}", "--timeout=120s")
    return Pushed(name, cluster.get("modelversion", name, namespace)["status"]["digest"])
