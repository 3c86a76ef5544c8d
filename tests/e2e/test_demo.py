"""The demo as `make demo` runs it, on this tier's cluster: trained models, MLServer, a move under load, a forgery."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from demo import cluster as demo_cluster
from demo import main as demo
from demo.progress import Progress
from tests.e2e.support import Cluster


def test_the_demo_keeps_its_promises(
    release: Cluster, leave: Callable[[str], None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The better model answers after the move, no request fails, and the tampered version is refused by name."""
    cluster = demo_cluster.Cluster(
        name=release.name, kubeconfig=release.kubeconfig, kind=release.kind, bin=release.bin, state=tmp_path
    )
    try:
        demo.show(cluster, Progress())
    finally:
        leave(demo.NAMESPACE)
    said = capsys.readouterr().out
    assert re.findall(r"requests on fresh connections: \d+ sent, (\d+) failed", said) == ["0", "0"], said
    (before, after) = re.findall(r"([\d.]+)% by handwriting-v\d", said)
    assert float(before) < 85
    assert float(after) > 97
    moments = re.findall(r"^ +[\d.]+  (.+)$", said, re.MULTILINE)
    order = ["Deployment patched", "first new pod ready", "first answer of the new model", "last old pod gone"]
    assert [moment for moment in moments if moment in order] == order, said
    assert re.search(r"status: Progressing: .*refused: object [0-9a-f]{64} .*; handwriting-v1 goes on serving", said), (
        said
    )
