"""How long a run's report may be: what of it goes first, where it is too long for the registry."""

import json
from typing import Any, Final

MAX_REPORT_BYTES: Final = 900 * 1024
"""The registry takes a mebibyte."""
_SHRINKING: Final = (("filePaths", 10), ("packages", 0), ("logTail", 10), ("traceback", 10), ("metrics", 0))
"""What goes, in this order, and how many entries of it stay; so many, at their longest, fit."""
_LAST_COUNT: Final = frozenset({"logTail", "traceback"})


def shortened(report: dict[str, Any]) -> dict[str, Any]:
    """The report, so short that the registry takes it.

    Lists are halved, one after the other, and only as far as needed: artifacts, libraries, the log's end, the
    traceback, metrics. Of the log and the traceback the end stays.
    """
    for name, least in _SHRINKING:
        while len(report[name]) > least and _size(report) > MAX_REPORT_BYTES:
            report = {**report, name: _part(report[name], max(least, len(report[name]) // 2), ends=name in _LAST_COUNT)}
    assert _size(report) <= MAX_REPORT_BYTES, "a report without lists is too long"  # noqa: S101 - each line is bounded
    return report


def _part(entries: Any, count: int, *, ends: bool) -> Any:
    if isinstance(entries, dict):
        return dict([*entries.items()][:count])
    return entries[len(entries) - count :] if ends else entries[:count]


def _size(report: dict[str, Any]) -> int:
    """As it is sent."""
    return len(json.dumps(report, ensure_ascii=False).encode())
