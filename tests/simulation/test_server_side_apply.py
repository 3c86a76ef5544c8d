"""Field ownership in the in-memory API server follows the real one's rules."""

import pytest

from modelberth.runtime.errors import Conflict, Invalid
from modelberth.runtime.resources import CONFIG_MAPS, DEPLOYMENTS, SERVICES, Object
from tests.simulation.apiserver import ApiServer
from tests.simulation.test_apiserver import config_map, deployment, server

__all__ = ["server"]


def test_a_field_left_out_by_its_only_owner_goes(server: ApiServer) -> None:
    """What a manager stops saying is removed; what others say stays."""
    server.apply("x", CONFIG_MAPS, "prod", "settings", config_map(mine="1", ours="1"), manager="a")
    server.apply("x", CONFIG_MAPS, "prod", "settings", config_map(ours="1"), manager="b")
    result = server.apply("x", CONFIG_MAPS, "prod", "settings", {**config_map(), "data": {"new": "1"}}, manager="a")
    assert result["data"] == {"ours": "1", "new": "1"}


def test_a_field_that_somebody_updated_is_a_conflict_without_force(server: ApiServer) -> None:
    """Force takes it over; without force the other manager is named."""
    made = server.apply("x", CONFIG_MAPS, "prod", "settings", config_map(key="1"), manager="a")
    server.update("editor", CONFIG_MAPS, {**made, "data": {"key": "2"}})
    with pytest.raises(Conflict, match=r'conflict with "editor": \.data\.key'):
        server.apply("x", CONFIG_MAPS, "prod", "settings", config_map(key="1"), manager="a", force=False)
    assert server.apply("x", CONFIG_MAPS, "prod", "settings", config_map(key="1"), manager="a")["data"] == {"key": "1"}


def test_agreeing_managers_share_a_field(server: ApiServer) -> None:
    """Saying the same is no conflict, and the field stays until the last of them lets go."""
    server.apply("x", CONFIG_MAPS, "prod", "settings", config_map(key="1"), manager="a")
    server.apply("x", CONFIG_MAPS, "prod", "settings", config_map(key="1"), manager="b", force=False)
    result = server.apply("x", CONFIG_MAPS, "prod", "settings", config_map(), manager="a")
    assert result["data"] == {"key": "1"}


def test_containers_merge_by_name(server: ApiServer) -> None:
    """Two managers' containers live side by side, each with its own fields."""
    server.apply("x", DEPLOYMENTS, "prod", "web", deployment(), manager="a")
    other = deployment()
    other["spec"] = {"template": {"spec": {"containers": [{"name": "side", "image": "side:1"}]}}}
    other["metadata"].pop("labels")
    result = server.apply("x", DEPLOYMENTS, "prod", "web", other, manager="b")
    names = [container["name"] for container in result["spec"]["template"]["spec"]["containers"]]
    assert sorted(names) == ["main", "side"]
    taken_back = {**other, "spec": {}}
    result = server.apply("x", DEPLOYMENTS, "prod", "web", taken_back, manager="b")
    assert [container["name"] for container in result["spec"]["template"]["spec"]["containers"]] == ["main"]


def test_an_item_without_its_key_is_refused(server: ApiServer) -> None:
    """A container without a name cannot be merged."""
    body = deployment()
    body["spec"]["template"]["spec"]["containers"] = [{"image": "a"}]
    with pytest.raises(Invalid, match="without its key name"):
        server.apply("x", DEPLOYMENTS, "prod", "web", body, manager="a")


def test_replicas_left_out_by_their_only_owner_fall_to_the_default(server: ApiServer) -> None:
    """Measured on the real server: 5 pods become 1."""
    server.apply("x", DEPLOYMENTS, "prod", "web", deployment(replicas=5), manager="a")
    result = server.apply("x", DEPLOYMENTS, "prod", "web", deployment(replicas=None), manager="a")
    assert result["spec"]["replicas"] == 1


def test_replicas_stay_when_a_second_manager_applied_them_first(server: ApiServer) -> None:
    """Measured on the real server: 5 stay 5."""
    server.apply("x", DEPLOYMENTS, "prod", "web", deployment(replicas=5), manager="a")
    handoff = {"metadata": {"name": "web", "namespace": "prod"}, "spec": {"replicas": 5}}
    server.apply("x", DEPLOYMENTS, "prod", "web", handoff, manager="b")
    result = server.apply("x", DEPLOYMENTS, "prod", "web", deployment(replicas=None), manager="a")
    assert result["spec"]["replicas"] == 5


def test_a_selector_is_one_value(server: ApiServer) -> None:
    """A Service's selector is replaced as a whole, its ports merge by port and protocol."""
    body: Object = {
        "metadata": {"name": "web", "namespace": "prod"},
        "spec": {"selector": {"a": "1"}, "ports": [{"port": 80}]},
    }
    server.apply("x", SERVICES, "prod", "web", body, manager="a")
    body["spec"] = {"selector": {"b": "1"}, "ports": [{"port": 80, "targetPort": 8080}]}
    result = server.apply("x", SERVICES, "prod", "web", body, manager="a")
    assert result["spec"]["selector"] == {"b": "1"}
    assert result["spec"]["ports"] == [{"port": 80, "protocol": "TCP", "targetPort": 8080}]


def test_a_created_object_co_owns_its_fields_for_ever(server: ApiServer) -> None:
    """Why the operator claims by apply and not by POST: a POSTed field outlives a later apply that leaves it out."""
    server.create("op", CONFIG_MAPS, "prod", config_map(key="1"))
    server.apply("op", CONFIG_MAPS, "prod", "settings", config_map(key="1"), manager="a")
    result = server.apply("op", CONFIG_MAPS, "prod", "settings", config_map(), manager="a")
    assert result["data"] == {"key": "1"}


def test_the_status_has_its_own_owners(server: ApiServer) -> None:
    """An apply to the status owns nothing of the spec, and the other way round."""
    server.apply("op", DEPLOYMENTS, "prod", "web", deployment(), manager="a")
    status = {"metadata": {"name": "web", "namespace": "prod"}, "status": {"replicas": 1, "readyReplicas": 1}}
    server.apply("op", DEPLOYMENTS, "prod", "web", status, manager="a", subresource="status")
    status["status"] = {"replicas": 2}
    result = server.apply("op", DEPLOYMENTS, "prod", "web", status, manager="a", subresource="status")
    assert result["status"] == {"replicas": 2}
    assert result["spec"]["replicas"] == 2
