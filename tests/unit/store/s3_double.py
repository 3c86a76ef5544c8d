"""An S3 service in memory behind real sockets: what the store relies on, and the faults it has to survive.

It checks no signatures (the cluster tier has a real MinIO for that). A fault is armed for the next request of a
method: `lose` does what was asked and drops the answer, `break_off` drops the request, `answer` gives an error.
"""

import base64
import hashlib
import threading
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.sax.saxutils import escape

from modelberth.store.bucket import Bucket
from modelberth.store.connection import Endpoint, KeyPair
from tests.unit.fake_http import Handler, Server

NAME = "bucket"


@dataclass
class Stored:
    """An object with the headers that are kept with it."""

    body: bytes
    headers: dict[str, str]


@dataclass
class S3Double:
    """The service.

    Attributes:
        objects: by key; tests may change what lies there.
        requests: (method, path with query) of everything that was asked.
        faults: (method, what to do), each for one request.
    """

    url: str = ""
    objects: dict[str, Stored] = field(default_factory=dict)
    requests: list[tuple[str, str]] = field(default_factory=list)
    faults: deque[tuple[str, str]] = field(default_factory=deque)
    policies: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    keeps_checksums: bool = True
    session_seconds: int = 3600

    def lose(self, method: str = "PUT", times: int = 1) -> None:
        """Do what the next requests ask and drop the answers."""
        self.faults.extend([(method, "lose")] * times)

    def break_off(self, method: str = "PUT", times: int = 1) -> None:
        """Drop the next requests without doing anything."""
        self.faults.extend([(method, "break_off")] * times)

    def answer(self, status: int, code: str, method: str = "PUT", times: int = 1) -> None:
        """Answer the next requests with an error."""
        self.faults.extend([(method, f"{status} {code}")] * times)

    def fault_for(self, method: str) -> str:
        """The fault armed for this request, used up by it."""
        with self.lock:
            if self.faults and self.faults[0][0] == method:
                return self.faults.popleft()[1]
        return ""

    def bucket(self) -> Bucket:
        """The bucket, as the program opens it; to be closed."""
        return Bucket(Endpoint(self.url), NAME, lambda: KeyPair("key", "secret"))


class _Server(Server):
    daemon_threads = True  # a client keeps its connections


class _Handler(Handler):
    double: S3Double

    def handle_any(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        self.double.requests.append((self.command, self.path))
        fault = self.double.fault_for(self.command)
        if fault == "break_off":
            self.close_connection = True
            return
        if fault and fault != "lose":
            status, code = fault.split(" ")
            self.refuse(int(status), code)
            return
        status, headers, answer = self.act(body)
        if fault == "lose":
            self.close_connection = True
            return
        self.reply(status, headers, answer)

    def act(self, body):
        parts = urlsplit(self.path)
        query = parse_qs(parts.query, keep_blank_values=True)
        key = unquote(parts.path).removeprefix(f"/{NAME}").removeprefix("/")
        if self.command == "POST":
            return self.assume_role(body)
        if not key:
            return self.list(query) if self.command == "GET" else (200, {}, b"")
        with self.double.lock:
            return getattr(self, self.command.lower())(key, body)

    def put(self, key, body):
        if self.headers.get("If-None-Match") == "*" and key in self.double.objects:
            return self.error(412, "PreconditionFailed")
        kept = {name.lower(): value for name, value in self.headers.items() if name.lower().startswith("x-amz-meta-")}
        checksum = self.headers.get("x-amz-checksum-sha256")
        if checksum is not None:
            if base64.b64decode(checksum) != hashlib.sha256(body).digest():
                return self.error(400, "XAmzContentChecksumMismatch")
            if self.double.keeps_checksums:
                kept["x-amz-checksum-sha256"] = checksum
        self.double.objects[key] = Stored(body, kept)
        return 200, {"ETag": '"etag"'}, b""

    def get(self, key, _):
        found = self.double.objects.get(key)
        if found is None:
            return self.error(404, "NoSuchKey")
        return 200, {"ETag": '"etag"', "Last-Modified": "Sat, 21 Nov 2026 09:00:00 GMT", **found.headers}, found.body

    head = get

    def delete(self, key, _):
        self.double.objects.pop(key, None)
        return 204, {}, b""

    def list(self, query):
        prefix = query["prefix"][0]
        after = query.get("continuation-token", query.get("start-after", [""]))[0]
        with self.double.lock:
            keys = sorted(key for key in self.double.objects if key.startswith(prefix) and key > after)
            sizes = {key: len(self.double.objects[key].body) for key in keys}
        page = keys[: min(int(query["max-keys"][0]), 3)]  # small pages: every list of some length is paged
        truncated = len(page) < len(keys)
        contents = "".join(
            f"<Contents><Key>{quote(key)}</Key><Size>{sizes[key]}</Size><ETag>e</ETag>"
            "<LastModified>2026-11-21T09:00:00.000Z</LastModified></Contents>"
            for key in page
        )
        token = f"<NextContinuationToken>{escape(page[-1])}</NextContinuationToken>" if truncated else ""
        text = (
            f"<ListBucketResult><Name>{NAME}</Name><IsTruncated>{str(truncated).lower()}</IsTruncated>{token}"
            f"<EncodingType>url</EncodingType>{contents}</ListBucketResult>"
        )
        return 200, {"Content-Type": "application/xml"}, text.encode()

    def assume_role(self, body):
        from datetime import UTC, datetime, timedelta

        self.double.policies.append(parse_qs(body.decode())["Policy"][0])
        ends = datetime.now(UTC) + timedelta(seconds=self.double.session_seconds)
        number = len(self.double.policies)
        text = (
            '<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>'
            f"<AccessKeyId>session{number}</AccessKeyId><SecretAccessKey>secret</SecretAccessKey>"
            f"<SessionToken>token+{number}/=</SessionToken><Expiration>{ends:%Y-%m-%dT%H:%M:%SZ}</Expiration>"
            "</Credentials></AssumeRoleResult></AssumeRoleResponse>"
        )
        return 200, {"Content-Type": "application/xml"}, text.encode()

    def error(self, status, code):
        text = f"<Error><Code>{code}</Code><Message>{code}</Message></Error>"
        return status, {"Content-Type": "application/xml"}, text.encode()

    def refuse(self, status, code):
        self.reply(*self.error(status, code))

    def reply(self, status, headers, answer):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer)


@contextmanager
def running_double():
    """A service for one test."""
    double = S3Double()
    methods = {f"do_{method}": _Handler.handle_any for method in ("GET", "PUT", "HEAD", "DELETE", "POST")}
    handler = type("Bound", (_Handler,), {"double": double, **methods})
    with _Server(("127.0.0.1", 0), handler) as server:
        double.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield double
        finally:
            server.shutdown()
            thread.join()
