"""The kinds on a real API server: what it takes, what it refuses and in which words, and how kubectl shows them."""

import itertools
from pathlib import Path

import pytest
import yaml

from modelberth.api.conditions import set_condition
from modelberth.api.kinds import KINDS
from tests.cluster import manifests
from tests.cluster.api_server import Api, RefusedError, refused
from tests.cluster.manifests import artifact, deployment, inline, model, session, version

BY_NAME = {kind.name: kind for kind in KINDS}


def case_id(case: manifests.Bad) -> str:
    return f"{case.manifest['kind']}: {case.name}"


@pytest.mark.parametrize("case", manifests.BAD, ids=case_id)
def test_bad_manifest(admission: Api, case: manifests.Bad):
    """A bad manifest is refused, and the message names the field and what is wrong with it."""
    with pytest.raises(RefusedError) as refusal:
        admission.create(case.manifest, dry_run=True)
    assert refusal.value.status in (400, 422)
    for words in case.says:
        assert words in str(refusal.value)


def test_how_many_bad_manifests():
    """The table holds at least 60 manifests, no two of one kind under one name."""
    assert len(manifests.BAD) >= 60
    assert len({case_id(case) for case in manifests.BAD}) == len(manifests.BAD)


@pytest.mark.parametrize(("name", "manifest"), manifests.GOOD, ids=[name for name, _ in manifests.GOOD])
def test_good_manifest(admission: Api, name: str, manifest: dict):
    """What lies just within the limits is taken, and the operator's models read what the API server made of it."""
    made = admission.create(manifest, dry_run=True)
    kind = BY_NAME[manifest["kind"]]
    kind.spec.model_validate(made["spec"])
    assert kind.status.model_validate(made["status"]).observed_generation == -1


@pytest.mark.parametrize("path", sorted(Path("examples/kinds").glob("*.yaml")), ids=lambda path: path.stem)
def test_examples(api: Api, path: Path):
    """Every example is taken as it stands, by strict validation."""
    for manifest in yaml.safe_load_all(path.read_text()):
        if manifest["kind"] == "TransferSession":
            manifest["spec"]["user"] = "kubernetes-admin"
        api.create(manifest)


FROZEN = (
    (
        artifact("{versioning: Sequence}"),
        {"versioning": "Semantic"},
        "spec.versioning is immutable; make another ModelArtifact",
    ),
    (inline(), {"description": "better"}, "spec of a ModelVersion is immutable; apply another version instead"),
    (inline("metrics: {a: 1}"), {"metrics": {"a": 2}}, "spec of a ModelVersion is immutable"),
    (inline("metrics: {a: 1}"), {"metrics": None}, "spec of a ModelVersion is immutable"),
    (
        version(f"source: {{pushed: {{}}}}, digest: '{manifests.DIGEST}'"),
        {"digest": "sha256:" + "b" * 64},
        "spec of a ModelVersion is immutable",
    ),
    (
        session(base=f"user: kubernetes-admin, secretHash: '{manifests.HASH}'"),
        {"ttlSeconds": 86400},
        "spec of a TransferSession is immutable; create another session",
    ),
    (
        session(base=f"user: kubernetes-admin, secretHash: '{manifests.HASH}'"),
        {"user": "bob"},
        "spec of a TransferSession is immutable",
    ),
)


@pytest.mark.parametrize(("before", "change", "says"), FROZEN, ids=[f"{b['kind']} {list(c)}" for b, c, _ in FROZEN])
def test_immutable(api: Api, before: dict, change: dict, says: str):
    """What is immutable cannot be changed, added or taken away afterwards; labels can."""
    made = api.create(before)
    with refused(says):
        api.merge(before["kind"], made["metadata"]["name"], {"spec": change})
    api.merge(before["kind"], made["metadata"]["name"], {"metadata": {"labels": {"tag": "x"}}})


def test_a_digest_in_a_status_is_frozen(api: Api):
    """A version's status.digest is set once, and neither changed nor removed."""
    api.create(inline())
    for status in ({"digest": manifests.DIGEST}, {"digest": manifests.DIGEST, "fileCount": 1}):
        api.merge("ModelVersion", "mnist-v4", {"status": status}, subresource="/status")
    for digest in ("sha256:" + "b" * 64, None):
        with refused("digest is immutable once it is set"):
            api.merge("ModelVersion", "mnist-v4", {"status": {"digest": digest}}, subresource="/status")


def test_defaults(api: Api):
    """The API server writes the defaults out, so that what is read is what holds."""
    spec = api.create(deployment())["spec"]
    assert spec["delivery"] == "Load"
    assert spec["strategy"] == {"type": "Rolling"}
    assert spec["loader"] == {"mountPath": "/mnt/models"}
    assert spec["noProgressSeconds"] == 600
    assert "service" not in spec
    assert "replicas" not in spec


def test_server_side_selection(api: Api):
    """Versions are listed by artifact and digest on the server, deployments by model and alias."""
    for number in (1, 2):
        api.create(inline(name=f"mnist-v{number}", base=f"artifact: mnist, version: v{number}"))
    api.create(inline(name="cifar-v1", base="artifact: cifar, version: v1"))
    api.merge("ModelVersion", "mnist-v2", {"status": {"digest": manifests.DIGEST}}, subresource="/status")
    api.create(deployment(name="one"))
    api.create(deployment(name="two", base="model: digits, alias: staging"))
    assert api.names("ModelVersion", fieldSelector="spec.artifact=mnist") == ["mnist-v1", "mnist-v2"]
    assert api.names("ModelVersion", fieldSelector=f"status.digest={manifests.DIGEST}") == ["mnist-v2"]
    assert api.names("ModelDeployment", fieldSelector="spec.model=digits,spec.alias=staging") == ["two"]


def ready(message: str = "") -> list[dict]:
    from datetime import UTC, datetime

    now = datetime(2026, 1, 1, tzinfo=UTC)
    return set_condition([], type="Ready", status="True", reason="Served", message=message, generation=1, now=now)


def test_what_get_shows(api: Api, control_plane):
    """`kubectl get mdep` answers what is in production; the other kinds show what counts for them."""
    api.create(deployment())
    pin = {"version": "mnist-v4", "digest": manifests.DIGEST}
    status = {
        "observedGeneration": 1,
        "state": "Served",
        "serving": "mnist-v4",
        "served": [pin | {"revision": "digits-1", "readyReplicas": 2}],
        "readyReplicas": 2,
        "conditions": ready("digits:production is served by mnist-v4"),
    }
    api.merge("ModelDeployment", "digits", {"status": status}, subresource="/status")
    shown = control_plane.kubectl("get", "mdep", "-n", api.namespace).stdout.splitlines()
    assert shown[0].split() == ["NAME", "READY", "MODEL", "ALIAS", "SERVES", "PODS", "STATE", "AGE", "MESSAGE"]
    assert shown[1].split()[:7] == ["digits", "True", "digits", "production", "mnist-v4", "2", "Served"]
    assert shown[1].endswith("digits:production is served by mnist-v4")
    api.create(model("{aliases: {production: {version: mnist-v4}}}"))
    summary = {"observedGeneration": 1, "summary": "production=mnist-v4", "conditions": ready()}
    api.merge("RegisteredModel", "digits", {"status": summary}, subresource="/status")
    shown = control_plane.kubectl("get", "rmod", "-n", api.namespace).stdout.splitlines()
    assert shown[1].split()[:3] == ["digits", "True", "production=mnist-v4"]
    everything = control_plane.kubectl("get", "modelberth", "-n", api.namespace, "-o", "name").stdout.split()
    assert everything == ["modeldeployment.modelberth.io/digits", "registeredmodel.modelberth.io/digits"]


def test_wait(api: Api, control_plane):
    """`kubectl wait` works on Ready and on what an alias stands for."""
    api.create(model("{aliases: {production: {version: mnist-v4}}}"))
    waiting = ("wait", "rmod/digits", "-n", api.namespace, "--timeout=1s")
    assert control_plane.kubectl(*waiting, "--for=condition=Ready", check=False).returncode != 0
    status = {
        "observedGeneration": 1,
        "conditions": ready(),
        "aliases": {"production": {"desired": "mnist-v4", "current": "mnist-v4", "state": "Served"}},
    }
    api.merge("RegisteredModel", "digits", {"status": status}, subresource="/status")
    control_plane.kubectl(*waiting, "--for=condition=Ready")
    control_plane.kubectl(*waiting, "--for=jsonpath={.status.aliases.production.current}=mnist-v4")


def test_scale(api: Api, control_plane):
    """`kubectl scale` and autoscalers find replicas and selector where /scale says."""
    api.create(deployment())
    status = {"replicas": 1, "selector": "modelberth.io/deployment=digits"}
    api.merge("ModelDeployment", "digits", {"status": status}, subresource="/status")
    control_plane.kubectl("scale", "mdep/digits", "--replicas=3", "-n", api.namespace)
    scale = control_plane.kubectl(
        "get",
        "mdep/digits",
        "--subresource=scale",
        "-n",
        api.namespace,
        "-o=jsonpath={.spec.replicas} {.status.replicas} {.status.selector}",
    )
    assert scale.stdout == "3 1 modelberth.io/deployment=digits"


def test_a_misspelt_field_stops_kubectl(api: Api, control_plane):
    """`kubectl apply` refuses a field that does not exist, client-side and server-side."""
    manifest = yaml.safe_dump(model("{aliasses: {production: {version: mnist-v4}}}"))
    for way in ((), ("--server-side",)):
        done = control_plane.kubectl("apply", *way, "-n", api.namespace, "-f", "-", input=manifest, check=False)
        assert done.returncode != 0
        assert "aliasses" in done.stderr
        assert api.names("RegisteredModel") == []


def fields(schema: dict, path: str):
    """Every field that users meet, with its schema."""
    for name, field in schema.get("properties", {}).items():
        yield f"{path}.{name}", field
        below = field.get("items") or field.get("additionalProperties") or field
        yield from fields(below if isinstance(below, dict) else {}, f"{path}.{name}")


def test_every_field_explains_itself(admission: Api):
    """What `kubectl explain` reads has a description for every field of every kind."""
    document = admission.http.get("/openapi/v3/apis/modelberth.io/v1alpha1").json()
    seen = 0
    for kind in KINDS:
        schema = document["components"]["schemas"][f"io.modelberth.v1alpha1.{kind.name}"]
        assert schema["description"] == kind.description
        own = itertools.chain.from_iterable(
            fields(schema["properties"][part], f"{kind.name}.{part}") for part in ("spec", "status")
        )
        for path, field in own:
            seen += 1
            assert field.get("description"), f"{path} has no description"
    assert seen > 150


def test_explain(control_plane, admission: Api):
    """`kubectl explain` says what a field does, which values it takes and what it is by default."""
    text = " ".join(control_plane.kubectl("explain", "mdep.spec.strategy.type").stdout.split())
    assert "Rolling starts new pods beside the old ones" in text
    assert "ENUM: Rolling Recreate" in text
