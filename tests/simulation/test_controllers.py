"""The modelled Deployment controller and kubelet roll as Kubernetes' own do."""

import pytest

from modelberth.runtime.resources import DEPLOYMENTS, PODS, Object
from tests.simulation.apiserver import ApiServer
from tests.simulation.controllers import DeploymentController, Kubelet, PodFate, is_ready
from tests.simulation.test_apiserver import deployment
from tests.simulation.virtual_loop import VirtualClock, new_loop


class Cluster:
    def __init__(self) -> None:
        clock = VirtualClock(new_loop())
        self.server = ApiServer(clock)
        self.controller = DeploymentController(self.server, clock)
        self.kubelet = Kubelet(self.server, clock)
        self.fewest_ready = 99

    def apply(self, image: str, *, strategy: Object | None = None) -> None:
        body = deployment(image)
        body["spec"]["strategy"] = strategy or {
            "type": "RollingUpdate",
            "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
        }
        self.server.apply("op", DEPLOYMENTS, "prod", "web", body, manager="op")

    def images(self, *, ready: bool = True) -> list[str]:
        pods = [pod for pod in self.server.peek_all(PODS, "prod") if is_ready(pod) or not ready]
        return sorted(pod["spec"]["containers"][0]["image"] for pod in pods)

    def settle(self, broken: str = "") -> None:
        self.fewest_ready = 99
        while True:
            before = self.server.version
            self.controller.step("prod", "web")
            for pod in self.server.peek_all(PODS, "prod"):
                name, image = pod["metadata"]["name"], pod["spec"]["containers"][0]["image"]
                if not self.kubelet.end("prod", name):
                    fate = PodFate.IMAGE_MISSING if image == broken else PodFate.READY
                    self.kubelet.start("prod", name, fate)
                self.fewest_ready = min(self.fewest_ready, len(self.images()))
            if self.server.version == before:
                return


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


def status(cluster: Cluster) -> Object:
    live = cluster.server.get(DEPLOYMENTS, "prod", "web")
    assert live is not None
    return dict(live["status"])


def test_a_deployment_gets_its_pods(cluster: Cluster) -> None:
    """Two replicas asked for are two pods ready, and the status says so for the present generation."""
    cluster.apply("server:1")
    cluster.settle()
    assert cluster.images() == ["server:1", "server:1"]
    assert status(cluster) == {
        "observedGeneration": 1,
        "replicas": 2,
        "updatedReplicas": 2,
        "readyReplicas": 2,
        "availableReplicas": 2,
        "unavailableReplicas": 0,
    }


def test_a_rolling_update_never_has_fewer_ready_pods_than_asked_for(cluster: Cluster) -> None:
    """With maxUnavailable 0 the old pods go as the new ones get ready."""
    cluster.apply("server:1")
    cluster.settle()
    cluster.apply("server:2")
    cluster.settle()
    assert cluster.images() == ["server:2", "server:2"]
    assert cluster.fewest_ready >= 2


def test_a_roll_that_does_not_get_ready_leaves_the_old_pods(cluster: Cluster) -> None:
    """A missing image stops the roll; the old ReplicaSet goes on serving, and going back is quick."""
    cluster.apply("server:1")
    cluster.settle()
    cluster.apply("server:2")
    cluster.settle(broken="server:2")
    assert cluster.images() == ["server:1", "server:1"]
    cluster.apply("server:1")
    cluster.settle()
    assert cluster.images(ready=False) == ["server:1", "server:1"]


def test_recreate_ends_the_old_pods_first(cluster: Cluster) -> None:
    """Strategy Recreate has a gap, by the user's own wish."""
    cluster.apply("server:1", strategy={"type": "Recreate"})
    cluster.settle()
    cluster.apply("server:2", strategy={"type": "Recreate"})
    cluster.settle()
    assert cluster.images(ready=False) == ["server:2", "server:2"]
    assert cluster.fewest_ready == 0


def test_a_crashed_pod_is_not_ready_and_comes_back(cluster: Cluster) -> None:
    """A crash takes readiness away; the next start gives it back."""
    cluster.apply("server:1")
    cluster.settle()
    name = cluster.server.peek_all(PODS, "prod")[0]["metadata"]["name"]
    assert cluster.kubelet.crash("prod", name)
    assert len(cluster.images()) == 1
    cluster.settle()
    assert len(cluster.images()) == 2
