"""A registry and its store on a real socket, small enough to be read, with faults that a test can ask for.

It keeps the registry's API (the parts that transfers use) and behaves as the store does: signed headers are checked,
a written object is never written again, ranges are honoured.
"""

import base64
import hashlib
import json
import re
import threading
from collections import Counter
from urllib.parse import parse_qs, urlsplit

from modelberth.content.layout import Layout
from modelberth.content.tree import Tree
from tests.unit.fake_http import Handler, Server

SPACE = "abcdefghijklmnopqrstuvwxyz"
SECRET = "query-that-is-a-credential"
CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


class FakeRegistry:
    """State, counters and faults; `url` is its base.

    Attributes:
        objects: `<hex>/<ulid>` → bytes.
        trees: digest → text; `layouts` likewise, once committed.
        records: artifact → list of (version, digest); `data` likewise, by dataset.
        families: (family, digest) of content that was reserved in the family.
        answers: path below the namespace, of runs → answer.
        steps: what was told of steps, in order.
        specs: (family, artifact or dataset, version) → what was known when it was reserved.
        requests: counts by `<METHOD> <kind>`; kinds: resolve, tree, layout, urls, versions, trees, uploads, commits,
            history, info, progress, attempts, object.
        faults: called with (method, kind, path) before each request; returns None, a status to answer, or "break" to
            cut the connection: before the answer, or for objects in the middle of the body.
        questions: called with path and query of a question about lineage; returns status and answer.
        pending_commits: how many times a commit answers 202 first.
        generation: signed URLs of older generations are refused with 403.
    """

    def __init__(self):
        self.objects = {}
        self.trees = {}
        self.layouts = {}
        self.records = {}
        self.data = {}
        self.families = set()
        self.specs = {}
        self.progress = []
        self.attempts = []
        self.answers = {}
        self.steps = []
        self.histories = {}
        self.info = {}
        self.requests = Counter()
        self.seen_headers = []
        self.seen_queries = []
        self.faults = lambda method, kind, path: None
        self.questions = lambda path: (404, {"error": {"code": "NotFound", "message": path}})
        self.pending_commits = 0
        self.generation = 0
        self.sent_bytes = 0
        self._ulids = 0
        self.lock = threading.Lock()
        handler = type("Bound", (_Handler,), {"registry": self})
        self._server = Server(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def new_ulid(self):
        with self.lock:
            self._ulids += 1
            number = self._ulids
        return "0" * 22 + "".join(CROCKFORD[(number >> shift) & 31] for shift in (15, 10, 5, 0))

    def ulid_of(self, digest):
        """The upload under which this object lies, if it does."""
        return next((key.partition("/")[2] for key in list(self.objects) if key.startswith(digest)), None)

    def object_url(self, digest, ulid):
        return (
            f"{self.url}/bucket/spaces/{SPACE}/data/{digest[:2]}/{digest}/{ulid}"
            f"?X-Amz-Signature={SECRET}&generation={self.generation}"
        )


class _Handler(Handler):
    registry: FakeRegistry

    def handle_any(self):
        path = urlsplit(self.path).path
        found = [
            (kind, action, match.groups())
            for pattern, method, kind, action in _ROUTES
            if method == self.command and (match := re.fullmatch(pattern, path))
        ]
        if not found:
            self._answer(404, {"error": {"code": "NotFound", "message": f"no such path {path}"}})
            return
        kind, action, groups = found[0]
        with self.registry.lock:
            self.registry.requests[f"{self.command} {kind}"] += 1
            self.registry.seen_headers.append((kind, dict(self.headers)))
            self.registry.seen_queries.append((kind, urlsplit(self.path).query))
        self.fault = self.registry.faults(self.command, kind, path)
        if self.fault == "break" and kind != "object":
            self.close_connection = True
            return
        if isinstance(self.fault, int):
            self._body()
            self._answer(self.fault, {"error": {"code": "Fault", "message": "as the test asked"}})
            return
        action(self, *groups)

    do_GET = do_PUT = do_POST = handle_any  # noqa: N815 (http.server's names)

    def _body(self):
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _answer(self, status, value=b"", headers=None):
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        for name, text in (headers or {}).items():
            self.send_header(name, text)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def resolve(self, _):
        query = parse_qs(urlsplit(self.path).query)
        address = query["address"][0]
        artifact, _, version = address.partition(":")
        wanted = query.get("family", ["models", "datasets"])
        families = [of for of in wanted if version in dict(self._known(of).get(artifact, []))]
        if not families:
            self._answer(404, {"error": {"code": "NameNotFound", "message": f"{address} is not known"}})
            return
        if len(families) > 1:
            self._answer(409, {"error": {"code": "AmbiguousVersion", "message": f"{address}: say --dataset"}})
            return
        known = dict(self._known(families[0])[artifact])
        answer = {
            "namespace": "ns",
            "family": families[0],
            "name": artifact,
            "artifact": artifact,
            "version": version,
            "digest": known[version],
            "via": "version",
        }
        self._answer(200, answer)

    def _known(self, family):
        return self.registry.data if family == "datasets" else self.registry.records

    def tree(self, _, digest):
        self._stored_text(self.registry.trees.get(digest))

    def layout(self, _, digest):
        self._stored_text(self.registry.layouts.get(digest))

    def _stored_text(self, text):
        if text is None:
            self._answer(404, {"error": {"code": "ContentNotFound", "message": "not committed"}})
        else:
            self._answer(200, text)

    def urls(self, _, digest):
        layout = Layout.parse(self.registry.layouts[digest])
        numbers = json.loads(self._body())["objects"]
        assert len(numbers) <= 1000
        urls = {str(n): self.registry.object_url(layout.objects[n].digest, layout.objects[n].ulid) for n in numbers}
        self._answer(200, {"expiresAt": "2030-01-01T00:00:00Z", "urls": urls})

    def reserve(self, _, kind, artifact):
        request = json.loads(self._body())
        family = "datasets" if kind == "datasets" else "models"
        known = self._known(family).setdefault(artifact, [])
        self.registry.families.add((family, request["digest"]))
        for version, digest in known:
            if digest == request["digest"]:
                self._answer(200, self._reserved((family, artifact, version), digest, created=False))
                return
        version = request.get("version") or f"v{len(known)}"
        known.append((version, request["digest"]))
        self.registry.specs[family, artifact, version] = request["spec"]
        self._answer(201, self._reserved((family, artifact, version), request["digest"], created=True))

    def _reserved(self, held, digest, *, created):
        committed, spec = digest in self.registry.layouts, self.registry.specs.get(held, {})
        return {"version": held[2], "digest": digest, "committed": committed, "created": created, "spec": spec}

    def list_versions(self, _, kind, artifact):
        self._answer(
            200,
            [
                {"version": v, "digest": d, "committed": d in self.registry.layouts, "createdAt": "", "createdBy": ""}
                for v, d in self._known(kind).get(artifact, [])
            ],
        )

    def put_tree(self, _, digest):
        text = self._body()
        if Tree.parse(text).digest != digest:
            self._answer(400, {"error": {"code": "WrongDigest", "message": "tree and digest differ"}})
            return
        self.registry.trees[digest] = text
        self._answer(204)

    def uploads(self, _):
        request = json.loads(self._body())["objects"]
        assert len(request) <= 1000
        uploads = []
        for item in request:
            digest = item["sha256"]
            present = self.registry.ulid_of(digest)
            if present:
                uploads.append({"sha256": digest, "ulid": present, "present": True})
                continue
            ulid = self.registry.new_ulid()
            checksum = base64.b64encode(bytes.fromhex(digest)).decode()
            headers = {"x-amz-checksum-sha256": checksum, "if-none-match": "*"}
            url = self.registry.object_url(digest, ulid)
            uploads.append({"sha256": digest, "ulid": ulid, "url": url, "headers": headers})
        self._answer(200, {"uploads": uploads})

    def commit(self, _, digest):
        text = self._body()
        layout = Layout.parse(text)
        layout.check_complete(Tree.parse(self.registry.trees[digest]))
        if self.registry.pending_commits:
            self.registry.pending_commits -= 1
            self._answer(202, headers={"Retry-After": "0"})
            return
        held = self.registry.objects
        missing = [o.digest for o in layout.objects if len(held.get(f"{o.digest}/{o.ulid}", b"")) != o.size]
        if missing:
            self._answer(409, {"missing": missing})
            return
        self.registry.layouts[digest] = text
        tree = Tree.parse(self.registry.trees[digest])
        summary = {"fileCount": tree.file_count, "sizeBytes": tree.size_bytes, "storedBytes": layout.stored_bytes}
        self._answer(200, {"digest": digest, **summary})

    def history(self, _, model, alias):
        self._answer(200, self.registry.histories.get((model, alias), []))

    def question(self, *_):
        self._answer(*self.registry.questions(self.path))

    def about(self):
        self._answer(200, self.registry.info)

    def post_progress(self, _):
        self.registry.progress.append(json.loads(self._body()))
        self._answer(204)

    def answer_record(self, _, path):
        if path in self.registry.answers:
            self._answer(200, self.registry.answers[path])
        else:
            self._answer(404, {"error": {"code": "RunNotFound", "message": f"nothing is known of {path}"}})

    def tell_step(self, _):
        self.registry.steps.append(json.loads(self._body()))
        self._answer(200, self._counting(self.registry.steps[-1]["key"]) or {"run": "", "uid": "", "outputs": []})

    def known_step(self, _, key):
        known = self._counting(key)
        self._answer(200 if known else 404, known or {"error": {"code": "StepNotFound", "message": "none"}})

    def _counting(self, key):
        """The first success with a key, until one was told instead of it."""
        found = None
        for step in self.registry.steps:
            if (step["key"], step["status"]) == (key, "Succeeded"):
                found = step if found is None or step.get("insteadOf") == found["uid"] else found
        if found is None:
            return None
        outputs = [f"{each['family']}/{each['name']}" for each in found["outputs"]]
        return {"run": found["name"], "uid": found["uid"], "outputs": outputs}

    def post_attempt(self, _, run, number):
        report = json.loads(self._body())
        self.registry.attempts.append((run, int(number), report))
        self._answer(200, {"status": report["status"], "reason": "", "output": None, "files": None, "isYours": True})

    def get_object(self, _, digest, ulid):
        if f"generation={self.registry.generation}" not in self.path:
            self._answer(403, b"<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>")
            return
        data = self.registry.objects.get(f"{digest}/{ulid}")
        if data is None:
            self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
            return
        wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        part, status, headers = data, 200, {}
        if wanted:
            start, end = int(wanted[1]), int(wanted[2]) + 1
            if start >= len(data):
                self._answer(416, b"<Error><Code>InvalidRange</Code></Error>")
                return
            part, status = data[start:end], 206
            headers = {"Content-Range": f"bytes {start}-{start + len(part) - 1}/{len(data)}"}
        if self.fault == "break":
            self.send_response(status)
            for name, text in headers.items():
                self.send_header(name, text)
            self.send_header("Content-Length", str(len(part)))
            self.end_headers()
            self.wfile.write(part[: len(part) // 2])
            self.close_connection = True
            return
        self._answer(status, part, headers)

    def put_object(self, _, digest, ulid):
        if self.fault == "break":
            self.rfile.read(int(self.headers["Content-Length"]) // 2)
            self.close_connection = True
            return
        body = self._body()
        if f"generation={self.registry.generation}" not in self.path:
            self._answer(403, b"<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>")
            return
        checksum = base64.b64encode(hashlib.sha256(body).digest()).decode()
        if self.headers["x-amz-checksum-sha256"] != base64.b64encode(bytes.fromhex(digest)).decode():
            self._answer(403, b"<Error><Code>SignatureDoesNotMatch</Code></Error>")
        elif self.headers["x-amz-checksum-sha256"] != checksum:
            self._answer(400, b"<Error><Code>XAmzContentChecksumMismatch</Code></Error>")
        elif f"{digest}/{ulid}" in self.registry.objects:
            self._answer(412, b"<Error><Code>PreconditionFailed</Code></Error>")
        else:
            self.registry.objects[f"{digest}/{ulid}"] = body
            with self.registry.lock:
                self.registry.sent_bytes += len(body)
            if self.fault == "lose answer":
                self.close_connection = True
                return
            self._answer(200)


_NS = r"/v1/namespaces/([^/]+)"
_OBJECT = r"/bucket/spaces/([^/]+)/data/../([0-9a-f]{64})/([0-9A-Z]{26})"
_ROUTES = [
    (_NS + r"/resolve", "GET", "resolve", _Handler.resolve),
    (_NS + r"/content/([^/]+)/tree", "GET", "tree", _Handler.tree),
    (_NS + r"/content/([^/]+)/layout", "GET", "layout", _Handler.layout),
    (_NS + r"/content/([^/]+)/urls", "POST", "urls", _Handler.urls),
    (_NS + r"/(artifacts|datasets)/([^/]+)/versions", "POST", "versions", _Handler.reserve),
    (_NS + r"/(artifacts|datasets)/([^/]+)/versions", "GET", "versions", _Handler.list_versions),
    (_NS + r"/trees/([^/]+)", "PUT", "trees", _Handler.put_tree),
    (_NS + r"/uploads", "POST", "uploads", _Handler.uploads),
    (_NS + r"/commits/([^/]+)", "POST", "commits", _Handler.commit),
    (_NS + r"/models/([^/]+)/aliases/([^/]+)/history", "GET", "history", _Handler.history),
    (_NS + r"/lineage(?:/[a-z]+)?", "GET", "question", _Handler.question),
    (_NS + r"/models/([^/]+)/aliases/([^/]+)/deployed", "GET", "question", _Handler.question),
    (r"/v1/info", "GET", "info", _Handler.about),
    (_NS + r"/progress", "POST", "progress", _Handler.post_progress),
    (_NS + r"/runs/([^/]+)/attempts/(\d+)", "POST", "attempts", _Handler.post_attempt),
    (_NS + r"/(runs/[^/]+)", "GET", "records", _Handler.answer_record),
    (_NS + r"/steps", "POST", "steps", _Handler.tell_step),
    (_NS + r"/steps/([^/]+)", "GET", "steps", _Handler.known_step),
    (_OBJECT, "GET", "object", _Handler.get_object),
    (_OBJECT, "PUT", "object", _Handler.put_object),
]
