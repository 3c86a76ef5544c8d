"""The registry's HTTP API v1, as a client sees it. Its URL is the registry's own or the API server's proxy to it."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

from modelberth.content.collections import Collection, CollectionFamily, Family
from modelberth.content.errors import FormatError
from modelberth.content.layout import MAX_LAYOUT_BYTES, Layout, LayoutParser
from modelberth.content.tree import MAX_TREE_BYTES, Entry, Tree, TreeParser
from modelberth.transfer.answers import (
    Committed,
    Reserved,
    Resolved,
    Upload,
    as_object,
    as_objects,
    count_of,
    decoded,
    digest_of,
    missing_of,
    text_of,
    unexpected,
)
from modelberth.transfer.errors import TransferError, Unreachable
from modelberth.transfer.http import BLOCK, Http, describe, failure, retry_after
from modelberth.transfer.lines import Lines
from modelberth.transfer.patience import Patience

T = TypeVar("T")

COMMIT_SECONDS = 900.0


class RegistryClient:
    """Calls for the content of one namespace. Every call is idempotent and tried again while the trouble may pass.

    Args:
        http: the connections.
        url: the registry's base, without a trailing slash needed.
        namespace: whose content it is about.
        credentials: gives the headers that prove who asks; called for each attempt, as tokens are rotated.
        patience: how long to go on trying.
    """

    def __init__(
        self,
        http: Http,
        url: str,
        namespace: str,
        *,
        credentials: Callable[[], Sequence[tuple[str, str]]],
        patience: Patience | None = None,
    ) -> None:
        self._http = http
        self._base = url.rstrip("/") + "/v1"
        self._content = f"{self._base}/namespaces/{quote(namespace, safe='')}"
        self._credentials = credentials
        self.patience = patience or Patience()
        self.namespace = namespace

    def info(self) -> Mapping[str, Any]:
        """What the registry says about itself."""
        return as_object(self._get(f"{self._base}/info"))

    def tell(self, path: str, value: Mapping[str, Any]) -> Mapping[str, Any]:
        """Tell something about the namespace's records, such as a step; the answer is what holds."""
        return as_object(self._post(f"{self._content}/{path}", value))

    def ask(self, path: str, **query: str) -> Mapping[str, Any]:
        """The answer to a question about the namespace's records, such as `lineage`, as the registry gives it."""
        return as_object(self._get(f"{self._content}/{path}?{urlencode(query)}"))

    def resolve(self, address: str, *, desired: bool = False, family: CollectionFamily | None = None) -> Resolved:
        """What an address stands for: its alias's current version, or with `desired` the wished one.

        With a family the name is looked up there only.
        """
        query = {"address": address, "desired": str(desired).lower()}
        if family is not None:
            query["family"] = family
        answer = as_object(self._get(f"{self._content}/resolve?{urlencode(query)}"))
        return Resolved(
            namespace=text_of(answer, "namespace"),
            family="datasets" if answer.get("family") == "datasets" else "models",
            name=text_of(answer, "artifact"),
            version=text_of(answer, "version"),
            digest=digest_of(answer),
        )

    def tree(self, digest: str, *, family: Family = "models") -> Tree:
        """The tree with this digest.

        Raises:
            TransferError: the registry's answer is no tree, or another one.
        """
        try:
            entries, found = self.patience.run(lambda: self._tree_once(digest, family))
        except FormatError as error:
            raise TransferError(f"refused: the tree of {digest} that the registry gave is broken: {error}") from None
        if found != digest:
            raise TransferError(f"refused: the tree of {digest} that the registry gave has the digest {found}")
        return Tree(tuple(entries), digest)

    def layout(self, digest: str, *, family: Family = "models") -> Layout:
        """Where the bytes of this tree lie.

        Raises:
            TransferError: the registry's answer is no layout.
        """
        try:
            return self.patience.run(lambda: self._layout_once(digest, family))
        except FormatError as error:
            raise TransferError(f"refused: the layout of {digest} that the registry gave is broken: {error}") from None

    def download_urls(self, digest: str, objects: Sequence[int], *, family: Family = "models") -> dict[int, str]:
        """Signed URLs for objects by their number in the layout, at most 1,000; good for 15 minutes."""
        answer = as_object(self._post(self._part(digest, "urls", family), {"objects": list(objects)}))
        urls = answer.get("urls")
        if not isinstance(urls, dict):
            raise unexpected("urls")
        return {int(number): str(url) for number, url in urls.items()}

    def versions(self, collection: Collection) -> list[Mapping[str, Any]]:
        """The versions of a collection, drafts included: version, digest, committed, createdAt, createdBy."""
        return as_objects(self._get(self._versions(collection)))

    def reserve(
        self,
        collection: Collection,
        *,
        digest: str,
        versioning: str | None,
        version: str | None,
        spec: Mapping[str, Any],
    ) -> Reserved:
        """The version of this content in the collection: the one it has, or a newly reserved one.

        How it counts is said for artifacts only: every dataset counts the same way.
        """
        given = {"versioning": versioning, "version": version}
        body = {
            "digest": digest,
            "spec": dict(spec),
            **{name: text for name, text in given.items() if text is not None},
        }
        answer = as_object(self._post(self._versions(collection), body))
        return Reserved(
            version=text_of(answer, "version"),
            digest=digest_of(answer, digest),
            committed=answer.get("committed") is True,
            created=answer.get("created") is True,
            spec=as_object(answer["spec"]) if "spec" in answer else None,
        )

    def put_tree(self, tree: Tree) -> None:
        """Give the registry the tree."""
        size = sum(len(line) for line in tree.lines())
        url = f"{self._content}/trees/{tree.digest}"

        def attempt() -> None:
            headers = [*self._credentials(), ("Content-Type", "text/plain"), ("Content-Length", str(size))]
            with self._http.send("PUT", url, headers=headers, body=Lines(tree.lines())) as response:
                if response.status >= 400:
                    raise failure(describe(url), response)
                response.read()

        self.patience.run(attempt)

    def uploads(self, objects: Sequence[tuple[str, int]]) -> dict[str, Upload]:
        """For objects of (SHA-256 in hex, size), at most 1,000: whether they are there, else where to send them."""
        body = {"objects": [{"sha256": digest, "size": size} for digest, size in objects]}
        answer = as_object(self._post(f"{self._content}/uploads", body))
        uploads = [
            Upload(
                digest=text_of(item, "sha256"),
                ulid=text_of(item, "ulid"),
                url=None if item.get("present") is True else text_of(item, "url"),
                headers={str(name): str(value) for name, value in (item.get("headers") or {}).items()},
            )
            for item in as_objects(answer.get("uploads"))
        ]
        found = {upload.digest: upload for upload in uploads}
        if set(found) != {digest for digest, _ in objects}:
            raise unexpected("uploads")
        return found

    def commit(self, digest: str, layout: Layout) -> Committed | list[str]:
        """Ask the registry to check that all bytes are there and to make the version whole.

        Returns:
            What is stored; or the SHA-256 of the objects that are missing and must be sent again.

        Raises:
            TransferError: it refused, or was still checking after 15 minutes.
        """
        body = b"".join(layout.lines())
        waited = 0.0
        while True:
            answer = self.patience.run(lambda: self._commit_once(digest, body))
            if not isinstance(answer, float):
                return answer
            if waited >= COMMIT_SECONDS:
                raise TransferError(f"the registry is still checking {digest}; run the same push again later")
            self.patience.sleep(answer)
            waited += max(answer, 0.1)

    def _commit_once(self, digest: str, body: bytes) -> Committed | list[str] | float:
        """One question: the result, what is missing, or the seconds to wait before the next one."""
        url = f"{self._content}/commits/{digest}"
        headers = [*self._credentials(), ("Content-Type", "text/plain")]
        with self._http.send("POST", url, headers=headers, body=body) as response:
            if response.status not in (200, 202, 409):
                raise failure(describe(url), response)
            if response.status == 202:
                response.read()
                return retry_after(response) or 1.0
            status, text = response.status, response.read()
        answer = as_object(decoded(url, text))
        if status == 409:
            return missing_of(answer)
        return Committed(
            digest=digest_of(answer, digest),
            file_count=count_of(answer, "fileCount"),
            size_bytes=count_of(answer, "sizeBytes"),
            stored_bytes=count_of(answer, "storedBytes"),
        )

    def history(self, model: str, alias: str) -> list[Mapping[str, Any]]:
        """The recorded history of an alias, oldest first."""
        path = f"models/{quote(model, safe='')}/aliases/{quote(alias, safe='')}/history"
        return as_objects(self._get(f"{self._content}/{path}"))

    def report_attempt(self, run: str, number: int, report: Mapping[str, Any]) -> Mapping[str, Any]:
        """Say how an attempt of a run ended; the answer is what the registry holds of it."""
        return self.tell(f"runs/{quote(run, safe='')}/attempts/{number}", report)

    def post_progress(
        self, digest: str, done: int, total: int, *, phase: str = "", phases: Sequence[Mapping[str, Any]] = ()
    ) -> None:
        """Tell how far this pod's load is, or in which phase its run. One attempt: the next post comes soon."""
        said = {"digest": digest, "bytes": done, "total": total}
        if phase:
            said |= {"phase": phase, "phases": list(phases)}
        body = json.dumps(said).encode()
        headers = [*self._credentials(), ("Content-Type", "application/json")]
        self._http.call("POST", f"{self._content}/progress", headers=headers, body=body)

    def _versions(self, collection: Collection) -> str:
        return f"{self._content}/{collection.field}s/{quote(collection.name, safe='')}/versions"

    def _part(self, digest: str, part: str, family: Family) -> str:
        """Models are asked for without a family, as registries from before there were several expect."""
        query = "" if family == "models" else f"?family={family}"
        return f"{self._content}/content/{digest}/{part}{query}"

    def _get(self, url: str) -> Any:
        return self._call("GET", url, None)

    def _post(self, url: str, value: Mapping[str, Any]) -> Any:
        return self._call("POST", url, json.dumps(value, ensure_ascii=False, allow_nan=False).encode())

    def _call(self, method: str, url: str, body: bytes | None) -> Any:
        def attempt() -> bytes:
            headers = [*self._credentials(), ("Accept", "application/json")]
            if body is not None:
                headers.append(("Content-Type", "application/json"))
            return self._http.call(method, url, headers=headers, body=body)

        return decoded(url, self.patience.run(attempt))

    def _tree_once(self, digest: str, family: Family) -> tuple[list[Entry], str]:
        parser = TreeParser()
        entries: list[Entry] = []
        for block in self._text_of(self._part(digest, "tree", family), MAX_TREE_BYTES):
            entries += parser.feed(block)
        return entries, parser.close()

    def _layout_once(self, digest: str, family: Family) -> Layout:
        parser = LayoutParser()
        for block in self._text_of(self._part(digest, "layout", family), MAX_LAYOUT_BYTES):
            parser.feed(block)
        return parser.close()

    def _text_of(self, url: str, limit: int) -> Iterator[bytes]:
        """The text in blocks. Trees and layouts are up to tens of megabytes: they are parsed as they come."""
        with self._http.send("GET", url, headers=self._credentials()) as response:
            if response.status >= 400:
                raise failure(describe(url), response)
            seen = 0
            while block := response.read(BLOCK):
                seen += len(block)
                if seen > limit:
                    raise TransferError(f"refused: {describe(url)} has more than {limit} bytes")
                yield block
            if response.length:
                raise Unreachable(describe(url), "the connection broke within the answer")
