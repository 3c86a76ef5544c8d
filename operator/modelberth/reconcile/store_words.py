"""What a refusal of the store means for a status: its reason, its words, and who can mend it."""

from modelberth.domain.verdicts import Standing, Verdict
from modelberth.store.errors import StoreDenied, StoreError, StoreUnavailable, Tampered

RETRY_SECONDS = 10.0
"""Seconds until the store is asked again, whatever it said: its mending makes no event."""


def verdict_of(error: StoreError) -> Verdict:
    """The verdict on what needed the store. Only `Tampered` is a finding about the content; all else is unknown."""
    if isinstance(error, StoreUnavailable):
        # The words of a lost connection differ from try to try, and a condition must not flap.
        return _unknown("StoreUnavailable", "the store cannot be reached; it is asked again until it answers")
    if isinstance(error, StoreDenied):
        return _unknown("StoreDenied", f"{error}: correct the credentials or the policy of the store's account")
    if isinstance(error, Tampered):
        return Verdict("Blocked", Standing.STALLED, "Tampered", str(error))
    return _unknown("StoreFailed", str(error))


def _unknown(reason: str, message: str) -> Verdict:
    return Verdict("Waiting", Standing.UNKNOWN, reason, message)
