"""Times as every command shows them: UTC, to the second, with `Z`."""

from modelberth.lineage.timeline import utc_second


def time_text(text: str | None) -> str:
    """An RFC 3339 time in the one form, such as 2026-11-21T09:00:00Z; nothing for nothing.

    What is no time is shown as it is: it is somebody else's to refuse.
    """
    try:
        return utc_second(text) if text else ""
    except ValueError:
        return str(text)
