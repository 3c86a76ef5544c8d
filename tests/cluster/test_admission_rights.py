"""Who may say what: each rule as a user who lacks the right, and as one who has it."""

import pytest

from tests.cluster.api_server import Api, RefusedError, refused
from tests.cluster.installed import OPERATOR
from tests.cluster.manifests import HASH, artifact, dataset, dataset_version, deployment, inline, model, session

GROUP = "modelberth.io"
EVERYTHING = ("get", "list", "create", "update", "patch", "delete")

KINDS = (
    ("ModelArtifact", "modelartifacts", artifact()),
    ("ModelVersion", "modelversions", inline()),
    ("Dataset", "datasets", dataset()),
    ("DatasetVersion", "datasetversions", dataset_version()),
    ("RegisteredModel", "registeredmodels", model()),
    ("ModelDeployment", "modeldeployments", deployment()),
    ("TransferSession", "transfersessions", session(base=f"user: kubernetes-admin, secretHash: '{HASH}'")),
)
kinds = pytest.mark.parametrize(("kind", "plural", "manifest"), KINDS, ids=[kind for kind, _, _ in KINDS])
SEEN = {"status": {"observedGeneration": 1}}


@kinds
def test_status_is_the_operators(api: Api, kind: str, plural: str, manifest: dict):
    """A user with every right that RBAC can give does not write a status; the operator and an overrider do."""
    name = api.create(manifest)["metadata"]["name"]
    for user in ("alice", "rescuer", OPERATOR):
        api.allow(user, GROUP, f"{plural}/status", "patch", "update")
    api.allow("rescuer", GROUP, plural, "override")
    with refused("status is written by the operator only: alice needs the verb override on"):
        api.as_user("alice").merge(kind, name, SEEN, subresource="/status")
    for user in ("rescuer", OPERATOR):
        api.as_user(user).merge(kind, name, SEEN, subresource="/status")


@kinds
def test_finalizers_are_the_operators(api: Api, kind: str, plural: str, manifest: dict):
    """A user neither adds nor removes a finalizer; whoever may override does, and other changes are free."""
    for user in ("alice", "rescuer"):
        api.allow(user, GROUP, plural, *EVERYTHING)
    api.allow("rescuer", GROUP, plural, "override")
    name = api.create(manifest)["metadata"]["name"]
    alice, rescuer = api.as_user("alice"), api.as_user("rescuer")
    held = {"metadata": {"finalizers": ["example.com/hold"]}}
    with pytest.raises(
        RefusedError, match="finalizers are changed by the operator only: alice needs the verb override"
    ):
        alice.merge(kind, name, held)
    alice.merge(kind, name, {"metadata": {"labels": {"tag": "x"}}})
    rescuer.merge(kind, name, held)
    with pytest.raises(
        RefusedError, match="finalizers are changed by the operator only: alice needs the verb override"
    ):
        alice.merge(kind, name, {"metadata": {"finalizers": None}})
    rescuer.merge(kind, name, {"metadata": {"finalizers": None}})


def test_nobody_is_born_with_a_finalizer(api: Api):
    """An object is not created with a finalizer by a user either."""
    api.allow("alice", GROUP, "registeredmodels", *EVERYTHING)
    held = model()
    held["metadata"]["finalizers"] = ["example.com/hold"]
    with refused("finalizers are changed by the operator only"):
        api.as_user("alice").create(held)


def test_foreground_deletion_works(api: Api, control_plane):
    """Kubernetes' own finalizers come and go by its garbage collector."""
    api.create(model())
    control_plane.kubectl("delete", "rmod/digits", "-n", api.namespace, "--cascade=foreground", "--timeout=30s")


def test_a_template_needs_the_right_to_make_deployments(api: Api):
    """Whoever may edit ModelDeployments but not make Deployments cannot say what runs."""
    api.allow("alice", GROUP, "modeldeployments", *EVERYTHING)
    with refused("alice needs the verb create on deployments.apps in namespace"):
        api.as_user("alice").create(deployment())
    api.allow("alice", "apps", "deployments", "create")
    api.as_user("alice").create(deployment())


CHANGES = (
    {"template": {"spec": {"containers": [{"name": "x", "image": "evil"}]}}},
    {"template": None, "templateRef": {"name": "other"}},
    {"container": "sidecar"},
    {"loader": {"image": "evil"}},
    {"service": {"ports": [{"name": "x", "port": 1}]}},
)


@pytest.mark.parametrize("change", CHANGES, ids="+".join)
def test_what_runs_is_not_changed_without_that_right(api: Api, change: dict):
    """Every field that decides what runs is guarded on updates as well."""
    api.create(deployment())
    api.allow("alice", GROUP, "modeldeployments", *EVERYTHING)
    with refused("alice needs the verb create on deployments.apps"):
        api.as_user("alice").merge("ModelDeployment", "digits", {"spec": change})
    api.allow("alice", "apps", "deployments", "create")
    api.as_user("alice").merge("ModelDeployment", "digits", {"spec": change})


def test_what_is_served_may_be_chosen_without_that_right(api: Api):
    """Alias, replicas and strategy are free for whoever may edit the ModelDeployment."""
    api.create(deployment())
    api.allow("alice", GROUP, "modeldeployments", *EVERYTHING)
    change = {"alias": "staging", "replicas": 3, "strategy": {"type": "Recreate"}, "noProgressSeconds": 60}
    api.as_user("alice").merge("ModelDeployment", "digits", {"spec": change})


def pod_template(image: str, **labels: str) -> dict:
    return {
        "apiVersion": "v1",
        "kind": "PodTemplate",
        "metadata": {"name": "server", "labels": labels},
        "template": {"spec": {"containers": [{"name": "server", "image": image}]}},
    }


def test_an_offered_pod_template_needs_that_right(api: Api):
    """A PodTemplate that ModelDeployments may use is made, changed and offered only with the right to deploy."""
    api.allow("alice", "", "podtemplates", *EVERYTHING)
    alice = api.as_user("alice")
    offered = {"modelberth.io/template": "true"}
    refusal = "a PodTemplate labelled modelberth.io/template=true decides what runs: alice needs the verb create"
    with refused(refusal):
        alice.create(pod_template("one", **offered))
    alice.create(pod_template("one"))
    alice.replace(pod_template("two"))
    with refused(refusal):
        alice.replace(pod_template("two", **offered))
    api.replace(pod_template("two", **offered))
    alice.replace(pod_template("two", **offered, team="x"))
    with refused(refusal):
        alice.replace(pod_template("three", **offered))
    api.allow("alice", "apps", "deployments", "create")
    alice.replace(pod_template("three", **offered))


def session_of(user: str, operation: str) -> dict:
    return session(f"operation: {operation}", operation.lower(), base=f"user: '{user}', secretHash: '{HASH}'")


def test_nobody_makes_a_session_for_somebody_else(api: Api):
    """A session stands for who creates it."""
    api.allow("alice", GROUP, "transfersessions", *EVERYTHING)
    api.allow("alice", GROUP, "modelversions", "create")
    with refused("spec.user must be who creates the session: alice"):
        api.as_user("alice").create(session_of("bob", "Push"))
    api.as_user("alice").create(session_of("alice", "Push"))


RIGHTS = (
    ("Push", "models", "modelversions", "create"),
    ("Pull", "models", "modelversions/content", "get"),
    ("Push", "datasets", "datasetversions", "create"),
    ("Pull", "datasets", "datasetversions/content", "get"),
    ("Pull", "runs", "trainingruns/content", "get"),
)


@pytest.mark.parametrize(("operation", "family", "resource", "verb"), RIGHTS, ids=lambda word: word)
def test_a_session_gives_no_right(api: Api, operation: str, family: str, resource: str, verb: str):
    """Pushing needs the right to make the family's versions, pulling to read its content; no other right is enough."""
    api.allow("alice", GROUP, "transfersessions", *EVERYTHING)
    for right in RIGHTS:
        if right[2] != resource:
            api.allow("alice", GROUP, right[2], right[3])
    wanted = session_of("alice", operation)
    wanted["spec"]["family"] = family
    plural, _, subresource = resource.partition("/")
    said = f"{plural}.modelberth.io/{subresource}" if subresource else f"{plural}.modelberth.io"
    with refused(f"needs the verb {verb} on {said} in namespace"):
        api.as_user("alice").create(wanted)
    api.allow("alice", GROUP, resource, verb)
    api.as_user("alice").create(wanted)
