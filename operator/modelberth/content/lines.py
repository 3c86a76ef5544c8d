"""Canonical lines: what the tree and the layout have in common.

A canonical text has one spelling. Readers rebuild each line from what they understood and demand the same bytes, so
two parsers can never read different things from one text.
"""

import re

from modelberth.content.errors import FormatError, TooLarge

MAX_NUMBER = 2**63 - 1

_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}")


def parse_number(text: str, where: str) -> int:
    """A plain decimal number without sign or leading zeros, at most 2^63 - 1.

    Raises:
        FormatError: another spelling, or too large.
    """
    if _NUMBER.fullmatch(text) is None or int(text) > MAX_NUMBER:
        raise FormatError(f"{where}: {text[:40]!a} is not a plain decimal number")
    return int(text)


class LineSplitter:
    """Complete lines out of pieces of any size; holds at most one unfinished line.

    Args:
        what: the name of the format, for messages.
        max_bytes: the limit of the whole text.
        max_line: the longest possible line, its newline included.
    """

    def __init__(self, what: str, *, max_bytes: int, max_line: int) -> None:
        self._what = what
        self._max_bytes = max_bytes
        self._max_line = max_line
        self._seen = 0
        self._rest: list[bytes] = []  # pieces of the unfinished line: joined once, however small the pieces are
        self._rest_size = 0

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that `data` completes, without their newlines.

        Raises:
            TooLarge: the text or one line is over its limit.
        """
        self._seen += len(data)
        if self._seen > self._max_bytes:
            raise TooLarge(f"{self._what}: more than {self._max_bytes} bytes")
        first, newline, others = data.partition(b"\n")
        self._rest.append(first)
        self._rest_size += len(first)
        if self._rest_size >= self._max_line:
            raise TooLarge(f"{self._what}: a line of more than {self._max_line} bytes")
        if not newline:
            return []
        lines = [b"".join(self._rest), *others.split(b"\n")]
        self._rest = [lines.pop()]
        self._rest_size = len(self._rest[0])
        return lines

    def close(self) -> None:
        """Say that the text ends here.

        Raises:
            FormatError: the last line has no newline.
        """
        if self._rest_size:
            raise FormatError(f"{self._what}: the last line is cut off (no newline)")
