"""The part of Kubernetes that turns a Deployment into pods: Deployment controller, ReplicaSet controller, kubelet.

Each does one small step when asked; the scheduler decides when. What becomes of a pod is decided by the scheduler too:
`PodFate` is what the kubelet finds when the pod starts.
"""

import hashlib
import json
from enum import StrEnum

from modelberth.api.conditions import timestamp
from modelberth.runtime.clock import Clock
from modelberth.runtime.resources import DEPLOYMENTS, PODS, REPLICA_SETS, Object
from tests.simulation.apiserver import ApiServer, copied
from tests.simulation.kinds import pod_of, replica_set_of

MANAGER = "kube-controller-manager"
KUBELET = "kubelet"
_REVISION = "deployment.kubernetes.io/revision"


class PodFate(StrEnum):
    """What becomes of a pod's next start."""

    READY = "ready"
    IMAGE_MISSING = "image-missing"
    REFUSED = "loader-refused"
    CRASHED = "crashed"
    LOADING = "loading"


class DeploymentController:
    """Makes ReplicaSets and scales them, as Kubernetes' own does for strategies RollingUpdate and Recreate."""

    def __init__(self, server: ApiServer, clock: Clock) -> None:
        self._server = server
        self._clock = clock
        self._pods_made = 0

    def step(self, namespace: str, name: str) -> bool:
        """Sync one Deployment and its ReplicaSets; says whether anything changed."""
        before = self._server.version
        deployment = self._server.peek(DEPLOYMENTS, namespace, name)
        if deployment is None or "deletionTimestamp" in deployment["metadata"]:
            return False
        sets = self._sets(deployment)
        for replica_set in sets:
            self._sync_pods(replica_set)
        sets = self._sets(deployment)
        wanted = _template_hash(deployment)
        newest = next((entry for entry in sets if entry["metadata"]["labels"]["pod-template-hash"] == wanted), None)
        number = max((int(entry["metadata"]["annotations"][_REVISION]) for entry in sets), default=0)
        if newest is None:
            body = replica_set_of(deployment, wanted)
            body["metadata"]["annotations"] = {_REVISION: str(number + 1)}
            if self._server.peek(REPLICA_SETS, namespace, body["metadata"]["name"]) is not None:
                return False  # a predecessor's, which the collector is about to remove
            newest = self._server.create(MANAGER, REPLICA_SETS, namespace, body)
        elif int(newest["metadata"]["annotations"][_REVISION]) < number:
            renumbered: Object = copied(newest)
            renumbered["metadata"]["annotations"][_REVISION] = str(number + 1)
            newest = self._server.update(MANAGER, REPLICA_SETS, renumbered)
        older = [entry for entry in sets if entry["metadata"]["uid"] != newest["metadata"]["uid"]]
        self._scale(deployment, newest, older)
        self._report(deployment, newest)
        return self._server.version != before

    def _sets(self, deployment: Object) -> list[Object]:
        uid, namespace = deployment["metadata"]["uid"], deployment["metadata"]["namespace"]
        return [
            entry
            for entry in self._server.peek_all(REPLICA_SETS, namespace)
            if entry["metadata"]["ownerReferences"][0]["uid"] == uid
        ]

    def _scale(self, deployment: Object, newest: Object, older: list[Object]) -> None:
        wanted: int = deployment["spec"]["replicas"]
        if deployment["spec"]["strategy"]["type"] == "Recreate":
            for entry in older:
                self._set_replicas(entry, 0)
            if not any(self._pods(entry, ending=True) for entry in older):
                self._set_replicas(newest, wanted)
            return
        rolling = deployment["spec"]["strategy"]["rollingUpdate"]
        surge, unavailable = (
            _count(rolling["maxSurge"], wanted, up=True),
            _count(rolling["maxUnavailable"], wanted, up=False),
        )
        others = sum(entry["spec"]["replicas"] for entry in older)
        if newest["spec"]["replicas"] > wanted:
            newest = self._set_replicas(newest, wanted)
        else:
            room = wanted + surge - others - newest["spec"]["replicas"]
            newest = self._set_replicas(newest, min(wanted, newest["spec"]["replicas"] + max(0, room)))
        self._scale_down(older, newest, wanted, unavailable)

    def _scale_down(self, older: list[Object], newest: Object, wanted: int, unavailable: int) -> None:
        for entry in older:  # pods that are not ready serve nobody: they go first
            ready = sum(map(is_ready, self._pods(entry)))
            if entry["spec"]["replicas"] > ready:
                self._set_replicas(entry, ready)
        available = sum(sum(map(is_ready, self._pods(entry))) for entry in [*older, newest])
        spare = available - (wanted - unavailable)
        for entry in older:
            current = self._server.peek(REPLICA_SETS, entry["metadata"]["namespace"], entry["metadata"]["name"])
            if current is not None and spare > 0:
                fewer = min(spare, current["spec"]["replicas"])
                self._set_replicas(current, current["spec"]["replicas"] - fewer)
                spare -= fewer

    def _set_replicas(self, replica_set: Object, replicas: int) -> Object:
        if replica_set["spec"]["replicas"] == replicas:
            return replica_set
        changed = self._server.read(REPLICA_SETS, replica_set["metadata"]["namespace"], replica_set["metadata"]["name"])
        changed["spec"]["replicas"] = replicas
        changed = self._server.update(MANAGER, REPLICA_SETS, changed)
        self._sync_pods(changed)
        return changed

    def _pods(self, replica_set: Object, *, ending: bool = False) -> list[Object]:
        """The pods of a ReplicaSet; those on their way out only if asked for."""
        uid = replica_set["metadata"]["uid"]
        return [
            pod
            for pod in self._server.peek_all(PODS, replica_set["metadata"]["namespace"])
            if pod["metadata"]["ownerReferences"][0]["uid"] == uid
            and (ending or "deletionTimestamp" not in pod["metadata"])
        ]

    def _sync_pods(self, replica_set: Object) -> None:
        namespace, wanted = replica_set["metadata"]["namespace"], replica_set["spec"]["replicas"]
        pods = sorted(self._pods(replica_set), key=lambda pod: (is_ready(pod), pod["metadata"]["name"]))
        for pod in pods[: max(0, len(pods) - wanted)]:
            self._server.delete(MANAGER, PODS, namespace, pod["metadata"]["name"])
        for _ in range(wanted - len(pods)):
            self._pods_made += 1
            name = f"{replica_set['metadata']['name']}-{self._pods_made:05}"
            self._server.create(MANAGER, PODS, namespace, pod_of(replica_set, name))
        pods = self._pods(replica_set)
        current = self._server.read(REPLICA_SETS, namespace, replica_set["metadata"]["name"])
        ready = sum(map(is_ready, pods))
        current["status"] = {
            "replicas": len(pods),
            "readyReplicas": ready,
            "availableReplicas": ready,
            "observedGeneration": current["metadata"]["generation"],
        }
        self._server.update(MANAGER, REPLICA_SETS, current, subresource="status")

    def _report(self, deployment: Object, newest: Object) -> None:
        metadata = deployment["metadata"]
        current = self._server.read(DEPLOYMENTS, metadata["namespace"], metadata["name"])
        sets = self._sets(deployment)
        pods = [pod for entry in sets for pod in self._pods(entry)]
        ready = sum(map(is_ready, pods))
        current["status"] = {
            "observedGeneration": current["metadata"]["generation"],
            "replicas": len(pods),
            "updatedReplicas": len(self._pods(newest)),
            "readyReplicas": ready,
            "availableReplicas": ready,
            "unavailableReplicas": max(0, current["spec"]["replicas"] - ready),
        }
        self._server.update(MANAGER, DEPLOYMENTS, current, subresource="status")


class Kubelet:
    """Starts, breaks and ends pods."""

    def __init__(self, server: ApiServer, clock: Clock) -> None:
        self._server = server
        self._clock = clock

    def start(self, namespace: str, name: str, fate: PodFate) -> bool:
        """One attempt to bring a pod up, with the given outcome; says whether the pod's status changed."""
        pod = self._server.peek(PODS, namespace, name)
        if pod is None or "deletionTimestamp" in pod["metadata"] or is_ready(pod):
            return False
        return self._set_status(pod, self._status(pod, fate))

    def crash(self, namespace: str, name: str) -> bool:
        """A ready pod's container ends with an error."""
        pod = self._server.peek(PODS, namespace, name)
        if pod is None or not is_ready(pod):
            return False
        return self._set_status(pod, self._status(pod, PodFate.CRASHED))

    def end(self, namespace: str, name: str) -> bool:
        """The grace period of a deleted pod is over."""
        pod = self._server.peek(PODS, namespace, name)
        if pod is None or "deletionTimestamp" not in pod["metadata"]:
            return False
        released = copied(pod)
        released["metadata"].pop("finalizers", None)
        self._server.update(KUBELET, PODS, released)
        return True

    def _set_status(self, pod: Object, status: Object) -> bool:
        before = self._server.version
        self._server.update(KUBELET, PODS, {**copied(pod), "status": status}, subresource="status")
        return self._server.version != before

    def _status(self, pod: Object, fate: PodFate) -> Object:
        now = timestamp(self._clock.now())
        spec = pod["spec"]
        loaders = [container["name"] for container in spec.get("initContainers") or ()]
        servers = [container["name"] for container in spec["containers"]]
        image = spec["containers"][0].get("image")
        done = {"terminated": {"exitCode": 0, "reason": "Completed", "startedAt": now, "finishedAt": now}}
        waiting = {"waiting": {"reason": "PodInitializing"}}
        inits = [_container(entry, done) for entry in loaders]
        mains = [_container(entry, waiting, image=image) for entry in servers]
        if fate is PodFate.READY:
            mains = [_container(entry, {"running": {"startedAt": now}}, ready=True, image=image) for entry in servers]
        elif fate is PodFate.LOADING:
            inits = [_container(entry, {"running": {"startedAt": now}}) for entry in loaders]
        elif fate is PodFate.REFUSED:
            refusal = {
                "exitCode": 1,
                "reason": "Error",
                "message": "modelberth load: refused: object is tampered",
                "finishedAt": now,
            }
            inits = [_container(entry, {"terminated": refusal}, restarts=1) for entry in loaders]
        elif fate is PodFate.IMAGE_MISSING:
            pull = {
                "waiting": {"reason": "ImagePullBackOff", "message": f'Back-off pulling image "{image}": not found'}
            }
            mains = [_container(entry, pull, image=image) for entry in servers]
        elif fate is PodFate.CRASHED:
            crash = {"exitCode": 137, "reason": "Error", "message": "bad model\n", "finishedAt": now}
            backoff = {"waiting": {"reason": "CrashLoopBackOff"}}
            mains = [
                _container(entry, backoff, last={"terminated": crash}, restarts=1, image=image) for entry in servers
            ]
        ready = "True" if fate is PodFate.READY else "False"
        return {
            "phase": "Running" if fate in (PodFate.READY, PodFate.CRASHED) else "Pending",
            "conditions": [
                {"type": "PodScheduled", "status": "True", "lastTransitionTime": pod["metadata"]["creationTimestamp"]},
                {"type": "Ready", "status": ready, "lastTransitionTime": now},
            ],
            "initContainerStatuses": inits,
            "containerStatuses": mains,
        }


def is_ready(pod: Object) -> bool:
    """Whether Services send requests to the pod."""
    conditions = (pod.get("status") or {}).get("conditions") or ()
    ready = any(entry["type"] == "Ready" and entry["status"] == "True" for entry in conditions)
    return ready and "deletionTimestamp" not in pod["metadata"]


def _container(
    name: str,
    state: Object,
    *,
    ready: bool = False,
    restarts: int = 0,
    last: Object | None = None,
    image: str | None = None,
) -> Object:
    return {
        "name": name,
        "image": image or "loader",
        "state": state,
        "lastState": last or {},
        "ready": ready,
        "restartCount": restarts,
    }


def _template_hash(deployment: Object) -> str:
    text = json.dumps(deployment["spec"]["template"], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def _count(value: int | str, replicas: int, *, up: bool) -> int:
    """A number of pods from a number or a percentage; surge is rounded up, unavailability down."""
    if isinstance(value, int):
        return value
    share = int(value.rstrip("%")) * replicas
    return -(-share // 100) if up else share // 100
