"""What the chart makes of its values."""

import re

import pytest

from .conftest import HelmError, Object, Render, of_kind, pod_specs

STORE = "s3.endpoint=https://store.example.org:9000"
TRY_OUT = "minio.enabled=true"


@pytest.fixture
def try_out(render: Render) -> list[Object]:
    return render(TRY_OUT)


def test_the_stores_address_is_the_only_value_needed(render: Render) -> None:
    """With s3.endpoint alone, operator and registry are made, and read their keys from the Secret modelberth-s3."""
    objects = render(STORE)
    assert set(of_kind(objects, "Deployment")) == {"modelberth-operator", "modelberth-registry"}
    for name in ("modelberth-operator", "modelberth-registry"):
        volumes = {volume["name"]: volume for volume in pod_specs(objects)[name]["volumes"]}
        assert volumes["store"]["secret"]["secretName"] == "modelberth-s3"
    assert "Secret" not in {found["kind"] for found in objects}


def test_a_missing_address_names_the_value_and_the_mend(render: Render) -> None:
    """Without any value the message tells what to set."""
    with pytest.raises(HelmError, match=r"s3\.endpoint: set the store's URL.*or minio\.enabled=true"):
        render()


def test_two_stores_are_refused(render: Render) -> None:
    """A store's address beside minio.enabled is an error, not a silent choice."""
    with pytest.raises(HelmError, match=r"s3\.endpoint: leave it empty with minio\.enabled=true"):
        render(TRY_OUT, STORE)


@pytest.mark.parametrize(
    "value",
    [
        "bogus=1",
        "s3.bogus=1",
        "operator.bogus=1",
        "registry.service.bogus=1",
        "minio.image.bogus=1",
        "crds.bogus=1",
        "metrics.serviceMonitor.bogus=1",
        "operator.resources.bogus=1",
        "operator.replicas=two",
        "image.digest=sha256:abc",
        "image.pullPolicy=Sometimes",
        "s3.endpoint=store.example.org",
        "s3.endpoint=https://user:secret@store.example.org",
        "s3.bucket=No_Bucket",
        "operator.logLevel=loud",
        "operator.watchNamespaces={Upper}",
    ],
)
def test_a_misspelt_or_impossible_value_is_refused(render: Render, value: str) -> None:
    """The schema lets nothing through that the chart would ignore or misunderstand."""
    with pytest.raises(HelmError, match=r"values don't meet the specifications"):
        render(STORE, value)


def test_every_pod_meets_the_restricted_standard(try_out: list[Object]) -> None:
    """All pods of the chart, MinIO and the test included, may run in a namespace that enforces `restricted`."""
    specs = pod_specs(try_out)
    assert {"modelberth-operator", "modelberth-registry", "modelberth-minio", "modelberth-test"} <= set(specs)
    for name, spec in specs.items():
        assert spec["securityContext"]["runAsNonRoot"] is True, name
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        for container in [*spec.get("initContainers", []), *spec["containers"]]:
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False, name
            assert context["capabilities"] == {"drop": ["ALL"]}, name
            assert context["readOnlyRootFilesystem"] is True, name
        assert not any("hostPath" in volume for volume in spec["volumes"]), name


def test_keys_reach_only_those_who_use_the_store(try_out: list[Object]) -> None:
    """The store's keys are files of operator, registry and the bootstrap; no pod has a key in its environment."""
    with_keys = set()
    for name, spec in pod_specs(try_out).items():
        secrets = {volume["secret"]["secretName"] for volume in spec["volumes"] if "secret" in volume}
        if "modelberth-store" in secrets:
            with_keys.add(re.sub(r"-[0-9a-f]{8}$", "", name))
        for container in spec["containers"]:
            assert not any("secretKeyRef" in entry.get("valueFrom", {}) for entry in container.get("env", [])), name
            assert "envFrom" not in container, name
    assert with_keys == {"modelberth-operator", "modelberth-registry", "modelberth-minio-bootstrap"}


def test_keys_given_as_values_become_a_secret(render: Render) -> None:
    """s3.accessKey makes the Secret, and without s3.secretKey the message names it."""
    objects = render(STORE, "s3.accessKey=AK", "s3.secretKey=SK")
    assert of_kind(objects, "Secret")["modelberth-store"]["stringData"] == {"accessKey": "AK", "secretKey": "SK"}
    with pytest.raises(HelmError, match=r"s3\.secretKey: set it along with s3\.accessKey"):
        render(STORE, "s3.accessKey=AK")


@pytest.mark.parametrize(("replicas", "budgets"), [(1, set()), (2, {"modelberth-operator"})])
def test_a_disruption_budget_needs_a_second_replica(render: Render, replicas: int, budgets: set[str]) -> None:
    """With one replica a budget would only block the node's drain."""
    objects = render(STORE, f"operator.replicas={replicas}", "registry.replicas=1")
    assert set(of_kind(objects, "PodDisruptionBudget")) == budgets


def test_no_rule_has_a_wildcard(try_out: list[Object]) -> None:
    """Every right is named: groups, resources and verbs."""
    roles = [found for found in try_out if found["kind"] in {"Role", "ClusterRole"}]
    assert roles
    for role in roles:
        for rule in role["rules"]:
            assert "*" not in rule["apiGroups"] + rule["resources"] + rule["verbs"], role["metadata"]["name"]


def test_no_part_reads_secrets_outside_of_its_namespace(try_out: list[Object]) -> None:
    """Secrets appear in the operator's own namespace only, and there by name except for making them."""
    for role in of_kind(try_out, "ClusterRole").values():
        assert not any("secrets" in rule["resources"] for rule in role["rules"]), role["metadata"]["name"]
    for role in of_kind(try_out, "Role").values():
        for rule in role["rules"]:
            if "secrets" in rule["resources"] and rule["verbs"] != ["create"]:
                assert rule["resourceNames"] == ["modelberth-ca", "modelberth-registry-tls"]


def test_the_registry_writes_nothing_in_the_cluster(try_out: list[Object]) -> None:
    """Its rights are to read, and to ask for reviews."""
    roles = of_kind(try_out, "ClusterRole")
    for name in ("modelberth-registry", "modelberth-registry-cluster"):
        for rule in roles[name]["rules"]:
            if rule["verbs"] != ["get"]:
                assert rule == {**rule, "verbs": ["create"]}, rule
                assert rule["resources"] in (["tokenreviews"], ["subjectaccessreviews"])


def test_watched_namespaces_limit_the_rights(render: Render) -> None:
    """With operator.watchNamespaces operator and registry are bound there, and cluster-wide only to their lookups."""
    objects = render(STORE, "operator.watchNamespaces={team-a,team-b}")
    bound = {
        (found["metadata"]["namespace"], found["roleRef"]["name"])
        for found in objects
        if found["kind"] == "RoleBinding" and found["metadata"]["name"].endswith("-watched")
    }
    parts = ("modelberth-operator", "modelberth-registry")
    assert bound == {(namespace, part) for namespace in ("team-a", "team-b") for part in parts}
    assert not set(of_kind(objects, "ClusterRoleBinding")) & set(parts)
    # The registry asks for this right in the whole cluster before it tells how far loaders are.
    assert {
        "apiGroups": ["modelberth.io"],
        "resources": ["modeldeployments/status"],
        "verbs": ["get"],
    } in of_kind(objects, "ClusterRole")["modelberth-operator-cluster"]["rules"]
    operator = pod_specs(objects)["modelberth-operator"]["containers"][0]
    settings = {entry["name"]: entry.get("value") for entry in operator["env"]}
    assert settings["MODELBERTH_WATCH_NAMESPACES"] == "team-a,team-b"


def test_pods_read_versions_and_not_what_runs_left(try_out: list[Object]) -> None:
    """What every pod of a namespace may read by the group: no log and no artifact of a training run."""
    binding = of_kind(try_out, "ClusterRoleBinding")["modelberth-namespace-pods"]
    role = of_kind(try_out, "ClusterRole")[binding["roleRef"]["name"]]
    [rule] = role["rules"]
    assert (rule["resources"], rule["verbs"]) == (["modelversions/content", "datasetversions/content"], ["get"])


def test_definitions_stay_by_default(render: Render) -> None:
    """Uninstalling leaves the definitions, and so everybody's objects, unless one asks for the contrary."""
    policy = "helm.sh/resource-policy"
    for definition in of_kind(render(STORE), "CustomResourceDefinition").values():
        assert definition["metadata"]["annotations"][policy] == "keep"
    for definition in of_kind(render(STORE, "crds.keep=false"), "CustomResourceDefinition").values():
        assert policy not in definition["metadata"].get("annotations", {})
    assert not of_kind(render(STORE, "crds.enabled=false"), "CustomResourceDefinition")


def test_a_digest_takes_precedence_over_a_tag(render: Render) -> None:
    """Operator, registry and the loader that users' pods get then all name the digest."""
    digest = "sha256:" + "0" * 64
    objects = render(STORE, "image.repository=example.org/modelberth", "image.tag=v9", f"image.digest={digest}")
    operator = pod_specs(objects)["modelberth-operator"]["containers"][0]
    settings = {entry["name"]: entry.get("value") for entry in operator["env"]}
    assert operator["image"] == f"example.org/modelberth@{digest}"
    assert settings["MODELBERTH_LOADER_IMAGE"] == f"example.org/modelberth@{digest}"


def test_extras_are_made_when_asked_for(render: Render) -> None:
    """NetworkPolicies, ServiceMonitors and a CA bundle appear with their values, and not without."""
    plain = {found["kind"] for found in render(STORE)}
    assert not {"NetworkPolicy", "ServiceMonitor", "ConfigMap"} & (plain - {"ConfigMap"})
    certificate = "-----BEGIN CERTIFICATE-----"
    asked = render(
        STORE, "networkPolicy.enabled=true", "metrics.serviceMonitor.enabled=true", f"s3.caBundle={certificate}"
    )
    assert set(of_kind(asked, "NetworkPolicy")) == {"modelberth-operator", "modelberth-registry"}
    assert set(of_kind(asked, "ServiceMonitor")) == {"modelberth-operator", "modelberth-registry"}
    assert of_kind(asked, "ConfigMap")["modelberth-store-ca"]["data"]["ca.crt"] == certificate


def test_no_pod_takes_service_links_for_settings(try_out: list[Object]) -> None:
    """The cluster would set MODELBERTH_REGISTRY_PORT=tcp://… for the Service, which reads like a setting."""
    assert all(spec["enableServiceLinks"] is False for spec in pod_specs(try_out).values())
