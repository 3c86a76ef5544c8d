"""The machine that the numbers are of."""

import os
import platform
from datetime import UTC, datetime
from pathlib import Path


def describe() -> str:
    """Date, cores, memory, kernel, Python, in one line."""
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores ({_processor()}), {_memory_gib():.0f} GiB of memory, "
        f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
    )


def load_average() -> float:
    """Runnable processes over the last minute: above 0.5 somebody else is at work too."""
    return os.getloadavg()[0]


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


def _memory_gib() -> float:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1024**3
