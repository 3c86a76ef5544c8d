import signal

import pytest

from modelberth.cli.main import main
from tests.unit.cli.fake_cluster import FakeCluster
from tests.unit.transfer.fake_registry import FakeRegistry


@pytest.fixture
def registry():
    with FakeRegistry() as fake:
        yield fake


@pytest.fixture
def cluster(registry, tmp_path, monkeypatch):
    """An API server in front of the registry; the environment's kubeconfig leads to it."""
    with FakeCluster(registry) as fake:
        monkeypatch.setenv("KUBECONFIG", fake.kubeconfig(tmp_path))
        for name in ("MODELBERTH_REGISTRY_URL", "MODELBERTH_REGISTRY_NAMESPACE", "MODELBERTH_CA_FILE"):
            monkeypatch.delenv(name, raising=False)
        yield fake


@pytest.fixture
def run(capsys):
    """Run the command line: `run("push", …)` gives (exit code, stdout, stderr)."""

    def call(*words):
        before = signal.getsignal(signal.SIGTERM)
        try:
            code = main([str(word) for word in words])
        except SystemExit as end:
            code = end.code
        finally:
            signal.signal(signal.SIGTERM, before)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call
