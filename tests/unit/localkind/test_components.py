"""Waiting for what the programs of a cluster bring about."""

from pathlib import Path

import pytest

from tests.localkind import components, sandbox
from tests.localkind.cluster import Cluster
from tests.localkind.host import LocalkindError


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """A cluster that was created with etcd; nothing of it runs."""
    monkeypatch.setenv("MODELBERTH_LOCALKIND_STATE", str(tmp_path))
    monkeypatch.setattr(components, "_GRACE_SECONDS", 0.0)
    recipes = tmp_path / "a" / "components"
    recipes.mkdir(parents=True)
    (recipes / "etcd.json").write_text("{}")
    return Cluster("a", "control-plane", 160, "secret", "/nowhere")


def test_a_component_that_ended_ends_the_waiting(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting stops with the name of the component that is gone, long before the time is over."""
    monkeypatch.setattr(sandbox, "components", lambda _: {"init": 1})
    with pytest.raises(LocalkindError, match="etcd ended while the cluster waited for tea"):
        components.wait_until(cluster, "tea", lambda: False)


def test_waits_while_all_components_run(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """A condition that errors at first and comes later is waited for."""
    monkeypatch.setattr(sandbox, "components", lambda _: {"init": 1, "etcd": 2})
    answers = iter([ConnectionRefusedError, False, True])

    def condition() -> bool:
        answer = next(answers)
        if isinstance(answer, bool):
            return answer
        raise answer

    components.wait_until(cluster, "tea", condition)
    assert list(answers) == []


def test_only_components_of_the_cluster_can_be_started_again(cluster: Cluster) -> None:
    """A name the cluster was not created with is refused with the names there are."""
    with pytest.raises(LocalkindError, match="has no component 'minio': it has etcd"):
        components.restart(cluster, "minio")
