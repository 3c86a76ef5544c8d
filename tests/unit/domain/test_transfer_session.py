"""How long a session lasts."""

from datetime import UTC, datetime

from modelberth.domain.transfer_session import expires_at, status_of
from tests.unit.domain.builders import NOW


def _session(**spec):
    metadata = {
        "name": "s",
        "namespace": "shop",
        "uid": "u",
        "creationTimestamp": "2026-03-03T14:00:00Z",
        "generation": 1,
    }
    return {"apiVersion": "modelberth.io/v1alpha1", "kind": "TransferSession", "metadata": metadata, "spec": spec}


def test_a_session_lasts_as_long_as_its_spec_says_from_its_creation():
    """Counted from the time that the API server set, not from when somebody looked; an hour where nothing is said."""
    assert expires_at(_session(ttlSeconds=600)) == datetime(2026, 3, 3, 14, 10, tzinfo=UTC)
    assert expires_at(_session()) == datetime(2026, 3, 3, 15, 0, tzinfo=UTC)


def test_an_open_session_says_until_when():
    """For people who look at it."""
    status = status_of(_session(ttlSeconds=600), now=NOW)
    assert status["expiresAt"] == "2026-03-03T14:10:00Z"
    assert status["conditions"][0]["message"] == "open until 2026-03-03T14:10:00Z"
