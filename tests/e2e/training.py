"""Training in the e2e tests: tiny packages of the standard library, data, runs, and how they ended."""

from collections.abc import Mapping
from pathlib import Path

from tests.e2e.support import IMAGE, TAG, Cluster, Object, eventually, restricted_namespace

ENDED = ("Succeeded", "Failed", "Skipped")
LEARNS = """
import os, pathlib

class Main:
    def train(self, data_directory):
        self.words = pathlib.Path(data_directory, "words.txt").read_text().split()
        print("learned", len(self.words), "words")

    def evaluate(self, data_directory):
        pathlib.Path(os.environ["artifacts_directory"], "words.csv").write_text(",".join(self.words))
        return {"words": len(self.words)}

    def save(self):
        pathlib.Path("model.txt").write_text(" ".join(sorted(self.words)))
"""


def push_package(cluster: Cluster, namespace: str, parent: Path, artifact: str, train: str) -> str:
    """Version 1.0 of an artifact: a folder with this train.py."""
    folder = parent / artifact
    folder.mkdir()
    (folder / "train.py").write_text(train)
    return cluster.push(namespace, folder, artifact, "--versioning", "Semantic", "--version", "1.0")


def push_words(cluster: Cluster, namespace: str, parent: Path, words: str) -> str:
    """The next version of the dataset `words`: one file in the folder train."""
    folder = parent / f"data-{len(words)}"
    (folder / "train").mkdir(parents=True)
    (folder / "train" / "words.txt").write_text(words)
    return cluster.push_data(namespace, folder, "words")


def template(package: str, **more: object) -> Object:
    """The package over the newest words, in an image that has Python and nothing else that a run needs."""
    return {
        "package": {"version": package},
        "dataset": {"name": "words", "folder": "train"},
        "image": f"{IMAGE}:{TAG}",
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}},
        **more,
    }


def training_run(name: str, **spec: object) -> Object:
    """A TrainingRun."""
    return _object("TrainingRun", name, spec)


def training_pipeline(name: str, **spec: object) -> Object:
    """A TrainingPipeline."""
    return _object("TrainingPipeline", name, spec)


def start_runs(cluster: Cluster, namespace: str, folder: Path, runs: Mapping[str, tuple[str, Object]]) -> None:
    """Start a run of each name, each of a package of its own.

    Args:
        cluster: with Modelberth.
        namespace: restricted, and made here.
        folder: for the packages.
        runs: by name: `train`'s body, and further fields of the template.
    """
    restricted_namespace(cluster, namespace)
    push_words(cluster, namespace, folder, "one two three")
    for run, (train, more) in runs.items():
        package = push_package(cluster, namespace, folder, run, train)
        cluster.apply(namespace, training_run(run, template=template(package, **more)))


def wait_ended(cluster: Cluster, namespace: str, name: str, *, seconds: float = 120.0) -> Object:
    """The status of a run that has ended."""
    eventually(
        lambda: phase(cluster, namespace, name) in ENDED,
        f"run {name} has ended",
        seconds=seconds,
        explain=lambda: cluster.kubectl("describe", "trun,pods", f"--namespace={namespace}"),
    )
    status: Object = cluster.get(namespace, "trainingrun", name)["status"]
    return status


def phase(cluster: Cluster, namespace: str, name: str) -> str:
    """How far a run is."""
    return str(cluster.get(namespace, "trainingrun", name).get("status", {}).get("phase", ""))


def complete(status: Object) -> Object:
    """The condition that says how the run ended."""
    return next(entry for entry in status["conditions"] if entry["type"] == "Complete")


def _object(kind: str, name: str, spec: Object) -> Object:
    return {"apiVersion": "modelberth.io/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec}
