"""Structured logs: one JSON object a line on stderr, and never a secret in it.

Redaction is the last thing that happens to a line, so it holds for every logger and every library: bearer tokens, JSON
web tokens, session secrets and the credentials in presigned URLs are cut out wherever they stand.
"""

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import Any, TextIO

from modelberth.domain.redaction import redacted

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """A record as one line of JSON: time, level, logger, message, what `extra` gave, and the traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, redacted."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line.update({name: value for name, value in vars(record).items() if name not in _STANDARD})
        if record.exc_info and record.exc_info[0] is not None:
            line["traceback"] = "".join(traceback.format_exception(*record.exc_info)).rstrip()
        return redacted(json.dumps(line, default=str, ensure_ascii=False))


def configure_logging(level: str, *, stream: TextIO | None = None) -> None:
    """Send every record of this process to stderr as JSON.

    Args:
        level: of our own records; libraries are heard from WARNING on, unless it is DEBUG.
        stream: instead of stderr.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level if level == "DEBUG" else logging.WARNING)
    logging.getLogger("modelberth").setLevel(level)
    logging.captureWarnings(capture=True)
