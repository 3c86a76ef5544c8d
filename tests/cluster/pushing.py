"""A small push and load by plain HTTP, independent of the CLI: what any other client of the API would do."""

import hashlib
import random
from dataclasses import dataclass

import httpx

from modelberth.content.chunks import CHUNK_SIZE, file_digest
from modelberth.content.layout import Layout
from modelberth.content.tree import Entry, Tree

SESSION = "Modelberth-Session"


@dataclass(frozen=True)
class Folder:
    """A folder's tree, its objects by SHA-256, and where each chunk lies in them."""

    tree: Tree
    objects: dict[str, bytes]
    chunks: dict[str, tuple[str, int, int]]
    large: dict[str, tuple[str, ...]]

    def layout(self, ulids: dict[str, str]) -> Layout:
        """The layout for objects that lie under these ULIDs."""
        objects = {digest: (len(body), ulids[digest]) for digest, body in self.objects.items()}
        return Layout.build(objects, self.chunks, self.large)


def sha256(body: bytes) -> str:
    """In hex."""
    return hashlib.sha256(body).hexdigest()


def some_bytes(size: int, seed: int = 1) -> bytes:
    """Bytes that are the same in every run."""
    return random.Random(seed).randbytes(size)


def folder(files: dict[str, bytes]) -> Folder:
    """A folder with these files: chunks of files above 1 MiB are objects, all others lie in one pack."""
    objects: dict[str, bytes] = {}
    chunks: dict[str, tuple[str, int, int]] = {}
    large: dict[str, tuple[str, ...]] = {}
    entries, small = [], {}
    for path, body in files.items():
        pieces = [body[start : start + CHUNK_SIZE] for start in range(0, len(body), CHUNK_SIZE)]
        digests = [sha256(piece) for piece in pieces]
        whole = file_digest(len(body), digests)
        entries.append(Entry("f", whole, len(body), path))
        if len(pieces) > 1:
            large[whole] = tuple(digests)
        for digest, piece in zip(digests, pieces, strict=True):
            if len(piece) < 1024 * 1024:
                small[digest] = piece
            else:
                objects[digest], chunks[digest] = piece, (digest, 0, len(piece))
    if small:
        pack = b"".join(small.values())
        objects[sha256(pack)] = pack
        offset = 0
        for digest, piece in small.items():
            chunks[digest] = (sha256(pack), offset, len(piece))
            offset += len(piece)
    return Folder(Tree.build(entries), objects, chunks, large)


class Client:
    """One user's requests in one namespace."""

    def __init__(self, http: httpx.Client, namespace: str, session: str) -> None:
        self.http = http
        self.namespace = namespace
        self.base = f"/v1/namespaces/{namespace}"
        self.headers = {SESSION: session}

    def get(self, path: str, **options) -> httpx.Response:
        return self.http.get(self.base + path, headers=self.headers, **options)

    def post(self, path: str, **options) -> httpx.Response:
        return self.http.post(self.base + path, headers=self.headers, **options)

    def put(self, path: str, body: bytes) -> httpx.Response:
        return self.http.put(self.base + path, headers=self.headers, content=body)

    def reserve(self, name: str, digest: str, *, kind: str = "artifacts", **more) -> dict:
        """Reserve a version of an artifact, or of a dataset."""
        answer = self.post(f"/{kind}/{name}/versions", json={"digest": digest, **more})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def targets(self, objects: dict[str, bytes]) -> dict[str, dict]:
        """Where each object lies or is to go, by its SHA-256."""
        wanted = [{"sha256": digest, "size": len(body)} for digest, body in objects.items()]
        answer = self.post("/uploads", json={"objects": wanted})
        assert answer.status_code == 200, answer.text
        return {item["sha256"]: item for item in answer.json()["uploads"]}

    def upload(self, objects: dict[str, bytes]) -> dict[str, str]:
        """Send what is missing; the ULID of each object by its SHA-256."""
        targets = self.targets(objects)
        for digest, target in targets.items():
            if not target["present"]:
                sent = httpx.put(target["url"], content=objects[digest], headers=target["headers"])
                assert sent.status_code == 200, sent.text
        return {digest: target["ulid"] for digest, target in targets.items()}

    def commit(self, digest: str, layout: Layout) -> httpx.Response:
        """Commit, asking again while it is under way."""
        while True:
            answer = self.post(f"/commits/{digest}", content=layout.to_bytes())
            if answer.status_code != 202:
                return answer

    def push(self, name: str, content: Folder, *, kind: str = "artifacts") -> dict:
        """The whole way; what the reservation answered."""
        reserved = self.reserve(name, content.tree.digest, kind=kind)
        assert self.put(f"/trees/{content.tree.digest}", content.tree.to_bytes()).status_code == 204
        answer = self.commit(content.tree.digest, content.layout(self.upload(content.objects)))
        assert answer.status_code == 200, answer.text
        return reserved

    def load(self, digest: str) -> dict[str, bytes]:
        """Every file of committed content, verified."""
        tree = Tree.parse(self.get(f"/content/{digest}/tree").content)
        layout = Layout.parse(self.get(f"/content/{digest}/layout").content)
        numbers = list(range(len(layout.objects)))
        urls = self.post(f"/content/{digest}/urls", json={"objects": numbers}).json()["urls"] if numbers else {}
        bodies = {number: httpx.get(urls[str(number)]).content for number in numbers}
        files = {}
        for entry in tree.entries:
            pieces = [layout.chunks[chunk] for chunk in layout.chunks_of(entry)]
            files[entry.path] = b"".join(
                bodies[piece.object][piece.offset : piece.offset + piece.length] for piece in pieces
            )
        return files
