"""Who moved an alias is stamped by the API server, and nobody writes another's name."""

import pytest

from modelberth.api.names import moved_by
from tests.cluster.api_server import Api, RefusedError, refused, wait_until
from tests.cluster.installed import MUTATING_POLICIES, rendered
from tests.cluster.manifests import artifact, dataset, model
from tests.cluster.older_servers import config_map, refusing_stamps

PLURALS = {"RegisteredModel": "registeredmodels", "ModelArtifact": "modelartifacts", "Dataset": "datasets"}
kinds = pytest.mark.parametrize(
    ("kind", "make"), [("RegisteredModel", model), ("ModelArtifact", artifact), ("Dataset", dataset)]
)


def people(api: Api, kind: str) -> tuple[Api, Api]:
    """Two users who may edit objects of a kind."""
    for user in ("alice", "bob"):
        api.allow(user, "modelberth.io", PLURALS[kind], "get", "create", "update", "patch")
    return api.as_user("alice"), api.as_user("bob")


def stamps(obj: dict) -> dict[str, str]:
    annotations = obj["metadata"].get("annotations", {})
    return {key: value for key, value in annotations.items() if key.startswith("moved-by.modelberth.io/")}


def moved(**aliases: str | None) -> dict:
    return {"spec": {"aliases": {name: version and {"version": version} for name, version in aliases.items()}}}


@kinds
def test_each_alias_has_its_own_mover(api: Api, kind: str, make):
    """A user's name goes to the aliases that this user changed; the others keep theirs."""
    alice, bob = people(api, kind)
    made = alice.create(make("{aliases: {one: {version: mnist-v1}, two: {version: mnist-v1}}}", name="mnist"))
    assert stamps(made) == {moved_by("one"): "alice", moved_by("two"): "alice"}
    changed = bob.merge(kind, "mnist", moved(two="mnist-v2", three="mnist-v3"))
    assert stamps(changed) == {moved_by("one"): "alice", moved_by("two"): "bob", moved_by("three"): "bob"}


@kinds
def test_a_stamp_is_not_forged(api: Api, kind: str, make):
    """Stamps that a user writes, changes or removes are put back as they were."""
    alice, bob = people(api, kind)
    forged = make("{aliases: {one: {version: mnist-v1}}}", name="mnist")
    forged["metadata"]["annotations"] = {moved_by("one"): "bob", moved_by("nothing"): "bob", "note": "kept"}
    made = alice.create(forged)
    assert made["metadata"]["annotations"] == {moved_by("one"): "alice", "note": "kept"}
    for value in ("carol", None):
        changed = bob.merge(kind, "mnist", {"metadata": {"annotations": {moved_by("one"): value}}})
        assert stamps(changed) == {moved_by("one"): "alice"}
    added = bob.merge(kind, "mnist", {"metadata": {"annotations": {moved_by("new"): "carol"}}})
    assert stamps(added) == {moved_by("one"): "alice"}
    bare = api.get(kind, "mnist")
    del bare["metadata"]["annotations"]
    assert stamps(bob.replace(bare)) == {moved_by("one"): "alice"}


@kinds
def test_a_change_with_a_forged_stamp_is_the_changers(api: Api, kind: str, make):
    """Whoever moves an alias and writes somebody else's name next to it is named all the same."""
    alice, bob = people(api, kind)
    alice.create(make("{aliases: {one: {version: mnist-v1}}}", name="mnist"))
    change = moved(one="mnist-v2") | {"metadata": {"annotations": {moved_by("one"): "alice"}}}
    assert stamps(bob.merge(kind, "mnist", change)) == {moved_by("one"): "bob"}


@kinds
def test_who_removed_an_alias(api: Api, kind: str, make):
    """A removed alias names its remover until the next change."""
    alice, bob = people(api, kind)
    alice.create(make("{aliases: {one: {version: mnist-v1}, two: {version: mnist-v1}}}", name="mnist"))
    removed = bob.merge(kind, "mnist", moved(two=None))
    assert stamps(removed) == {moved_by("one"): "alice", moved_by("two"): "bob"}
    later = alice.merge(kind, "mnist", {"metadata": {"labels": {"tag": "x"}}})
    assert stamps(later) == {moved_by("one"): "alice"}
    assert stamps(alice.merge(kind, "mnist", moved(one=None))) == {moved_by("one"): "alice"}


def test_only_changes_of_aliases_count(api: Api):
    """Links, description and labels move no alias; a note on why an alias moved does."""
    alice, bob = people(api, "RegisteredModel")
    alice.create(model("{aliases: {one: {version: mnist-v1}}}"))
    other = {"spec": {"description": "x", "links": {"mnist-v1": {}}}, "metadata": {"labels": {"tag": "x"}}}
    assert stamps(bob.merge("RegisteredModel", "digits", other)) == {moved_by("one"): "alice"}
    why = {"spec": {"aliases": {"one": {"change": {"reason": "better"}}}}}
    assert stamps(bob.merge("RegisteredModel", "digits", why)) == {moved_by("one"): "bob"}


def test_a_model_without_aliases_has_no_stamps(api: Api):
    """Where nothing is aliased, nothing is written."""
    alice, _ = people(api, "RegisteredModel")
    assert "annotations" not in alice.create(model())["metadata"]


def test_every_alias_may_be_stamped(api: Api):
    """64 aliases with the longest names get 64 stamps."""
    names = [f"{'a' * 37}-{number:02}" for number in range(64)]
    many = ", ".join(f"{name}: {{version: mnist-v1}}" for name in names)
    made = api.create(model(f"{{aliases: {{{many}}}}}"))
    assert len(stamps(made)) == 64


def test_older_api_servers_get_no_policy_that_they_do_not_know(control_plane):
    """Where MutatingAdmissionPolicy is not served, a validating policy that refuses stamps takes its place."""
    with_it = [obj["metadata"]["name"] for obj in rendered(control_plane, MUTATING_POLICIES)]
    without = [obj["metadata"]["name"] for obj in rendered(control_plane)]
    movers, creators = ["modelberth-alias-movers"] * 2, ["modelberth-run-creators"] * 2
    assert sorted(name for name in with_it if name not in without) == movers + creators
    stamps, marks = ["modelberth-alias-stamps"] * 2, ["modelberth-run-stamps"] * 2
    assert sorted(name for name in without if name not in with_it) == stamps + marks


@pytest.fixture
def stamps_refused(api: Api, control_plane):
    """As on an older API server."""
    with refusing_stamps(api, control_plane, "modelberth-alias-stamps"):
        yield


@pytest.mark.usefixtures("stamps_refused")
def test_older_api_servers_refuse_stamps(api: Api):
    """Where nobody stamps, nobody forges either; other annotations, and stamps from before, are left alone."""
    forged = config_map("aliases", **{moved_by("one"): "bob"})

    def is_refused() -> bool:
        try:
            api.create(forged, dry_run=True)
        except RefusedError as refusal:
            return "moved-by.modelberth.io/one is not written by users; remove it" in str(refusal)
        return False

    wait_until(is_refused, "a forged stamp is refused")
    api.create(config_map("aliases", note="free"))
    with refused("moved-by.modelberth.io/one is not written by users; remove it"):
        api.merge("ConfigMap", "aliases", {"apiVersion": "v1", "metadata": {"annotations": {moved_by("one"): "bob"}}})
    api.merge("ConfigMap", "aliases", {"apiVersion": "v1", "metadata": {"annotations": {"note": "changed"}}})
