"""The demo of training as `make demo-training` runs it, on this tier's cluster."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from demo import cluster as demo_cluster
from demo.progress import Progress
from demo.training import story
from tests.e2e.support import Cluster


def test_the_training_demo_keeps_its_promises(
    release: Cluster, leave: Callable[[str], None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """New data trains the better version by itself, no request fails at the move, and each question is answered."""
    cluster = demo_cluster.Cluster(
        name=release.name, kubeconfig=release.kubeconfig, kind=release.kind, bin=release.bin, state=tmp_path
    )
    try:
        story.show(cluster, Progress())
        runs = release.list(story.NAMESPACE, "trainingruns")
        versions = {version["metadata"]["name"] for version in release.list(story.NAMESPACE, "modelversions")}
    finally:
        leave(story.NAMESPACE)
    said = capsys.readouterr().out
    phases = sorted(run["status"]["phase"] for run in runs)
    assert phases == ["Failed", "Skipped", "Succeeded", "Succeeded", "Succeeded"], said
    assert versions == {f"digits-classifier-{number}" for number in ("1.0", "1.1", "1.2")} | {"digits-mistake-1.0"}
    triggers = {run["spec"].get("trigger", {}).get("type", "Manual") for run in runs}
    assert triggers == {"Manual", "DatasetVersion", "Reproduction"}
    assert re.findall(r"requests on fresh connections: \d+ sent, (\d+) failed", said) == ["0"], said
    (before, after) = re.findall(r"([\d.]+)% by digits-classifier-1\.\d", said)
    assert float(before) < 92
    assert float(after) > 97
    assert_answers(said)


def assert_answers(said: str) -> None:
    """What each question's answer has to hold, whatever it looks like."""
    _, *parts = re.split(r"^== ", said, flags=re.MULTILINE)
    answers = {part.partition("\n")[0]: part for part in parts}

    def holds(question: str, *expected: str) -> None:
        answer = next(text for headline, text in answers.items() if headline.startswith(question))
        for pattern in expected:
            assert re.search(pattern, answer), f"{pattern!r} is not in:\n{answer}"

    holds(
        "A package with a mistake", r"UserException", r"IndexError: list index out of range", r"train\.py", r"line 16"
    )
    holds("On which data", r"digits-images-v1", r"GAMMA", r"0\.001", r"accuracy")
    holds("With which scikit-learn", r"scikit-learn 1\.7\.2")
    holds("What did its run do", r"Succeeded", r"confusion\.csv", r"1437 images", r"training:")
    holds("Which runs used this data", r"digits-classifier-1\.2", r"accuracy|ACCURACY")
    holds("Does the same run again", r"the same content, byte by byte", r"accuracy .* same")
    holds("What is deployed", r"digits-classifier-1\.2")
    holds("And what was", r"digits-classifier-1\.1")
    holds("What is production made of", r"digits-classifier-1\.2", r"digits-images-v1", r"digits-classifier-1\.0")
    holds(
        "The first data were bad",
        r"digits-classifier-1\.1",
        r"digits-images-v1",
        r"digits-classifier-1\.2",
        r"production",
    )
