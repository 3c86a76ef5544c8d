"""Send a scanned folder to the registry: the tree, the objects that are missing, the commit.

Every step can be done twice without harm, so a push that was stopped is resumed by running it again: hashing finds
the same digest, and objects that are there are not sent again.
"""

import hashlib
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from modelberth.content.chunks import Chunk, spans
from modelberth.content.layout import MAX_OBJECT_BYTES, Layout
from modelberth.content.packs import is_small, plan_packs
from modelberth.transfer.answers import Committed, Upload
from modelberth.transfer.errors import HttpFailure, TransferError, Unreachable
from modelberth.transfer.http import Body, Http, describe, store_failure
from modelberth.transfer.patience import Waits
from modelberth.transfer.progress import Progress
from modelberth.transfer.registry_client import RegistryClient
from modelberth.transfer.scan import Folder, Reader, changed
from modelberth.transfer.workers import Buffers, for_each

_TICKETS = 64
_FRESH_URLS = 3
_ASK_AGAIN = frozenset({403, 409, 412})  # expired, another writer at the same moment, there already
_COMMIT_ROUNDS = 4


@dataclass(frozen=True, slots=True)
class SourceChunk(Chunk):
    """A chunk and where to read it: the number of its source in the folder, and the offset in bytes."""

    source: int
    offset: int


@dataclass(frozen=True, slots=True)
class Sent:
    """What a push did: what the store holds now, and the bytes that had to go there."""

    committed: Committed
    sent_bytes: int


def send(client: RegistryClient, http: Http, folder: Folder, *, workers: int, progress: Progress) -> Sent:
    """Bring all bytes of a scanned folder into the store and commit them.

    Args:
        client: the registry, with credentials that may write.
        http: the connections to the store.
        folder: as `scan` found it.
        workers: how many threads read and send; each holds up to 8 MiB.
        progress: counts the bytes that are in the store.

    Raises:
        SourceRefused: a file has changed since the scan; the message names it.
        TransferError: the registry or the store refused, or could not be reached for long.
    """
    client.put_tree(folder.tree)
    sent_bytes = 0
    for _ in range(_COMMIT_ROUNDS):
        layout, sent = _Sender(client, http, folder, progress).send_all(workers)
        sent_bytes += sent
        folder.check_unchanged()
        answer = client.commit(folder.tree.digest, layout)
        if isinstance(answer, Committed):
            return Sent(answer, sent_bytes)
        missing = ", ".join(answer[:3])
    raise TransferError(
        f"{folder.tree.digest}: the store lost objects again and again, the last time {missing}; "
        "does something remove them from the bucket?"
    )


class _Sender:
    """One round over all objects: each is asked for, and sent when the store does not have it."""

    def __init__(self, client: RegistryClient, http: Http, folder: Folder, progress: Progress) -> None:
        self._client = client
        self._http = http
        self._folder = folder
        self._progress = progress
        self._buffers = Buffers(MAX_OBJECT_BYTES)
        self._lock = threading.Lock()
        self._objects: dict[str, tuple[int, str]] = {}
        self._chunks: dict[str, tuple[str, int, int]] = {}
        self._sent_bytes = 0

    def send_all(self, workers: int) -> tuple[Layout, int]:
        """Send what is missing; returns where everything lies, and the bytes sent."""
        self._progress.begin("send", sum(chunk.length for chunk in distinct_chunks(self._folder)))
        for_each(self._large_chunks(), self._send_large, workers=workers)
        small = (chunk for chunk in distinct_chunks(self._folder) if is_small(chunk.length))
        for_each(plan_packs(small), self._send_pack, workers=workers)
        return Layout.build(self._objects, self._chunks, self._folder.large), self._sent_bytes

    def _large_chunks(self) -> Iterator[tuple[SourceChunk, Upload]]:
        """The chunks that are objects of their own, with their tickets, asked for in pages as the work proceeds."""
        large = (chunk for chunk in distinct_chunks(self._folder) if not is_small(chunk.length))
        while page := list(islice(large, _TICKETS)):
            tickets = self._client.uploads([(chunk.digest, chunk.length) for chunk in page])
            for chunk in page:
                yield chunk, tickets[chunk.digest]

    def _send_large(self, item: tuple[SourceChunk, Upload]) -> None:
        chunk, ticket = item
        if ticket.url is None:
            self._progress.add(chunk.length)
        else:
            source = self._folder.sources[chunk.source]
            with Reader(self._folder.root, source) as reader:

                def read(block: memoryview, at: int) -> None:
                    reader.read(block, chunk.offset + at)

                try:
                    ticket = self._put(chunk.digest, chunk.length, read, ticket)
                except HttpFailure as error:
                    if error.status == 400 and self._digest(reader, chunk) != chunk.digest:
                        raise changed(source) from None
                    raise
        with self._lock:
            self._objects[chunk.digest] = (chunk.length, ticket.ulid)
            self._chunks[chunk.digest] = (chunk.digest, 0, chunk.length)

    def _digest(self, reader: Reader, chunk: SourceChunk) -> str:
        return reader.digest(chunk.offset, chunk.length, self._buffers.mine())

    def _send_pack(self, pack: Sequence[SourceChunk]) -> None:
        data = self._read_pack(pack)
        digest = hashlib.sha256(data).hexdigest()
        ticket = self._client.uploads([(digest, len(data))])[digest]
        if ticket.url is None:
            self._progress.add(len(data))
        else:

            def read(block: memoryview, at: int) -> None:
                block[:] = data[at : at + len(block)]

            ticket = self._put(digest, len(data), read, ticket)
        with self._lock:
            self._objects[digest] = (len(data), ticket.ulid)
            offset = 0
            for chunk in pack:
                self._chunks[chunk.digest] = (digest, offset, chunk.length)
                offset += chunk.length

    def _read_pack(self, pack: Sequence[SourceChunk]) -> memoryview:
        """The bytes of a pack in this thread's buffer, each chunk compared with its digest once more."""
        buffer = self._buffers.mine()
        filled = 0
        for chunk in pack:
            source = self._folder.sources[chunk.source]
            block = buffer[filled : filled + chunk.length]
            with Reader(self._folder.root, source) as reader:
                reader.read(block, chunk.offset)
            if hashlib.sha256(block).hexdigest() != chunk.digest:
                raise changed(source)
            filled += chunk.length
        return buffer[:filled]

    def _put(self, digest: str, size: int, read: Callable[[memoryview, int], None], ticket: Upload) -> Upload:
        """Send one object, however often it takes; returns the ticket under which it lies in the store.

        After any failure the registry is asked before anything is sent again: the object may be there (a lost
        answer; a 412 for a large body arrives as a broken connection), or the URL may have expired (403).
        """
        waits = Waits(self._client.patience)
        refusals = 0
        while ticket.url is not None:
            body = _Body(read, size, self._progress)
            try:
                self._put_once(ticket.url, {**ticket.headers, "Content-Length": str(size)}, body)
            except (HttpFailure, Unreachable) as error:
                self._progress.add(-body.sent)
                if isinstance(error, HttpFailure) and error.status in _ASK_AGAIN and refusals < _FRESH_URLS:
                    refusals += 1
                else:
                    waits.after(error)
                ticket = self._client.uploads([(digest, size)])[digest]
            else:
                with self._lock:
                    self._sent_bytes += size
                return ticket
        self._progress.add(size)
        return ticket

    def _put_once(self, url: str, headers: dict[str, str], body: Body) -> None:
        with self._http.send("PUT", url, headers=headers, body=body) as response:
            if response.status >= 300:
                raise store_failure(describe(url), response)
            response.read()


class _Body(Body):
    """`size` bytes as http.client sends them: block by block, each counted."""

    def __init__(self, read: Callable[[memoryview, int], None], size: int, progress: Progress) -> None:
        self._read = read
        self._size = size
        self._progress = progress
        self.sent = 0

    def read(self, size: int, /) -> bytes:
        block = bytearray(min(size, self._size - self.sent))
        if block:
            self._read(memoryview(block), self.sent)
            self.sent += len(block)
            self._progress.add(len(block))
        return block  # type: ignore[return-value]  # bytes-like is enough for a socket


def distinct_chunks(folder: Folder) -> Iterator[SourceChunk]:
    """Every chunk of the folder once, in the tree's path order."""
    seen: set[str] = set()
    for number, entry in enumerate(folder.tree.entries):
        for digest, (offset, length) in zip(folder.chunks_of(entry), spans(entry.size), strict=True):
            if digest not in seen:
                seen.add(digest)
                yield SourceChunk(digest, length, number, offset)
