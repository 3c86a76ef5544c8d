"""What is counted has few names, whatever pods say."""

from modelberth.domain.training import reasons
from modelberth.runtime.metrics import Metrics
from tests.unit.runtime.fakes import FakeClock


def test_a_runs_reason_of_its_own_makes_no_time_series():
    """Our words are labels, all others are counted together."""
    metrics = Metrics(clock=FakeClock())
    for reason in (reasons.BAD_OUTPUT, "UserException", "Succeeded", "X1", "X2"):
        metrics.runs.ended("Failed", reason)
    lines = [line for line in metrics.exposition().decode().splitlines() if line.startswith("modelberth_training_runs")]
    assert {line.split('reason="')[1].split('"')[0] for line in lines} == {
        "BadOutput",
        "UserException",
        "Succeeded",
        "Other",
    }
    assert next(line for line in lines if "Other" in line).endswith(" 2.0")
