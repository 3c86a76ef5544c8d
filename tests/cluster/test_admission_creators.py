"""Who made a TrainingRun is stamped by the API server, and nobody writes another's name."""

import pytest

from modelberth.api.names import ANNOTATION_CREATED_BY
from tests.cluster.api_server import Api, RefusedError, refused, wait_until
from tests.cluster.installed import OPERATOR
from tests.cluster.older_servers import config_map, refusing_stamps
from tests.cluster.training_manifests import run

NAME = run()["metadata"]["name"]


@pytest.fixture
def people(api: Api) -> tuple[Api, Api]:
    """Two users who may make and edit runs."""
    for user in ("alice", "bob"):
        api.allow(user, "modelberth.io", "trainingruns", "get", "create", "update", "patch")
    return api.as_user("alice"), api.as_user("bob")


def annotated(value: str | None, key: str = ANNOTATION_CREATED_BY) -> dict:
    return {"metadata": {"annotations": {key: value}}}


def stamp(obj: dict) -> str | None:
    return obj["metadata"].get("annotations", {}).get(ANNOTATION_CREATED_BY)


def test_who_makes_a_run_is_named(api: Api, people: tuple[Api, Api]):
    """Whatever he says himself; other annotations are his."""
    alice, _ = people
    forged = run()
    forged["metadata"]["annotations"] = {ANNOTATION_CREATED_BY: "bob", "note": "kept"}
    assert alice.create(forged)["metadata"]["annotations"] == {ANNOTATION_CREATED_BY: "alice", "note": "kept"}
    api.allow(OPERATOR, "modelberth.io", "trainingruns", "create")
    assert stamp(api.as_user(OPERATOR).create(run(name="other"))) == OPERATOR


@pytest.mark.parametrize("value", ["bob", None])
def test_the_makers_name_stays(people: tuple[Api, Api], value: str | None):
    """Changed, removed, or gone with all annotations, it is put back; who edits the run is not its maker."""
    alice, bob = people
    alice.create(run())
    assert stamp(bob.merge("TrainingRun", NAME, annotated(value))) == "alice"
    bare = bob.get("TrainingRun", NAME)
    del bare["metadata"]["annotations"]
    assert stamp(bob.replace(bare)) == "alice"
    assert stamp(bob.merge("TrainingRun", NAME, annotated("free", "note"))) == "alice"


@pytest.fixture
def stamps_refused(api: Api, control_plane):
    """As on an older API server."""
    with refusing_stamps(api, control_plane, "modelberth-run-stamps"):
        yield


@pytest.mark.usefixtures("stamps_refused")
def test_older_api_servers_refuse_the_stamp(api: Api):
    """Where nobody stamps, nobody forges either, and the field of the records stays empty."""
    said = "modelberth.io/created-by is not written by users; leave it as it was"

    def is_refused() -> bool:
        try:
            api.create(config_map("run", **{ANNOTATION_CREATED_BY: "bob"}), dry_run=True)
        except RefusedError as refusal:
            return said in str(refusal)
        return False

    wait_until(is_refused, "a forged stamp is refused")
    api.create(config_map("run", note="free"))
    with refused(said):
        api.merge("ConfigMap", "run", {"apiVersion": "v1", **annotated("bob")})
    api.merge("ConfigMap", "run", {"apiVersion": "v1", **annotated("changed", "note")})
