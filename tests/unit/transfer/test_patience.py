"""Trying again: what for, how long, and when not."""

import pytest

from modelberth.transfer.errors import HttpFailure, Unreachable
from modelberth.transfer.patience import Patience, Waits


class TestPatience:
    """When to try again, and when not."""

    def failing(self, *errors):
        """An attempt that raises each error once and then returns; the pauses that were made."""
        left, pauses = list(errors), []

        def attempt():
            if left:
                raise left.pop(0)
            return "done"

        return attempt, pauses, Patience(seconds=60, sleep=pauses.append)

    def test_passing_trouble_is_tried_again_with_growing_pauses(self):
        """Connections and busy servers; the pauses double up to their limit."""
        attempt, pauses, patience = self.failing(*[Unreachable("there", "gone")] * 3, HttpFailure("there", 503))
        assert patience.run(attempt) == "done"
        assert len(pauses) == 4
        assert all(0.5 * base <= pause <= 1.5 * base for pause, base in zip(pauses, (0.2, 0.4, 0.8, 1.6), strict=True))

    def test_what_the_server_asks_for_is_waited(self):
        """Retry-After counts."""
        attempt, pauses, patience = self.failing(HttpFailure("there", 429, retry_after=7.0))
        patience.run(attempt)
        assert pauses == [7.0]

    @pytest.mark.parametrize(
        ("status", "code"),
        [*((status, "") for status in (400, 401, 403, 404, 409, 412, 413, 422, 501)), (500, "Tampered")],
    )
    def test_what_will_not_pass_is_raised_at_once(self, status, code):
        """A refusal stays a refusal, and what was tampered with stays so."""
        attempt, pauses, patience = self.failing(HttpFailure("there", status, code=code))
        with pytest.raises(HttpFailure):
            patience.run(attempt)
        assert pauses == []

    def test_patience_ends(self):
        """After a minute of nothing but failures the last one is raised."""
        pauses = []
        patience = Patience(seconds=60, sleep=pauses.append)

        def attempt():
            raise Unreachable("there", "gone")

        with pytest.raises(Unreachable):
            patience.run(attempt)
        assert 55 <= sum(pauses) <= 80

    def test_waiting_for_long_is_told_once(self):
        """Somebody who looks on learns why nothing happens; a hiccup is not worth a word."""
        told = []
        attempt, _, _ = self.failing(*[Unreachable("there", "gone")] * 9)
        patience = Patience(seconds=600, sleep=lambda _: None, notice=told.append)
        patience.run(attempt)
        assert [str(error) for error in told] == ["there: gone"]
        attempt, _, _ = self.failing(*[Unreachable("there", "gone")] * 3)
        patience.run(attempt)
        assert len(told) == 1

    def test_progress_begins_patience_anew(self):
        """A slow line that moves is never given up."""
        pauses = []
        waits = Waits(Patience(seconds=10, sleep=pauses.append))
        for _ in range(100):
            waits.after(Unreachable("there", "gone"))
            waits.succeeded()
        assert sum(pauses) > 10
