"""Cuts secrets out of texts that people will read: log lines, events, and what a container said before it ended."""

import re

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
    """The text without bearer tokens, JSON web tokens, session secrets and the credentials of presigned URLs."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text
