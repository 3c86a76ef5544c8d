"""The key of a run: equal for runs that would come to the same, and for no others."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelberth.domain.training.inputs import Data, Inputs
from modelberth.domain.training.keys import run_key
from modelberth.domain.training.template import settle
from tests.unit.domain.training.builders import INPUTS, pipeline_spec

OTHER = "sha256:" + "d" * 64
CHANGES = {
    "package": lambda inputs, fields: (replace(inputs, package_digest="sha256:" + "9" * 64), fields),
    "data": lambda inputs, fields: (replace(inputs, dataset=replace(inputs.dataset, digest=OTHER)), fields),
    "folder": lambda inputs, fields: (replace(inputs, dataset=replace(inputs.dataset, folder="test")), fields),
    "evaluation": lambda inputs, fields: (replace(inputs, evaluation=Data("housing-v0", OTHER)), fields),
    "image": lambda inputs, fields: (replace(inputs, image="python:4"), fields),
    "parameter": lambda inputs, fields: (inputs, {**fields, "environment": {"A": "other"}}),
    "secret": lambda inputs, fields: (inputs, {**fields, "secretEnvironment": {"S": {"name": "s", "key": "other"}}}),
}


@pytest.mark.parametrize("change", CHANGES)
def test_the_key_changes_with_what_decides_the_result(change):
    """Every input, parameter and place of a secret makes another key."""
    fields = {"environment": {"A": "1"}, "secretEnvironment": {"S": {"name": "s", "key": "k"}}}
    inputs, other = CHANGES[change](INPUTS, fields)
    assert run_key(INPUTS, settle(pipeline_spec(**fields))) != run_key(inputs, settle(pipeline_spec(**other)))


@given(st.sampled_from(["backoffLimit", "notes", "resources", "pod", "cache"]), st.permutations(["A", "B", "C"]))
def test_the_key_stays_with_all_else(field, order):
    """Names of versions, retries, resources and the order of parameters do not count."""
    more = {"backoffLimit": 3, "notes": "x", "resources": {"limits": {"cpu": 1}}, "pod": {}, "cache": False}[field]
    plain = settle(pipeline_spec(environment={"A": "A", "B": "B", "C": "C"}))
    other = settle(pipeline_spec(**{"environment": {name: name for name in order}, field: more}))
    inputs: Inputs = replace(INPUTS, package="renamed-1.0", base="1.7")
    assert run_key(INPUTS, plain) == run_key(inputs, other)
