"""Structured logs: one JSON object a line on stderr, and never a secret in it.

Redaction is the last thing that happens to a line, so it holds for every logger and every library: bearer tokens, JSON
web tokens, session secrets and the credentials in presigned URLs are cut out wherever they stand.
"""

import json
import logging
import re
import sys
import traceback
from datetime import UTC, datetime
from typing import Any, TextIO

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_CUT = "[cut]"
_SECRETS = (
    # JSON web tokens, also cut short: three base64url parts, of which the first two are JSON objects
    (re.compile(r"eyJ[\w-]{8,}\.eyJ[\w-]{8,}(?:\.[\w-]*)?"), _CUT),
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{6,}"), rf"\1 {_CUT}"),
    (re.compile(r"(?i)(modelberth-session[\"']?\s*[:=]\s*[\"']?)[^\s\"',}]+"), rf"\1{_CUT}"),
    # the query of a presigned URL: signature, credential, session token
    (re.compile(r"(?i)\b(x-amz-(?:signature|credential|security-token))(=|%3D)[^\s&\"'<>\\]+"), rf"\1\2{_CUT}"),
)


def redacted(text: str) -> str:
    """The text without what nobody may read in a log."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


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
