"""How the harness says that a program ended, read with doubt: the program could write to the same folder."""

import math
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from modelberth.training import HARNESS_REASONS
from modelberth.training.moments import is_moment

MAX_MESSAGE = 2048
_MAX_LINE = 2000
_MAX_LINES = 100
_MAX_PHASES = 16
_MAX_METRICS = 256
_MAX_PACKAGES = 5000
_REASON = re.compile(r"[A-Z][A-Za-z0-9]{0,62}")
_PHASE = re.compile(r"[A-Z][A-Za-z]{0,31}")


@dataclass(frozen=True, slots=True)
class Phase:
    """A phase: its name, when it began (RFC 3339), how many seconds it took, how many bytes were moved."""

    name: str
    started_at: str
    seconds: float
    bytes: int = 0

    def document(self) -> dict[str, Any]:
        """As the registry takes it."""
        return {"name": self.name, "startedAt": self.started_at, "seconds": self.seconds, "bytes": self.bytes}


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the program ended.

    Attributes:
        reason: empty for a success.
        message: a sentence.
        traceback: its last lines.
        metrics: what was measured.
        phases: what the harness has been through.
        python: the version that ran.
        packages: versions by distribution.
        saved: whether save() left something.
    """

    reason: str
    message: str
    traceback: tuple[str, ...] = ()
    metrics: Mapping[str, float] = field(default_factory=dict)
    phases: tuple[Phase, ...] = ()
    python: str = ""
    packages: Mapping[str, str] = field(default_factory=dict)
    saved: bool = False

    @property
    def succeeded(self) -> bool:
        """Whether a version can be made of it."""
        return not self.reason


DIED = Outcome(
    "Killed",
    "the program's container ended without saying how; its status in the pod may tell more (out of memory, evicted)",
)
FORGED = Outcome(
    "UserException",
    "the program has written over what its harness keeps in the folder run, so that nobody knows how it ended: "
    "write into the working directory only",
)


def parse_outcome(document: Mapping[str, Any]) -> Outcome:
    """What an outcome.json says; one that is not in its form is that of a program that has destroyed it."""
    if not document:
        return DIED
    reason = str(document.get("reason") or "")
    if document.get("status") != "Succeeded" and not _REASON.fullmatch(reason):
        return DIED
    known = reason if reason in HARNESS_REASONS else "UserException"
    metrics = {
        clean(name)[:128]: number
        for name, value in _mapping(document.get("metrics"))[:_MAX_METRICS]
        if (number := _finite(value)) is not None
    }
    packages = _mapping(document.get("packages"))[:_MAX_PACKAGES]
    return Outcome(
        reason="" if document.get("status") == "Succeeded" else known,
        message=clean(document.get("message"))[:MAX_MESSAGE],
        traceback=clean_lines(document.get("traceback")),
        metrics=metrics,
        phases=parse_phases(document.get("phases")),
        python=clean(document.get("python"))[:64],
        packages={clean(name)[:256] or "?": clean(version)[:256] for name, version in packages},
        saved=document.get("saved") is True,
    )


def parse_phases(value: Any) -> tuple[Phase, ...]:
    """The phases of a file; what is none is left away, and what began at no moment: no status could hold it."""
    found = []
    for item in value if isinstance(value, list) else ():
        fields = item if isinstance(item, dict) else {}
        seconds, size = fields.get("seconds"), fields.get("bytes", 0)
        name, began = _text(fields.get("name")), _text(fields.get("startedAt"))
        is_phase = _PHASE.fullmatch(name) is not None and is_moment(began)
        if is_phase and isinstance(seconds, int | float) and isinstance(size, int):
            bounded = min(max(0.0, _finite(seconds) or 0.0), 2.0**30)
            found.append(Phase(name, began, bounded, min(max(0, size), 2**62)))
    return tuple(found[:_MAX_PHASES])


def clean_lines(value: Any) -> tuple[str, ...]:
    """Lines for people: the last hundred, none too long, nothing in them that a terminal would obey."""
    lines: Iterable[Any] = value if isinstance(value, list | tuple) else ()
    return tuple(clean(line)[:_MAX_LINE] for line in lines)[-_MAX_LINES:]


def clean(value: Any) -> str:
    """A text without control characters (but tabs and line ends) and without halves of characters."""
    text = _text(value)
    if text.isascii() and text.isprintable():
        return text
    text = text.encode("utf-8", "replace").decode()
    return "".join("\ufffd" if unicodedata.category(c) == "Cc" and c not in "\n\t" else c for c in text)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _finite(value: Any) -> float | None:
    """A number that JSON can hold; None for all else, integers beyond every float among it."""
    try:
        number = float(value) if isinstance(value, int | float) else math.nan
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _mapping(value: Any) -> list[tuple[str, Any]]:
    return [(name, item) for name, item in value.items() if name] if isinstance(value, dict) else []
