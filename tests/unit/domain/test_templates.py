"""Faults of pod templates that only Modelberth can know of."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelberth.api.model_deployment import ModelDeploymentSpec
from modelberth.domain import workloads
from modelberth.domain.injection import render
from modelberth.domain.templates import faults, server_container
from tests.unit.domain.test_injection import _add


def _faults(spec, *, container=None, labels=None):
    template = {"metadata": {"labels": labels or {}}, "spec": spec}
    return list(faults(template, container=container, mount_path="/mnt/models", where="spec.template"))


def test_an_ordinary_template_has_no_faults():
    """What the user writes for any other Deployment works here."""
    assert _faults({"containers": [{"name": "server"}], "volumes": [{"name": "cache"}]}) == []


@pytest.mark.parametrize("spec", [{}, {"containers": []}, {"containers": None}])
def test_a_template_without_containers_is_refused(spec):
    """Nothing could serve the model."""
    assert _faults(spec) == [
        "spec.template.spec.containers: the template has no containers; give it the one that serves the model"
    ]


@pytest.mark.parametrize(
    ("spec", "labels", "words"),
    [
        ({"containers": [{"name": "modelberth-loader"}]}, {}, "spec.containers[0].name: modelberth-loader is reserved"),
        (
            {"containers": [{"name": "s"}], "initContainers": [{"name": "modelberth-loader"}]},
            {},
            "spec.initContainers[0].name: modelberth-loader is reserved",
        ),
        ({"containers": [{"name": "s"}], "volumes": [{"name": "modelberth-token"}]}, {}, "volumes[0].name"),
        ({"containers": [{"name": "s"}]}, {"modelberth.io/slot": "a"}, "metadata.labels: modelberth.io/slot"),
        ({"containers": [{"name": "s", "env": [{"name": "MODELBERTH_DIGEST"}]}]}, {}, ".env: MODELBERTH_DIGEST"),
        (
            {"containers": [{"name": "s", "volumeMounts": [{"name": "x", "mountPath": "/mnt/models/"}]}]},
            {},
            "volumeMounts: /mnt/models is where the model is mounted",
        ),
    ],
)
def test_what_collides_with_added_parts_is_named_with_its_field(spec, labels, words):
    """The message names field and mend."""
    found = _faults(spec, labels=labels)
    assert len(found) == 1
    assert words in found[0]


def test_an_unknown_container_lists_the_known_ones():
    """spec.container has to name one of the template's containers."""
    found = _faults({"containers": [{"name": "b"}, {"name": "a"}]}, container="c")
    assert found == ["spec.container: the template has no container c; it has a, b"]


def test_the_server_is_the_named_container_else_the_first():
    """As documented at spec.container."""
    template = {"spec": {"containers": [{"name": "a"}, {"name": "b"}]}}
    assert server_container(template, None) == {"name": "a"}
    assert server_container(template, "b") == {"name": "b"}


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ({"metadata": "web", "spec": {}}, "spec.template.metadata must be a map"),
        ({"metadata": {"labels": ["a"]}}, "spec.template.metadata.labels must be a map"),
        ({"spec": {"containers": {"a": "b"}}}, "spec.template.spec.containers must be a list"),
        ({"spec": {"containers": ["server"]}}, "spec.template.spec.containers[0] must be a map"),
        ({"spec": {"initContainers": [{}, 1]}}, "spec.template.spec.initContainers[1] must be a map"),
        ({"spec": {"securityContext": "none"}}, "spec.template.spec.securityContext must be a map"),
        ({"spec": {"containers": [{"ports": ["80"]}]}}, "spec.template.spec.containers[0].ports[0] must be a map"),
        (
            {"spec": {"containers": [{"ports": [{"name": "http"}]}]}},
            "spec.template.spec.containers[0].ports[0].containerPort must be a number",
        ),
        ({"spec": {"containers": [{"env": {"A": "b"}}]}}, "spec.template.spec.containers[0].env must be a list"),
    ],
    ids=json.dumps,
)
def test_what_is_no_template_is_refused_by_field(template, words):
    """Nothing can be added to it, so it is said before anything is tried."""
    (found,) = faults(template, container=None, mount_path="/mnt/models", where="spec.template")
    assert found == f"{words}; correct the template"


_FIELDS = st.sampled_from(
    [
        "metadata",
        "labels",
        "annotations",
        "spec",
        "containers",
        "initContainers",
        "volumes",
        "securityContext",
        "env",
        "volumeMounts",
        "ports",
        "containerPort",
        "name",
        "mountPath",
        "runAsUser",
    ]
)
_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 70000) | st.text(max_size=3),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(_FIELDS, below, max_size=4),
    max_leaves=12,
)
_CONTAINERS = st.lists(st.dictionaries(_FIELDS, _ANYTHING, max_size=4) | _ANYTHING, max_size=2)
_TEMPLATES = st.dictionaries(_FIELDS, _ANYTHING, max_size=3) | st.fixed_dictionaries(
    {"metadata": _ANYTHING, "spec": st.fixed_dictionaries({"containers": _CONTAINERS, "initContainers": _ANYTHING})}
)


@given(template=_TEMPLATES)
def test_whatever_a_user_writes_is_refused_or_rendered(template):
    """The API server takes any map for a template: each one ends in a sentence or in a Deployment and a Service."""
    if next(faults(template, container=None, mount_path="/mnt/models", where="spec.template"), None) is None:
        spec = ModelDeploymentSpec(model="digits", alias="production", template=template)
        rendered = render(template, _add())
        assert rendered["spec"]["initContainers"][0]["name"] == "modelberth-loader"
        owner = {"apiVersion": "a", "kind": "b", "metadata": {"name": "web", "namespace": "n", "uid": "u"}}
        workloads.service(owner, spec, rendered)
