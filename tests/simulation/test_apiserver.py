"""The in-memory API server behaves as the real one is documented and was measured to."""

import pytest

from modelberth.runtime.errors import AlreadyExists, Conflict, Gone, Invalid, NotFound
from modelberth.runtime.resources import CONFIG_MAPS, DEPLOYMENTS, PODS, REPLICA_SETS, SERVICES, Object
from tests.simulation.apiserver import ApiServer
from tests.simulation.virtual_loop import VirtualClock, new_loop


@pytest.fixture
def server() -> ApiServer:
    return ApiServer(VirtualClock(new_loop()))


def config_map(name: str = "settings", **data: str) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "prod"}, "data": data}


def deployment(image: str = "server:1", *, replicas: int | None = 2, name: str = "web") -> Object:
    labels = {"app": name}
    spec: Object = {
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "main", "image": image}]}},
    }
    if replicas is not None:
        spec["replicas"] = replicas
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "prod", "labels": labels},
        "spec": spec,
    }


def fenced(body: Object, live: Object) -> Object:
    metadata = {
        **body["metadata"],
        "uid": live["metadata"]["uid"],
        "resourceVersion": live["metadata"]["resourceVersion"],
    }
    return {**body, "metadata": metadata}


def test_every_write_gets_the_next_resource_version(server: ApiServer) -> None:
    """Versions grow with each change, whatever the resource."""
    first = server.create("user", CONFIG_MAPS, "prod", config_map("a"))
    second = server.create("user", DEPLOYMENTS, "prod", deployment())
    assert int(second["metadata"]["resourceVersion"]) == int(first["metadata"]["resourceVersion"]) + 1


def test_a_write_that_changes_nothing_is_no_write(server: ApiServer) -> None:
    """Applying the same body twice leaves version and generation alone and sends no event."""
    once = server.apply("op", DEPLOYMENTS, "prod", "web", deployment(), manager="op")
    again = server.apply("op", DEPLOYMENTS, "prod", "web", deployment(), manager="op")
    assert again == once
    assert len(server.since(DEPLOYMENTS, 0)) == 1


def test_create_refuses_a_name_that_is_taken(server: ApiServer) -> None:
    """POST never replaces."""
    server.create("user", CONFIG_MAPS, "prod", config_map())
    with pytest.raises(AlreadyExists):
        server.create("user", CONFIG_MAPS, "prod", config_map(key="other"))


def test_generation_counts_changes_of_the_spec_only(server: ApiServer) -> None:
    """Labels and status leave the generation alone; the spec raises it."""
    made = server.create("user", DEPLOYMENTS, "prod", deployment())
    labelled = server.update("user", DEPLOYMENTS, {**made, "metadata": {**made["metadata"], "labels": {"a": "b"}}})
    reported = server.update("ctl", DEPLOYMENTS, {**labelled, "status": {"replicas": 1}}, subresource="status")
    assert reported["metadata"]["generation"] == 1
    changed = server.update("user", DEPLOYMENTS, {**reported, "spec": {**reported["spec"], "replicas": 7}})
    assert changed["metadata"]["generation"] == 2


def test_a_status_write_cannot_change_the_spec_nor_a_spec_write_the_status(server: ApiServer) -> None:
    """The status subresource separates the two."""
    made = server.create("user", DEPLOYMENTS, "prod", {**deployment(), "status": {"replicas": 9}})
    assert "status" not in made
    spec = {**made["spec"], "replicas": 9}
    reported = server.update(
        "ctl", DEPLOYMENTS, {**made, "spec": spec, "status": {"replicas": 1}}, subresource="status"
    )
    assert (reported["spec"]["replicas"], reported["status"]) == (2, {"replicas": 1})
    changed = server.update("user", DEPLOYMENTS, {**reported, "status": {"replicas": 5}})
    assert changed["status"] == {"replicas": 1}


def test_a_stale_resource_version_is_a_conflict_even_with_force(server: ApiServer) -> None:
    """The fence against a writer that has not seen the latest state."""
    seen = server.apply("op", DEPLOYMENTS, "prod", "web", deployment(), manager="op")
    server.update("user", DEPLOYMENTS, {**seen, "spec": {**seen["spec"], "replicas": 3}})
    with pytest.raises(Conflict):
        server.apply("op", DEPLOYMENTS, "prod", "web", fenced(deployment("server:2"), seen), manager="op")


def test_an_apply_with_a_uid_never_brings_an_object_back(server: ApiServer) -> None:
    """Gone and fenced is a conflict, and so is a namesake with another uid."""
    seen = server.apply("op", DEPLOYMENTS, "prod", "web", deployment(), manager="op")
    server.delete("user", DEPLOYMENTS, "prod", "web")
    with pytest.raises(Conflict):
        server.apply("op", DEPLOYMENTS, "prod", "web", fenced(deployment(), seen), manager="op")
    server.create("user", DEPLOYMENTS, "prod", deployment())
    with pytest.raises(Conflict, match="uid"):
        server.apply("op", DEPLOYMENTS, "prod", "web", fenced(deployment(), seen), manager="op")


def test_an_apply_to_the_status_of_nothing_is_not_found(server: ApiServer) -> None:
    """Subresources are never created."""
    with pytest.raises(NotFound):
        server.apply("op", DEPLOYMENTS, "prod", "web", deployment(), manager="op", subresource="status")


def test_a_delete_is_fenced_by_uid_and_version(server: ApiServer) -> None:
    """A namesake or a newer state is left alone."""
    made = server.create("user", CONFIG_MAPS, "prod", config_map())
    with pytest.raises(Conflict):
        server.delete("op", CONFIG_MAPS, "prod", "settings", uid="another")
    server.update("user", CONFIG_MAPS, {**made, "data": {"key": "new"}})
    with pytest.raises(Conflict):
        server.delete("op", CONFIG_MAPS, "prod", "settings", resource_version=made["metadata"]["resourceVersion"])
    server.delete("op", CONFIG_MAPS, "prod", "settings", uid=made["metadata"]["uid"])
    assert server.get(CONFIG_MAPS, "prod", "settings") is None


def test_finalizers_hold_an_object_until_the_last_is_taken_away(server: ApiServer) -> None:
    """Deletion marks the object; removing the last finalizer removes it."""
    body = config_map()
    body["metadata"]["finalizers"] = ["keep"]
    server.create("user", CONFIG_MAPS, "prod", body)
    server.delete("user", CONFIG_MAPS, "prod", "settings")
    held = server.get(CONFIG_MAPS, "prod", "settings")
    assert held is not None
    assert held["metadata"]["deletionTimestamp"]
    held["metadata"].pop("finalizers")
    server.update("op", CONFIG_MAPS, held)
    assert server.get(CONFIG_MAPS, "prod", "settings") is None
    assert [change.type for change in server.since(CONFIG_MAPS, 0)] == ["ADDED", "MODIFIED", "DELETED"]


def test_the_history_is_bounded(server: ApiServer) -> None:
    """After compaction a watch from before it has to list again; one from after it goes on."""
    server.create("user", CONFIG_MAPS, "prod", config_map("a"))
    server.compact(CONFIG_MAPS)
    place = server.version
    server.create("user", CONFIG_MAPS, "prod", config_map("b"))
    with pytest.raises(Gone):
        server.since(CONFIG_MAPS, 0)
    assert [change.object["metadata"]["name"] for change in server.since(CONFIG_MAPS, place)] == ["b"]


def test_a_dry_run_refuses_as_the_write_would_and_changes_nothing(server: ApiServer) -> None:
    """The answer is real, the write is not."""
    broken = deployment()
    broken["spec"]["template"]["spec"]["containers"][0] = {"name": "main"}
    with pytest.raises(Invalid, match="image: Required value"):
        server.create("op", DEPLOYMENTS, "prod", broken, dry_run=True)
    before = server.version
    server.create("op", DEPLOYMENTS, "prod", deployment(), dry_run=True)
    assert server.get(DEPLOYMENTS, "prod", "web") is None
    assert server.version == before


@pytest.mark.parametrize(
    ("container", "message"),
    [
        ({"name": "main", "image": "a", "imagee": "b"}, "unknown field"),
        ({"name": "Main", "image": "a"}, "name: Invalid value"),
        ({"name": "main", "image": "a", "volumeMounts": [{"name": "x", "mountPath": "/x"}]}, "Not found"),
    ],
)
def test_a_wrong_pod_template_is_refused_in_words(server: ApiServer, container: Object, message: str) -> None:
    """What a user can get wrong in a template is refused, naming the field."""
    body = deployment()
    body["spec"]["template"]["spec"]["containers"] = [container]
    with pytest.raises(Invalid, match=message):
        server.apply("op", DEPLOYMENTS, "prod", "web", body, manager="op", dry_run=True)


def test_a_selector_is_immutable(server: ApiServer) -> None:
    """The selector of a Deployment stays as it was made."""
    server.create("user", DEPLOYMENTS, "prod", deployment())
    other = deployment()
    other["spec"]["selector"] = {"matchLabels": {"app": "other"}}
    other["spec"]["template"]["metadata"]["labels"] = {"app": "other"}
    with pytest.raises(Invalid, match="immutable"):
        server.apply("op", DEPLOYMENTS, "prod", "web", other, manager="op")


def test_orphans_are_the_objects_whose_owners_are_all_gone(server: ApiServer) -> None:
    """Ownership is by uid: a recreated owner does not keep the old one's children."""
    owner = server.create("user", DEPLOYMENTS, "prod", deployment())
    child: Object = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "namespace": "prod", "ownerReferences": [{"uid": owner["metadata"]["uid"]}]},
        "spec": {"ports": [{"port": 80}]},
    }
    server.create("op", SERVICES, "prod", child)
    assert server.orphans() == []
    server.delete("user", DEPLOYMENTS, "prod", "web")
    server.create("user", DEPLOYMENTS, "prod", deployment())
    assert [resource for resource, _ in server.orphans()] == [SERVICES]


def test_lists_are_selected_by_labels_and_fields(server: ApiServer) -> None:
    """Every label and every field term has to agree."""
    for name, app in (("a", "web"), ("b", "web"), ("c", "db")):
        body = config_map(name)
        body["metadata"]["labels"] = {"app": app}
        server.create("user", CONFIG_MAPS, "prod", body)
    assert [obj["metadata"]["name"] for obj in server.select(CONFIG_MAPS, "prod", labels={"app": "web"})] == ["a", "b"]
    assert [obj["metadata"]["name"] for obj in server.select(CONFIG_MAPS, fields="metadata.name=c")] == ["c"]
    assert server.select(PODS) == server.select(REPLICA_SETS) == []


def test_what_is_handed_out_is_a_copy(server: ApiServer) -> None:
    """A caller who changes an answer changes nothing in the store."""
    server.create("user", CONFIG_MAPS, "prod", config_map(key="value"))
    taken = server.get(CONFIG_MAPS, "prod", "settings")
    assert taken is not None
    taken["data"]["key"] = "spoilt"
    again = server.get(CONFIG_MAPS, "prod", "settings")
    assert again is not None
    assert again["data"] == {"key": "value"}
