"""The demo's own arithmetic; the demo as a whole is run by `make demo`."""

import pytest
import yaml

from demo.main import ALIAS, EXAMPLES, MODEL
from demo.models import ARTIFACT
from demo.traffic import Count


def test_counts_answers_by_version_and_every_failure() -> None:
    """Accuracy is right answers over answers of that version; failures count as sent and failed."""
    count = Count()
    for right in (True, True, False):
        count.add({"at": 10.0, "version": "a-v0", "right": right, "seconds": 0.5})
    count.add({"at": 12.0, "version": "a-v1", "right": True, "seconds": 0.25})
    count.add({"at": 13.0, "error": "ConnectionResetError: peer"})
    assert count.sent == 5
    assert count.versions["a-v0"].accuracy == pytest.approx(2 / 3)
    assert count.first_answer == {"a-v0": 10.5, "a-v1": 12.25}
    assert count.errors == ["ConnectionResetError: peer"]


def test_the_example_is_what_the_demo_edits() -> None:
    """The model of examples/quickstart has the alias and the one line that the demo changes."""
    model = yaml.safe_load((EXAMPLES / "model.yaml").read_text())
    deployment = yaml.safe_load((EXAMPLES / "deployment.yaml").read_text())
    assert model["metadata"]["name"] == deployment["spec"]["model"] == MODEL
    assert model["spec"]["aliases"] == {ALIAS: {"version": f"{ARTIFACT}-v0"}}
    assert deployment["spec"]["alias"] == ALIAS
