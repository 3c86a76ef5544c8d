"""The three conditions that tell `kubectl wait`, Flux and Argo CD how things stand."""

from datetime import timedelta

import pytest

from modelberth.domain.verdicts import Standing, Verdict, summarise
from tests.unit.domain.builders import NOW


def _said(standing, message="why"):
    return Verdict("State", standing, "Reason", message)


@pytest.mark.parametrize(
    ("standing", "told"),
    [
        (Standing.READY, {"Ready": "True"}),
        (Standing.WORKING, {"Ready": "False", "Reconciling": "True"}),
        (Standing.UNKNOWN, {"Ready": "Unknown", "Reconciling": "True"}),
        (Standing.STALLED, {"Ready": "False", "Stalled": "True"}),
    ],
)
def test_each_standing_has_its_conditions_and_no_others(standing, told):
    """Kstatus reads Reconciling=True as InProgress and Stalled=True as Failed, so they are there only while they hold."""
    conditions = summarise([], _said(standing), generation=3, now=NOW)
    assert {entry["type"]: entry["status"] for entry in conditions} == told
    assert {entry["observedGeneration"] for entry in conditions} == {3}


def test_a_later_look_at_the_same_changes_nothing():
    """No write comes of it."""
    first = summarise([], _said(Standing.STALLED), generation=3, now=NOW)
    assert summarise(first, _said(Standing.STALLED), generation=3, now=NOW + timedelta(hours=1)) == first


def test_what_others_said_stays():
    """Conditions of other types are not ours to remove."""
    other = {"type": "Stored", "status": "True", "reason": "Stored", "message": "", "lastTransitionTime": "x"}
    assert other in summarise([other], _said(Standing.READY), generation=1, now=NOW)
