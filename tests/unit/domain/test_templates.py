"""Faults of pod templates that only Modelberth can know of."""

import pytest

from modelberth.domain.templates import faults, server_container


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
