"""Where data comes from, where its run is there no more."""

import pytest

from modelberth.domain.training.origin import comes_from
from tests.unit.domain import builders as objects
from tests.unit.domain.training.test_start import Shelf


def nobody(run):
    """No run is there any more."""


@pytest.mark.parametrize(
    ("uid", "is_ours"), [(None, True), ("0f7c2a9b-1111-2222-3333-444455556666", True), ("step-" + "a" * 32, False)]
)
def test_a_step_is_no_run_whatever_it_is_called(uid, is_ours):
    """Only of a TrainingRun that was deleted does its name tell the pipeline; a daily ingestion is called like one."""
    version = objects.dataset_version("prices-v4")
    run = {"trainingRun": "prices-20261121", **({"uid": uid} if uid else {})}
    shelf = Shelf({**version, "spec": {**version["spec"], "lineage": {"run": run}}})
    assert comes_from("prices-v4", "prices", shelf, nobody) is is_ours
