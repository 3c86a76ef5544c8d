"""Times, in one form wherever they come from."""

import pytest

from modelberth.cli.times import time_text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("2026-11-21T09:00:00Z", "2026-11-21T09:00:00Z"),
        ("2026-11-21T10:00:00.987654+01:00", "2026-11-21T09:00:00Z"),
        ("2026-11-21", "2026-11-21T00:00:00Z"),
        ("", ""),
        (None, ""),
        ("yesterday", "yesterday"),
    ],
)
def test_utc_to_the_second(text, shown):
    """Fractions and offsets go; what is no time stays as it is."""
    assert time_text(text) == shown
