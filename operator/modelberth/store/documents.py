"""The JSON of records: one spelling out, and nothing doubtful in."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from modelberth.store.errors import Tampered

T = TypeVar("T")

FORMAT = 1
MAX_RECORD_BYTES = 2 * 1024 * 1024
"""What readers take: more than any writer can make, out of a request of 1 MiB or an object of the API server's 1.5."""


def to_json(document: Mapping[str, Any]) -> bytes:
    """The document in its one spelling: sorted keys, no white space, UTF-8, a newline at the end."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode() + b"\n"


def from_json(key: str, body: bytes) -> "Document":
    """The document that lies at `key`.

    Raises:
        Tampered: it is no JSON object of our format, or a key is doubled.
    """
    try:
        document = json.loads(body, object_pairs_hook=_without_doubles)
    except ValueError as error:
        raise Tampered(key, f"it is no JSON ({error})") from None
    if not isinstance(document, dict):
        raise Tampered(key, "it is no JSON object")
    read = Document(key, document)
    if read.integer("format") != FORMAT:
        raise Tampered(key, f"its format is {document['format']}, and this program knows {FORMAT}: upgrade it")
    return read


class Document:
    """Typed access to the fields of a record; what is missing or of another type means that somebody else wrote it."""

    def __init__(self, key: str, fields: dict[str, Any]) -> None:
        self._key = key
        self._fields = fields

    def text(self, name: str) -> str:
        """A field that is a string."""
        return self._typed(name, str)

    def integer(self, name: str) -> int:
        """A field that is a whole number."""
        return self._typed(name, int)

    def boolean(self, name: str) -> bool:
        """A field that is true or false."""
        return self._typed(name, bool)

    def mapping(self, name: str) -> dict[str, Any]:
        """A field that is an object."""
        return self._typed(name, dict)

    def optional_text(self, name: str) -> str | None:
        """A field that is a string, or null."""
        return None if self._fields.get(name, "") is None else self.text(name)

    def added_text(self, name: str) -> str:
        """A field that is a string, or that older records do not have: then it is empty."""
        return self.text(name) if name in self._fields else ""

    def number(self, name: str) -> float:
        """A field that is a number."""
        if type(self._fields.get(name)) is int:
            return float(self.integer(name))
        return self._typed(name, float)

    def texts(self, name: str) -> tuple[str, ...]:
        """A field that is a list of strings."""
        return tuple(self._each(name, self._typed(name, list), str))

    def text_map(self, name: str) -> dict[str, str]:
        """A field that is an object of strings."""
        fields = self.mapping(name)
        return dict(zip(fields, self._each(name, fields.values(), str), strict=True))

    def number_map(self, name: str) -> dict[str, float]:
        """A field that is an object of numbers."""
        fields = Document(self._key, self.mapping(name))
        return {each: fields.number(each) for each in fields._fields}

    def documents(self, name: str) -> "list[Document]":
        """A field that is a list of objects."""
        return [Document(self._key, item) for item in self._each(name, self._typed(name, list), dict)]

    def expect(self, name: str, value: object) -> None:
        """Refuse the record where a field is not what the key says.

        Raises:
            Tampered: names the field.
        """
        if self._fields.get(name) != value:
            raise Tampered(self._key, f"its field {name} is {self._fields.get(name)!a} and not {value!a}")

    def _each(self, name: str, values: Iterable[Any], kind: type[T]) -> list[T]:
        found = list(values)
        if any(type(value) is not kind for value in found):
            raise Tampered(self._key, f"its field {name} holds something that is no {kind.__name__}")
        return found

    def _typed(self, name: str, kind: type[T]) -> T:
        value = self._fields.get(name)
        if type(value) is not kind:
            raise Tampered(self._key, f"its field {name} is not there or no {kind.__name__}")
        return value


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("a key is doubled")
    return document
