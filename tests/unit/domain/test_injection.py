"""The pod template as it runs."""

import copy

import pytest

from modelberth.api import names
from modelberth.domain.injection import Injection, render
from tests.unit.domain.builders import DIGEST_4, TEMPLATE


def _add(**more):
    facts = {
        "artifact": "mnist",
        "model": "digits",
        "alias": "production",
        "version": "mnist-v4",
        "digest": DIGEST_4,
        "size_bytes": 10 * 1024 * 1024 + 1,
        "revision": "web-1",
        "deployment": "web",
        "container": None,
        "mount_path": "/mnt/models",
        "loader_image": "modelberth:1",
        "resources": None,
    }
    return Injection(**{**facts, **more})


def test_the_users_template_is_not_changed():
    """Rendering works on a copy: the template is an object of the cache."""
    template = copy.deepcopy(TEMPLATE)
    render(template, _add())
    assert template == TEMPLATE


def test_the_loader_comes_first_and_alone_holds_the_token():
    """Users' init containers may want the model; nobody else may speak to the registry."""
    template = {"spec": {"containers": [{"name": "server"}, {"name": "side"}], "initContainers": [{"name": "mine"}]}}
    spec = render(template, _add())["spec"]
    assert [c["name"] for c in spec["initContainers"]] == ["modelberth-loader", "mine"]
    with_token = [
        c["name"]
        for c in spec["initContainers"] + spec["containers"]
        for mount in c.get("volumeMounts", ())
        if mount["name"] == names.VOLUME_TOKEN
    ]
    assert with_token == ["modelberth-loader"]


def test_the_loader_gets_artifact_and_digest_as_its_address():
    """What is loaded is pinned by digest: no name is resolved when a pod starts."""
    loader = render(TEMPLATE, _add())["spec"]["initContainers"][0]
    assert loader["args"] == ["load", f"mnist@{DIGEST_4}", "/mnt/modelberth/model"]


def test_the_server_sees_the_model_read_only():
    """A server that is broken into cannot change what the next start re-uses."""
    server = render(TEMPLATE, _add())["spec"]["containers"][0]
    assert server["volumeMounts"] == [
        {"name": "modelberth-model", "mountPath": "/mnt/models", "subPath": "model", "readOnly": True}
    ]
    assert {"name": "MODELBERTH_DIGEST", "value": DIGEST_4} in server["env"]


def test_sizes_come_from_the_tree():
    """11 MiB rounded up: the request holds the model once, the limit twice and some room."""
    spec = render(TEMPLATE, _add())["spec"]
    assert spec["initContainers"][0]["resources"]["requests"]["ephemeral-storage"] == "27Mi"
    assert spec["volumes"][0]["emptyDir"]["sizeLimit"] == "86Mi"


@pytest.mark.parametrize(("pod_user", "loader_user"), [(None, None), (1000, None), (0, 65532)])
def test_the_loader_meets_the_restricted_standard_in_any_pod(pod_user, loader_user):
    """Also beside a server that runs as root, where the pod's user must not reach the loader."""
    template = copy.deepcopy(TEMPLATE)
    if pod_user is not None:
        template["spec"]["securityContext"] = {"runAsUser": pod_user}
    context = render(template, _add())["spec"]["initContainers"][0]["securityContext"]
    assert context["runAsNonRoot"] is True
    assert context["allowPrivilegeEscalation"] is False
    assert context["capabilities"] == {"drop": ["ALL"]}
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert context.get("runAsUser") == loader_user


def test_a_chosen_termination_policy_is_the_users():
    """The default makes a crash's last lines visible; an explicit choice stays."""
    template = {"spec": {"containers": [{"name": "a"}, {"name": "b", "terminationMessagePolicy": "File"}]}}
    containers = render(template, _add())["spec"]["containers"]
    assert [c["terminationMessagePolicy"] for c in containers] == ["FallbackToLogsOnError", "File"]


def test_identity_stands_in_full_in_annotations_and_short_in_labels():
    """A full digest does not fit a label."""
    metadata = render(TEMPLATE, _add())["metadata"]
    assert metadata["annotations"][names.ANNOTATION_DIGEST] == DIGEST_4
    assert metadata["labels"][names.LABEL_DIGEST] == "4" * 12
    assert all(len(value) <= 63 for value in metadata["labels"].values())
