"""What a run executes: the pipeline's template with the run's parameters on top, as it is recorded and read again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelberth.api.training_run import TrainingRunSpec
from modelberth.domain.training import template
from modelberth.domain.training.keys import run_key
from modelberth.domain.training.template import TemplateError, effective, settle
from tests.unit.domain.training.builders import INPUTS, SPEC, pipeline_spec


def test_a_runs_parameters_are_over_the_templates():
    """A parameter of the run replaces the template's, a Secret's value included; cache likewise."""
    base = pipeline_spec(environment={"A": "1", "B": "1"}, secretEnvironment={"T": {"name": "s", "key": "k"}})
    one = TrainingRunSpec(pipeline="fed", environment={"B": "2", "T": "mine"}, cache=False)
    settled = settle(effective(one, base))
    assert settled.parameters == {
        "A": "1",
        "B": "2",
        "T": "mine",
        "artifacts_directory": "artifacts",
        "save_training_data": "false",
    }
    assert settled.secrets == {}
    assert settled.template.cache is False


def test_the_two_own_variables_may_be_parameters():
    """artifacts_directory and save_training_data given as parameters are what the fields would be."""
    settled = settle(pipeline_spec(environment={"artifacts_directory": "out", "save_training_data": "true"}))
    assert (settled.artifacts_directory, settled.save_training_data) == ("out", True)


TEMPLATES = st.fixed_dictionaries(
    {},
    optional={
        "environment": st.dictionaries(st.sampled_from(["A", "B", "RATE"]), st.text(max_size=5), max_size=3),
        "secretEnvironment": st.dictionaries(
            st.sampled_from(["S", "T"]), st.just({"name": "s", "key": "k"}), max_size=2
        ),
        "backoffLimit": st.integers(0, 20),
        "artifactsDirectory": st.sampled_from(["artifacts", "a/b"]),
        "resources": st.just({"limits": {"nvidia.com/gpu": 1}}),
        "pod": st.just({"tolerations": [{"operator": "Exists"}], "labels": {"queue": "a"}}),
        "storage": st.just({"sizeLimit": "1Gi"}),
        "activeDeadlineSeconds": st.integers(1, 100),
    },
)


@given(TEMPLATES)
def test_what_is_recorded_is_read_again(fields):
    """The template that a status keeps means the same when it is read, and is one that a run may be given."""
    settled = settle(effective(TrainingRunSpec(pipeline="fed"), pipeline_spec(**fields)))
    kept = template.recorded(settled, package="price-1.0", dataset=INPUTS.dataset.reference(), evaluation=None)
    again = template.from_record(kept)
    assert (again.parameters, again.secrets) == (settled.parameters, settled.secrets)
    assert run_key(INPUTS, again) == run_key(INPUTS, settled)
    TrainingRunSpec.model_validate({"template": kept})


def test_a_record_that_cannot_be_read_is_told():
    """A status of another operator is an error with a name, not a crash."""
    with pytest.raises(TemplateError, match=r"status\.template: future"):
        template.from_record({**SPEC, "future": 1})
