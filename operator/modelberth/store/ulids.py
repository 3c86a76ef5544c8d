"""ULIDs: 48 bits of milliseconds and 80 random bits, in 26 digits of Crockford's base 32. They sort by time."""

import secrets
import time

_DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_SERIES_LENGTH = 16


def new_ulid(series: str = "") -> str:
    """One that was never given before, by nobody; of a series if given, whose digits it begins with."""
    number = (time.time_ns() // 1_000_000 & (1 << 48) - 1) << 80 | secrets.randbits(80)
    digits = "".join(_DIGITS[number >> shift & 31] for shift in range(125, -1, -5))
    return series + digits[len(series) :]


def new_series() -> str:
    """What all ULIDs of one series begin with: 10 digits of time and 6 random ones; 50 random bits are left to each."""
    return new_ulid()[:_SERIES_LENGTH]
