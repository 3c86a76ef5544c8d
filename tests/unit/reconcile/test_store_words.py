"""What a refusal of the store means for a status."""

import pytest

from modelberth.domain.verdicts import Standing
from modelberth.reconcile.store_words import verdict_of
from modelberth.store.errors import NotFound, StoreDenied, StoreUnavailable, Tampered


@pytest.mark.parametrize(
    ("error", "reason", "standing", "words"),
    [
        (StoreUnavailable("timed out after 3.2 s"), "StoreUnavailable", Standing.UNKNOWN, "cannot be reached"),
        (StoreDenied("access denied"), "StoreDenied", Standing.UNKNOWN, "correct the credentials"),
        (Tampered("spaces/x/trees/ab", "not its digest"), "Tampered", Standing.STALLED, "spaces/x/trees/ab"),
        (NotFound("bucket models is missing"), "StoreFailed", Standing.UNKNOWN, "bucket models is missing"),
    ],
)
def test_each_refusal_has_its_reason_and_only_tampering_is_a_finding(error, reason, standing, words):
    """A store that is away says nothing about content; a forged record does, and is named."""
    verdict = verdict_of(error)
    assert (verdict.reason, verdict.standing) == (reason, standing)
    assert words in verdict.message


def test_a_lost_connection_reads_the_same_each_time():
    """Its own words differ from try to try, and a condition must not flap."""
    assert verdict_of(StoreUnavailable("after 1 s")) == verdict_of(StoreUnavailable("after 2 s"))
