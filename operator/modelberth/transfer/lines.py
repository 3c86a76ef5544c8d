"""A text of many lines on its way into a request."""

from collections.abc import Iterator

from modelberth.transfer.http import Body


class Lines(Body):
    """Lines as a body to send, a block at a time."""

    def __init__(self, lines: Iterator[bytes]) -> None:
        self._lines = lines
        self._rest = b""

    def read(self, size: int, /) -> bytes:
        """The next bytes, at most `size`; none at the end."""
        parts, length = [self._rest], len(self._rest)
        while length < size and (line := next(self._lines, b"")):
            parts.append(line)
            length += len(line)
        block = b"".join(parts)
        self._rest = block[size:]
        return block[:size]
