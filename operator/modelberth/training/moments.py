"""Moments as Kubernetes reads them: the `date-time` of its schemas, which is narrower than what Python takes."""

import re
from datetime import datetime

_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})")


def is_moment(text: str) -> bool:
    """Whether this is a moment by RFC 3339, with its zone, that a status can hold."""
    if not _MOMENT.fullmatch(text):
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:  # a thirteenth month
        return False
    return True
