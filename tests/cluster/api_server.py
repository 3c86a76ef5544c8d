"""An independent, small client of the real API server: who asks, how, and what the server answers in its own words."""

import base64
import re
import ssl
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

PLURALS = {
    "ModelArtifact": "modelartifacts",
    "ModelVersion": "modelversions",
    "Dataset": "datasets",
    "DatasetVersion": "datasetversions",
    "TrainingPipeline": "trainingpipelines",
    "TrainingRun": "trainingruns",
    "Pod": "pods",
    "Secret": "secrets",
    "RegisteredModel": "registeredmodels",
    "ModelDeployment": "modeldeployments",
    "TransferSession": "transfersessions",
    "PodTemplate": "podtemplates",
    "ConfigMap": "configmaps",
    "Namespace": "namespaces",
    "Role": "roles",
    "RoleBinding": "rolebindings",
}
_CLUSTER_SCOPED = frozenset({"Namespace"})
_CORE = frozenset({"Namespace", "Pod", "Secret"})


class RefusedError(Exception):
    """The API server refused; the text is its own message."""

    def __init__(self, status: int, body: dict[str, Any]):
        super().__init__(body.get("message", str(body)))
        self.status = status
        self.reason = body.get("reason")


def refused(words: str) -> AbstractContextManager[pytest.ExceptionInfo[RefusedError]]:
    """What follows is refused by the API server with these words."""
    return pytest.raises(RefusedError, match=re.escape(words))


def wait_until(holds: Callable[[], bool], what: str) -> None:
    """Come back as soon as something holds; after 30 s the test fails and says what did not come about."""
    deadline = time.monotonic() + 30
    while not holds():
        if time.monotonic() > deadline:
            raise AssertionError(f"not so after 30 s: {what}")
        time.sleep(0.05)


def connect(kubeconfig: Path) -> httpx.Client:
    """A client of the kubeconfig's current cluster, as its administrator."""
    config = yaml.safe_load(Path(kubeconfig).read_text())
    cluster = config["clusters"][0]["cluster"]
    user = config["users"][0]["user"]
    context = ssl.create_default_context(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
    with tempfile.NamedTemporaryFile() as pair:
        pair.write(base64.b64decode(user["client-certificate-data"]) + base64.b64decode(user["client-key-data"]))
        pair.flush()
        context.load_cert_chain(pair.name)
    return httpx.Client(base_url=cluster["server"], verify=context, timeout=30)


@dataclass(frozen=True)
class Api:
    """Requests in one namespace, as the administrator or as whom `as_user` names."""

    http: httpx.Client
    namespace: str
    user: str | None = None

    def as_user(self, user: str) -> "Api":
        return replace(self, user=user)

    def create(self, obj: dict[str, Any], *, dry_run: bool = False) -> dict[str, Any]:
        return self._send("POST", self._path(obj, collection=True), json=obj, dry_run=dry_run)

    def get(self, kind: str, name: str) -> dict[str, Any]:
        return self._send("GET", self._path({"kind": kind, "metadata": {"name": name}}))

    def names(self, kind: str, **query: str) -> list[str]:
        path = self._path({"kind": kind}, collection=True)
        return sorted(item["metadata"]["name"] for item in self._send("GET", path, query=query)["items"])

    def replace(self, obj: dict[str, Any]) -> dict[str, Any]:
        return self._send("PUT", self._path(obj), json=obj)

    def merge(self, kind: str, name: str, patch: dict[str, Any], *, subresource: str = "") -> dict[str, Any]:
        named = {"kind": kind, "metadata": {"name": name}}
        path = self._path(named | ({"apiVersion": patch["apiVersion"]} if "apiVersion" in patch else {})) + subresource
        return self._send("PATCH", path, json=patch, content_type="application/merge-patch+json")

    def apply(self, obj: dict[str, Any], *, manager: str, force: bool = False) -> dict[str, Any]:
        query = {"fieldManager": manager, "force": str(force).lower()}
        return self._send("PATCH", self._path(obj), json=obj, query=query, content_type="application/apply-patch+yaml")

    def delete(self, kind: str, name: str, *, dry_run: bool = False) -> None:
        self._send("DELETE", self._path({"kind": kind, "metadata": {"name": name}}), dry_run=dry_run)

    def allow(self, user: str, group: str, resource: str, *verbs: str) -> None:
        """Give a user verbs on a resource (or `resource/subresource`) of this namespace; returns once they hold."""
        name = f"{user}-{resource.replace('/', '-')}-{'-'.join(verbs)}".replace(":", "-").replace("*", "all")
        rule = {"apiGroups": [group], "resources": [resource], "verbs": list(verbs)}
        role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": name}}
        self.create(role | {"rules": [rule]})
        self.create(
            role
            | {
                "kind": "RoleBinding",
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
                "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
            }
        )

        # The authorizer sees a new binding a moment later.
        wait_until(lambda: all(self.is_allowed(user, group, resource, verb) for verb in verbs), f"{user} may {verbs}")

    def is_allowed(self, user: str, group: str, resource: str, verb: str) -> bool:
        """What the authorizer says of a resource (or `resource/subresource`) of this namespace."""
        plural, _, subresource = resource.partition("/")
        attributes = {
            "namespace": self.namespace,
            "group": group,
            "resource": plural,
            "subresource": subresource,
            "verb": verb,
        }
        review = {"kind": "SubjectAccessReview", "apiVersion": "authorization.k8s.io/v1", "metadata": {}}
        spec = {"user": user, "resourceAttributes": attributes}
        answer = self._send("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", json=review | {"spec": spec})
        return bool(answer["status"]["allowed"])

    def _path(self, obj: dict[str, Any], *, collection: bool = False) -> str:
        kind = obj["kind"]
        version = obj.get("apiVersion") or ("v1" if kind in _CORE else "modelberth.io/v1alpha1")
        root = f"/apis/{version}" if "/" in version else f"/api/{version}"
        if kind not in _CLUSTER_SCOPED:
            root += f"/namespaces/{self.namespace}"
        path = f"{root}/{PLURALS[kind]}"
        return path if collection else f"{path}/{obj['metadata']['name']}"

    def _send(
        self,
        method: str,
        path: str,
        *,
        json: dict[str, Any] | None = None,
        query: dict[str, str] | None = None,
        content_type: str = "application/json",
        dry_run: bool = False,
    ) -> dict[str, Any]:
        params = dict(query or {})
        if json is not None:
            params["fieldValidation"] = "Strict"
        if dry_run:
            params["dryRun"] = "All"
        headers = {"Content-Type": content_type}
        if self.user:
            headers |= {"Impersonate-User": self.user}
        answer = self.http.request(method, path, json=json, params=params, headers=headers)
        body: dict[str, Any] = answer.json()
        if answer.status_code >= 400:
            raise RefusedError(answer.status_code, body)
        return body
