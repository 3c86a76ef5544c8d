"""An API server on a real socket that keeps objects and proxies to the registry, as far as the command line uses it."""

import hashlib
import http.client
import json
import re
import threading
from urllib.parse import parse_qs, urlsplit

from tests.unit.fake_http import Handler, Server

PROXY = "/api/v1/namespaces/modelberth/services/https:modelberth-registry:443/proxy"


class FakeCluster:
    """Objects by path, requests as (method, path, query, body), and a kubeconfig that leads here.

    Attributes:
        refusals: {(method, part of the path): (status, reason, message)}.
        lost_answers: plurals whose next creation happens and is not answered.
        statuses: plural → statuses that its newest object goes through, one with each reading.
        logs: pod → what its log says.
        sessions_seen: every TransferSession that was ever created.
    """

    def __init__(self, registry):
        self.registry = registry
        self.objects = {}
        self.requests = []
        self.refusals = {}
        self.lost_answers = set()
        self.sessions_seen = []
        self.statuses = {}
        self.logs = {}
        self.session_families_refused = set()
        self.token = "user-token"
        handler = type("Bound", (_Handler,), {"cluster": self})
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

    def kubeconfig(self, folder):
        path = folder / "kubeconfig"
        path.write_text(
            json.dumps(
                {
                    "current-context": "here",
                    "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u", "namespace": "ns"}}],
                    "clusters": [{"name": "c", "cluster": {"server": self.url}}],
                    "users": [{"name": "u", "user": {"token": self.token}}],
                }
            )
        )
        return str(path)

    def put(self, plural, name, spec, status=None, namespace="ns"):
        path = f"/apis/modelberth.io/v1alpha1/namespaces/{namespace}/{plural}/{name}"
        self.objects[path] = {"metadata": {"name": name, "namespace": namespace}, "spec": spec, "status": status or {}}

    def get(self, plural, name, namespace="ns"):
        return self.objects.get(f"/apis/modelberth.io/v1alpha1/namespaces/{namespace}/{plural}/{name}")

    def session_holds(self, header):
        """Whether a `name.secret` belongs to a session that exists."""
        name, _, secret = header.rpartition(".")
        session = self.get("transfersessions", name)
        return bool(session) and session["spec"]["secretHash"] == hashlib.sha256(secret.encode()).hexdigest()


_LISTED = (
    "modelartifacts",
    "modelversions",
    "datasets",
    "datasetversions",
    "registeredmodels",
    "modeldeployments",
    "trainingruns",
)


class _Handler(Handler):
    cluster: FakeCluster

    def handle_any(self):
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers["Authorization"] != f"Bearer {self.cluster.token}":
            self._status(401, "Unauthorized", "who are you?")
            return
        if parts.path.startswith(PROXY):
            self._proxy(body)
            return
        value = json.loads(body) if body else None
        self.cluster.requests.append((self.command, parts.path, parse_qs(parts.query), value))
        for (method, part), refusal in self.cluster.refusals.items():
            if method == self.command and part in parts.path:
                self._status(*refusal)
                return
        getattr(self, f"_{self.command.lower()}")(parts.path, value)

    do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = handle_any  # noqa: N815 (http.server's names)

    def _get(self, path, _):
        log = re.fullmatch(r"/api/v1/namespaces/ns/pods/([^/]+)/log", path)
        if log and log[1] in self.cluster.logs:
            self._answer(200, self.cluster.logs[log[1]])
        elif path in self.cluster.objects:
            found = self.cluster.objects[path]
            if left := self.cluster.statuses.get(path.split("/")[-2]):
                found["status"] = left.pop(0)
            self._answer(200, found)
        elif path == "/api/v1/namespaces/ns":
            self._answer(200, {"metadata": {"name": "ns"}})
        elif path.rpartition("/")[2] in _LISTED:
            found = [value for key, value in sorted(self.cluster.objects.items()) if key.rpartition("/")[0] == path]
            self._answer(200, {"items": found, "metadata": {}})
        else:
            self._status(404, "NotFound", f"{path} not found")

    def _post(self, path, value):
        if path.endswith("/selfsubjectreviews"):
            self._answer(201, {"status": {"userInfo": {"username": "jane"}}})
            return
        place = f"{path}/{value['metadata']['name']}"
        if place in self.cluster.objects:
            self._status(409, "AlreadyExists", f"{place} already exists")
            return
        family = value.get("spec", {}).get("family", "models")
        if path.endswith("/transfersessions") and family in self.cluster.session_families_refused:
            self._status(403, "Forbidden", f"no {family} for you")
            return
        value["metadata"].setdefault("uid", f"uid-of-{value['metadata']['name']}")
        self.cluster.objects[place] = value
        if path.endswith("/transfersessions"):
            self.cluster.sessions_seen.append(value)
        plural = path.rpartition("/")[2]
        if plural in self.cluster.lost_answers:
            self.cluster.lost_answers.discard(plural)
            self.close_connection = True
            return
        self._answer(201, value)

    def _patch(self, path, patch):
        assert self.headers["Content-Type"] == "application/merge-patch+json"
        _merge(self.cluster.objects[path], patch)
        self._answer(200, self.cluster.objects[path])

    def _delete(self, path, _):
        if self.cluster.objects.pop(path, None) is None:
            self._status(404, "NotFound", f"{path} not found")
        else:
            self._answer(200, {})

    def _proxy(self, body):
        """As the API server's proxy: our own Authorization is not passed on, everything else is."""
        if not self.cluster.session_holds(self.headers.get("Modelberth-Session", "")):
            self._answer(401, {"error": {"code": "Unauthorized", "message": "no valid token or session"}})
            return
        asked = re.search(r"/content/(sha256:[0-9a-f]{64})/", self.path)
        family = self._family()
        if asked and family != "runs" and (family, asked[1]) not in self.cluster.registry.families:
            self._answer(404, {"error": {"code": "ContentNotFound", "message": f"{asked[1]} is not there"}})
            return
        server = urlsplit(self.cluster.registry.url)
        connection = http.client.HTTPConnection(server.hostname, server.port, timeout=30)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in ("authorization", "host")}
        connection.request(self.command, self.path[len(PROXY) :], body=body, headers=headers)
        response = connection.getresponse()
        data = response.read()
        self._answer(response.status, data, {"Retry-After": response.headers.get("Retry-After", "1")})
        connection.close()

    def _family(self):
        """Whose content the session is for."""
        name = self.headers["Modelberth-Session"].rpartition(".")[0]
        return self.cluster.get("transfersessions", name)["spec"].get("family", "models")

    def _status(self, status, reason, message):
        self._answer(status, {"kind": "Status", "status": "Failure", "reason": reason, "message": message})

    def _answer(self, status, value, headers=None):
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        for name, text in (headers or {}).items():
            self.send_header(name, text)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def _merge(target, patch):
    for name, value in patch.items():
        if isinstance(value, dict):
            _merge(target.setdefault(name, {}), value)
        elif value is None:
            target.pop(name, None)
        else:
            target[name] = value


def sessions_left(cluster):
    """The TransferSessions that were not deleted."""
    return [path for path in cluster.objects if re.search(r"/transfersessions/", path)]
