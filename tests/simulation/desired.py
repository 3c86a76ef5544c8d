"""Where a world has to rest: the desired state, worked out anew from what users asked for and what the bucket holds.

Nothing of the operator's own decisions is used here; that is the point.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from modelberth.content.collections import Collection
from modelberth.runtime.clock import parse_rfc3339
from modelberth.runtime.families import FAMILIES, ContentFamily
from modelberth.runtime.resources import (
    DEPLOYMENTS,
    MODEL_ARTIFACTS,
    MODEL_DEPLOYMENTS,
    MODEL_VERSIONS,
    POD_TEMPLATES,
    PODS,
    REGISTERED_MODELS,
    REPLICA_SETS,
    SERVICES,
    TRANSFER_SESSIONS,
    Object,
)
from tests.simulation.bucket import digest_of
from tests.simulation.controllers import PodFate, is_ready
from tests.simulation.world import NAMESPACE, World

_LABEL = "modelberth.io/deployment"
_DIGEST = "modelberth.io/digest"
_VERSION = "modelberth.io/version"


def differences(world: World) -> Iterator[str]:
    """Each way in which the world does not rest where it should, as a sentence."""
    for family in FAMILIES:
        for version in world.server.peek_all(family.versions, NAMESPACE):
            yield from _version(world, family, version)
        for collection in world.server.peek_all(family.collections, NAMESPACE):
            yield from _collection(world, family, collection)
    for deployment in world.server.peek_all(MODEL_DEPLOYMENTS, NAMESPACE):
        yield from _deployment(world, deployment)
    for model in world.server.peek_all(REGISTERED_MODELS, NAMESPACE):
        yield from _model(world, model)
    for session in world.server.peek_all(TRANSFER_SESSIONS, NAMESPACE):
        age = (world.clock.now() - parse_rfc3339(session["metadata"]["creationTimestamp"])).total_seconds()
        if age > session["spec"]["ttlSeconds"]:
            yield f"TransferSession {session['metadata']['name']} is over and still there"


def condition(obj: Object, kind: str) -> str | None:
    """The status of a condition; None if it is not there."""
    conditions = (obj.get("status") or {}).get("conditions") or ()
    return next((entry["status"] for entry in conditions if entry["type"] == kind), None)


def is_complete(deployment: Object) -> bool:
    """Whether a Deployment's controller has done all it was asked: every pod new, available, and no other left."""
    status, wanted = deployment.get("status") or {}, deployment["spec"]["replicas"]
    counts = {status.get(field) or 0 for field in ("replicas", "updatedReplicas", "availableReplicas")}
    return status.get("observedGeneration") == deployment["metadata"]["generation"] and counts == {wanted}


def _seen(obj: Object) -> Iterator[str]:
    observed = (obj.get("status") or {}).get("observedGeneration")
    if observed != obj["metadata"]["generation"]:
        yield f"{_named(obj)}: observedGeneration {observed}, generation {obj['metadata']['generation']}"


def _version(world: World, family: ContentFamily, version: Object) -> Iterator[str]:
    yield from _seen(version)
    spec, status = version["spec"], version.get("status") or {}
    digest = _content_of(spec)
    record = world.bucket.records.get((world.space, Collection(family.name, _owner_name(version)), spec["version"]))
    is_stored = (world.space, family.name, digest) in world.bucket.families
    holder = world.server.peek(family.collections, NAMESPACE, _owner_name(version))
    is_right = is_stored and record is not None and record.digest == digest and holder is not None
    if is_right != (condition(version, "Ready") == "True"):
        yield f"{_named(version)}: Ready is {condition(version, 'Ready')}, ought to be {is_right}: {_words(version)}"
    if is_right and status.get("digest") != digest:
        yield f"{_named(version)}: digest {status.get('digest')}, ought to be {digest}"
    users = sorted(_users_of(world, family, version["metadata"]["name"]))
    if status.get("usedBy", []) != users:
        yield f"{_named(version)}: usedBy {status.get('usedBy')}, ought to be {users}"


def _users_of(world: World, family: ContentFamily, name: str) -> Iterator[str]:
    for resource in family.users:
        for owner in world.server.peek_all(resource, NAMESPACE):
            wanted = {alias for alias, entry in _aliases(owner).items() if entry["version"] == name}
            known = (owner.get("status") or {}).get("aliases") or {}
            wanted |= {alias for alias, entry in known.items() if entry.get("current") == name}
            yield from (f"{resource.kind.lower()}/{owner['metadata']['name']}:{alias}" for alias in wanted)


def _collection(world: World, family: ContentFamily, collection: Object) -> Iterator[str]:
    yield from _seen(collection)
    name = collection["metadata"]["name"]
    ready = [
        int(version["spec"]["version"].removeprefix("v"))
        for version in world.server.peek_all(family.versions, NAMESPACE)
        if _owner_name(version) == name and condition(version, "Ready") == "True"
    ]
    latest = f"{name}-v{max(ready)}" if ready else None
    status = collection["status"]
    if (status.get("versionCount"), status.get("latestVersion")) != (len(ready), latest):
        yield f"{_named(collection)}: {status.get('versionCount')} versions up to {status.get('latestVersion')}, not {latest}"


def _model(world: World, model: Object) -> Iterator[str]:
    yield from _seen(model)
    name, uid = model["metadata"]["name"], model["metadata"]["uid"]
    told = (model.get("status") or {}).get("aliases") or {}
    if told.keys() != _aliases(model).keys():
        yield f"{_named(model)}: status knows {sorted(told)}, the spec {sorted(_aliases(model))}"
        return
    yield from _endings(world, model)
    for alias, entry in _aliases(model).items():
        wanted = entry["version"]
        where = f"{_named(model)}:{alias}"
        followers = _followers(world, name, alias)
        passed = _target(world, wanted) is not None and all(_serves(follower, wanted) for follower in followers)
        if told[alias].get("desired") != wanted:
            yield f"{where}: desired {told[alias].get('desired')}, ought to be {wanted}"
        if passed and told[alias].get("current") != wanted:
            yield f"{where}: current {told[alias].get('current')}, ought to be {wanted}"
        if passed != (told[alias].get("state") in ("Served", "Resolved")):
            yield f"{where}: {told[alias].get('state')}, though passed is {passed}: {told[alias].get('message')}"
        blocked = [follower for follower in followers if (follower.get("status") or {}).get("state") == "Blocked"]
        if blocked and _target(world, wanted) is not None and told[alias].get("state") != "Blocked":
            yield f"{where}: {told[alias].get('state')}, though {_named(blocked[0])} is Blocked: {_words(blocked[0])}"
        yield from _history(world, where, (name, alias, uid), wanted, told[alias])


def _endings(world: World, model: Object) -> Iterator[str]:
    """An alias that the model no longer has ends with that word."""
    name, uid = model["metadata"]["name"], model["metadata"]["uid"]
    for (_, owner, alias), entries in world.bucket.aliases.items():
        is_removed = owner == name and entries[-1].uid == uid and alias not in _aliases(model)
        if is_removed and entries[-1].event != "Removed":
            yield f"{_named(model)}:{alias}: removed, the bucket's last entry is {entries[-1].event}"


def _history(
    world: World, where: str, owner: tuple[str, str, str], wanted: str, told: Mapping[str, Any]
) -> Iterator[str]:
    name, alias, uid = owner
    entries = world.bucket.aliases.get((world.space, name, alias), [])
    if not entries or (entries[-1].uid, entries[-1].version) != (uid, wanted):
        yield f"{where}: the bucket's last entry is {entries[-1] if entries else None}, ought to be about {wanted}"
    elif not 1 <= told.get("recorded", 0) <= entries[-1].sequence:
        yield f"{where}: recorded {told.get('recorded')}, the bucket has {entries[-1].sequence}"
    elif told.get("state") == "Served" and entries[-1].event != "Served":
        yield f"{where}: Served, the bucket's last entry is {entries[-1].event}"


def _deployment(world: World, deployment: Object) -> Iterator[str]:
    yield from _seen(deployment)
    name, spec, status = deployment["metadata"]["name"], deployment["spec"], deployment.get("status") or {}
    workload = world.server.peek(DEPLOYMENTS, NAMESPACE, f"{name}-a")
    yield from _truth(world, deployment, workload)
    target, pod = _alias_target(world, spec), _template(world, spec)
    image = pod["spec"]["containers"][0].get("image") if pod else None
    if target is None or not image:
        if condition(deployment, "Ready") == "True":
            yield f"{_named(deployment)}: Ready without a target that could be served"
        return
    if workload is None:
        yield f"{_named(deployment)}: no Deployment, though {target} could be served: {_words(deployment)}"
        return
    if world.server.peek(SERVICES, NAMESPACE, name) is None:
        yield f"{_named(deployment)}: no Service"
    yield from _workload(world, deployment, workload, target, str(image))
    if status.get("desired", {}).get("version") != target:
        yield f"{_named(deployment)}: desired {status.get('desired')}, ought to be {target}"


def _workload(world: World, deployment: Object, workload: Object, target: str, image: str) -> Iterator[str]:
    spec, status = deployment["spec"], deployment.get("status") or {}
    annotations = workload["spec"]["template"]["metadata"]["annotations"]
    digest = _target(world, target)
    if (annotations[_VERSION], annotations[_DIGEST]) != (target, digest):
        yield f"{_named(deployment)}: runs {annotations[_VERSION]}, ought to run {target}"
    if workload["spec"]["template"]["spec"]["containers"][0]["image"] != image:
        yield f"{_named(deployment)}: another image than {image}"
    if spec.get("replicas", workload["spec"]["replicas"]) != workload["spec"]["replicas"]:
        yield f"{_named(deployment)}: {workload['spec']['replicas']} replicas, ought to be {spec['replicas']}"
    pods = [
        p for p in world.server.peek_all(PODS, NAMESPACE) if p["metadata"]["labels"].get(_LABEL) == _name(deployment)
    ]
    newest = [p for p in pods if p["metadata"]["annotations"][_DIGEST] == digest]
    can_start = all(world.natural_fate(p) is PodFate.READY or is_ready(p) for p in newest)
    if (condition(deployment, "Ready") == "True") != can_start:
        yield f"{_named(deployment)}: Ready is {condition(deployment, 'Ready')}, ought to be {can_start}: {_words(deployment)}"
    if can_start and len(newest) != len(pods):
        yield f"{_named(deployment)}: {len(pods) - len(newest)} pods of another version are left"
    if can_start and status.get("state") != ("Served" if workload["spec"]["replicas"] else "Suspended"):
        yield f"{_named(deployment)}: state {status.get('state')}: {_words(deployment)}"


def _truth(world: World, deployment: Object, workload: Object | None) -> Iterator[str]:
    """What the status says is what there is."""
    status, name = deployment.get("status") or {}, _name(deployment)
    ready: dict[tuple[str, str], int] = {}
    for replica_set in world.server.peek_all(REPLICA_SETS, NAMESPACE):
        count = (replica_set.get("status") or {}).get("readyReplicas")
        if replica_set["metadata"]["labels"].get(_LABEL) == name and count:
            annotations = replica_set["spec"]["template"]["metadata"]["annotations"]
            what = annotations[_VERSION], annotations[_DIGEST]
            ready[what] = ready.get(what, 0) + count
    claimed: dict[tuple[str, str], int] = {}
    for entry in status.get("served") or ():
        what = entry["version"], entry["digest"]
        claimed[what] = claimed.get(what, 0) + entry["readyReplicas"]
    if claimed != ready:
        yield f"{_named(deployment)}: claims to serve {claimed}, serves {ready}"
    counted = (workload or {}).get("status", {}).get("readyReplicas", 0)
    if status.get("readyReplicas", 0) != counted:
        yield f"{_named(deployment)}: says {status.get('readyReplicas')} ready, {counted} are"


def _target(world: World, version: str) -> str | None:
    """The digest of a version that may be followed."""
    found = world.server.peek(MODEL_VERSIONS, NAMESPACE, version)
    if found is None or _artifact_of(world, found) is None or condition(found, "Ready") != "True":
        return None
    return _content_of(found["spec"])


def _alias_target(world: World, spec: Object) -> str | None:
    """The version that a ModelDeployment's alias stands for, if it may be followed."""
    model = world.server.peek(REGISTERED_MODELS, NAMESPACE, spec["model"])
    wanted = _aliases(model).get(spec["alias"], {}).get("version") if model else None
    return wanted if wanted and _target(world, wanted) else None


def _template(world: World, spec: Object) -> Object | None:
    if "templateRef" not in spec:
        return dict(spec["template"])
    found = world.server.peek(POD_TEMPLATES, NAMESPACE, spec["templateRef"]["name"])
    return dict(found["template"]) if found else None


def _followers(world: World, model: str, alias: str) -> list[Object]:
    return [
        deployment
        for deployment in world.server.peek_all(MODEL_DEPLOYMENTS, NAMESPACE)
        if (deployment["spec"]["model"], deployment["spec"]["alias"]) == (model, alias)
    ]


def _serves(deployment: Object, version: str) -> bool:
    status = deployment.get("status") or {}
    return condition(deployment, "Ready") == "True" and status.get("desired", {}).get("version") == version


def _content_of(spec: Object) -> str:
    """The digest that a version's content has, whatever its status says."""
    inline = spec["source"].get("inline")
    if inline is None:
        return str(spec["digest"])
    files = sorted((path, entry["text"].encode()) for path, entry in inline["files"].items())
    return digest_of(repr(files))


def _artifact_of(world: World, version: Object) -> Object | None:
    return world.server.peek(MODEL_ARTIFACTS, NAMESPACE, version["spec"]["artifact"])


def _owner_name(version: Object) -> str:
    spec = version["spec"]
    return str(spec.get("dataset") or spec.get("artifact"))


def _aliases(obj: Object) -> Mapping[str, Any]:
    return (obj.get("spec") or {}).get("aliases") or {}


def _name(obj: Object) -> str:
    return str(obj["metadata"]["name"])


def _named(obj: Object) -> str:
    return f"{obj['kind']} {_name(obj)}"


def _words(obj: Object) -> str:
    conditions = (obj.get("status") or {}).get("conditions") or ()
    return next((f"{entry['reason']}: {entry['message']}" for entry in conditions if entry["type"] == "Ready"), "")
