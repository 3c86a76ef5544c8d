"""Objects of the store as verified bytes: whole, or the run of a pack that is needed. A broken connection goes on
where it broke, an expired URL is asked for again, and an object that is not what its name says is refused by name.
"""

import hashlib
import http.client
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from modelberth.content.layout import MAX_OBJECT_BYTES, Layout, StoredObject
from modelberth.transfer.errors import Damaged, HttpFailure, TransferError, Unreachable
from modelberth.transfer.http import BLOCK, Http, store_failure
from modelberth.transfer.patience import Patience, Waits
from modelberth.transfer.urls import UrlPages

_FRESH_URLS = 3


@dataclass(frozen=True, slots=True)
class Wanted:
    """A run of bytes of an object, and the chunks in it as (offset in the object, length, SHA-256 in hex)."""

    object: int
    start: int
    length: int
    chunks: tuple[tuple[int, int, str], ...]


class Fetcher:
    """Reads objects of one layout. Used by many threads, each with a buffer of its own.

    Args:
        http: the connections to the store.
        urls: signed URLs by object number.
        layout: what each object should be.
        patience: how long to go on trying without any progress.
        arrived: called with the number of bytes whenever some came.
    """

    def __init__(
        self, http: Http, urls: UrlPages, layout: Layout, *, patience: Patience, arrived: Callable[[int], None]
    ) -> None:
        self._http = http
        self._urls = urls
        self._layout = layout
        self._patience = patience
        self._arrived = arrived

    def fetch(self, wanted: Wanted, buffer: memoryview) -> memoryview:
        """The wanted run, verified, in the beginning of `buffer` (of `MAX_OBJECT_BYTES`).

        Raises:
            Damaged: the object is missing, or its bytes are not those that the layout names.
            TransferError: it could not be read.
        """
        stored = self._layout.objects[wanted.object]
        digest = self._read(stored, wanted, buffer)
        if wanted.length == stored.size and digest != stored.digest:
            raise self._damaged(wanted.object, digest)
        for offset, length, chunk in wanted.chunks:
            if length == stored.size:
                continue  # its digest is the object's: the layout holds that rule
            place = offset - wanted.start
            if hashlib.sha256(buffer[place : place + length]).hexdigest() != chunk:
                raise Damaged(
                    self._name(wanted.object), "tampered", f"the chunk {chunk} at byte {offset} is another one"
                )
        return buffer[: wanted.length]

    def _read(self, stored: StoredObject, wanted: Wanted, buffer: memoryview) -> str:
        """Fill the buffer; returns the SHA-256 of what came."""
        hasher = hashlib.sha256()
        done = refusals = 0
        waits = Waits(self._patience)
        while done < wanted.length:
            url = self._urls.url(wanted.object)
            begin = done
            try:
                with self._http.send("GET", url, headers=_range(stored, wanted, done)) as response:
                    self._check_answer(stored, wanted, done, response)
                    while done < wanted.length:
                        count = self._read_block(response, buffer[done : min(done + BLOCK, wanted.length)])
                        hasher.update(buffer[done : done + count])
                        done += count
                        self._arrived(count)
            except HttpFailure as error:
                if error.status != 403 or refusals == _FRESH_URLS:
                    waits.after(error)
                else:
                    refusals += 1
                    self._urls.renew(wanted.object, url)  # it was signed for 15 minutes: most likely expired
            except Unreachable as error:
                if done > begin:
                    waits.succeeded()
                waits.after(error)
        return hasher.hexdigest()

    def _read_block(self, response: http.client.HTTPResponse, block: memoryview) -> int:
        count = response.readinto(block)
        if not count:
            raise http.client.IncompleteRead(b"")
        return count

    def _check_answer(
        self, stored: StoredObject, wanted: Wanted, done: int, response: http.client.HTTPResponse
    ) -> None:
        """Refuse an answer that cannot become the object, before its body is read."""
        if response.status == 404:
            raise Damaged(self._name(wanted.object), "missing", "the store does not have it")
        if response.status == 416:
            raise Damaged(self._name(wanted.object), "truncated", f"it ends before byte {wanted.start + done}")
        if response.status >= 300:  # a redirect too says nothing about the object: whatever stands in between sent it
            raise store_failure(self._name(wanted.object), response)
        size = _total(response) if _range(stored, wanted, done) else response.length
        if size is None:
            raise TransferError(
                f"object {self._name(wanted.object)}: the store answered without its size, or with another range"
            )
        if size != stored.size:
            raise self._wrong_size(stored, wanted, size, response)

    def _wrong_size(
        self, stored: StoredObject, wanted: Wanted, size: int, response: http.client.HTTPResponse
    ) -> Damaged:
        sizes = f"it has {size} bytes instead of {stored.size}"
        if response.status == 200 and size <= MAX_OBJECT_BYTES:
            other = self._other(hashlib.sha256(response.read()).hexdigest())
            if other:
                return Damaged(self._name(wanted.object), "swapped", f"{sizes}; its bytes are those of object {other}")
        return Damaged(self._name(wanted.object), "truncated" if size < stored.size else "tampered", sizes)

    def _damaged(self, number: int, digest: str) -> Damaged:
        name = self._name(number)
        other = self._other(digest)
        if other:
            return Damaged(name, "swapped", f"its bytes are those of object {other}")
        return Damaged(name, "tampered", f"its bytes have the SHA-256 {digest}")

    def _other(self, digest: str) -> str | None:
        """The object of this layout that these bytes belong to."""
        return digest if any(stored.digest == digest for stored in self._layout.objects) else None

    def _name(self, number: int) -> str:
        """`<hex> of spaces/<id>`: the object as an administrator finds it in the bucket."""
        stored = self._layout.objects[number]
        path = urlsplit(self._urls.url(number)).path
        _, found, place = path.partition("/spaces/")
        space = f" of spaces/{place.partition('/')[0]}" if found else ""
        return f"{stored.digest}{space} ({stored.key})"


def _range(stored: StoredObject, wanted: Wanted, done: int) -> dict[str, str]:
    start = wanted.start + done
    end = wanted.start + wanted.length
    return {} if (start, end) == (0, stored.size) else {"Range": f"bytes={start}-{end - 1}"}


def _total(response: http.client.HTTPResponse) -> int | None:
    """The size of the whole object, out of `Content-Range: bytes a-b/size`."""
    total = response.headers.get("Content-Range", "").rpartition("/")[2]
    return int(total) if response.status == 206 and total.isdecimal() else None
