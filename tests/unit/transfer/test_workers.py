"""Threads that share the work."""

import pytest

from modelberth.transfer.workers import for_each


class TestWorkers:
    """Threads that share out work."""

    def test_every_item_is_worked_on_once(self):
        """Whatever the number of threads."""
        done = []
        for_each(range(1000), done.append, workers=7)
        assert sorted(done) == list(range(1000))

    def test_the_first_error_stops_the_others(self):
        """No new item is begun, and the error is the caller's."""
        done = []

        def work(item):
            if item == 5:
                raise ValueError("five")
            done.append(item)

        with pytest.raises(ValueError, match="five"):
            for_each(range(1_000_000), work, workers=3)
        assert len(done) < 1_000_000

    def test_an_error_in_drawing_is_raised_too(self):
        """Items may come from requests that fail."""

        def items():
            yield 1
            raise OSError("no more")

        with pytest.raises(OSError, match="no more"):
            for_each(items(), lambda item: None, workers=4)
