"""The Kubernetes API for the command line: a few plain calls with the user's own kubeconfig and rights."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self
from urllib.parse import urlencode

from modelberth.cli.errors import CommandError
from modelberth.runtime.connection import ConfigurationError, Connection, proxy_from_environment
from modelberth.runtime.credentials import CredentialsError, Headers
from modelberth.runtime.kubeconfig import load_connection
from modelberth.runtime.resources import Object, Resource
from modelberth.transfer.answers import decoded
from modelberth.transfer.errors import HttpFailure
from modelberth.transfer.http import Http, failure
from modelberth.transfer.patience import Patience

FIELD_MANAGER = "modelberth-cli"
_LONGEST_LINE = 1024 * 1024


class Cluster:
    """An API server, as one user.

    Raises:
        CommandError: the kubeconfig or its credentials cannot be used.
        HttpFailure: the API server refused; the message has its own words.
        Unreachable: it did not answer for a while.
    """

    def __init__(self, connection: Connection, *, patience: Patience | None = None) -> None:
        self.connection = connection
        with _in_words():
            tls = connection.tls()
        self.http = Http(tls=tls, timeout=60.0, proxy_for=lambda _: connection.proxy)
        self._patience = patience or Patience(seconds=30.0)

    @classmethod
    def connect(cls, kubeconfig: str | None, context: str | None) -> Self:
        """The cluster that kubectl would talk to."""
        with _in_words():
            return cls(load_connection(kubeconfig, context))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    @property
    def namespace(self) -> str:
        """The namespace of the kubeconfig's context."""
        return self.connection.namespace

    def headers(self) -> Headers:
        """What proves who we are, for a request now."""
        with _in_words():
            return self.connection.headers()

    def user(self) -> str:
        """Who we are to the API server."""
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        answer = self._call("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", review)
        return str(answer["status"]["userInfo"]["username"])

    def get(self, resource: Resource, namespace: str, name: str) -> Object | None:
        """An object, or None when there is none of this name."""
        try:
            return self._call("GET", resource.path(namespace, name))
        except HttpFailure as error:
            if error.status == 404:
                return None
            raise

    def list(self, resource: Resource, namespace: str) -> list[Object]:
        """All objects of a kind in a namespace, by name.

        Raises:
            CommandError: the cluster does not know the kind.
        """
        items: list[Object] = []
        token = ""
        while True:
            query = urlencode({"limit": 500, **({"continue": token} if token else {})})
            try:
                answer = self._call("GET", f"{resource.path(namespace)}?{query}")
            except HttpFailure as error:
                if error.status != 404:
                    raise
                raise CommandError(
                    f"this cluster knows no {resource.plural}: is Modelberth installed in it, and is it the right one?"
                ) from None
            items += answer["items"]
            token = (answer.get("metadata") or {}).get("continue") or ""
            if not token:
                return items

    def create(self, resource: Resource, namespace: str, body: Object) -> Object:
        """Create an object; a field that the API server does not know is an error."""
        query = urlencode({"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict"})
        return self._call("POST", f"{resource.path(namespace)}?{query}", body)

    def merge(self, resource: Resource, namespace: str, name: str, patch: Object) -> Object:
        """Change the fields that `patch` has (JSON merge patch); all others stay whoever's they are."""
        query = urlencode({"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict"})
        path = f"{resource.path(namespace, name)}?{query}"
        return self._call("PATCH", path, patch, content_type="application/merge-patch+json")

    def delete(self, resource: Resource, namespace: str, name: str) -> None:
        """Delete an object; one that is gone already is fine."""
        try:
            self._call("DELETE", resource.path(namespace, name))
        except HttpFailure as error:
            if error.status != 404:
                raise

    def lines(self, path: str) -> Iterator[bytes]:
        """The lines of an answer as they come, such as those of a pod's log that is followed. One attempt."""
        with self.http.send("GET", self.connection.server + path, headers=self.headers()) as response:
            if response.status >= 400:
                raise failure(path.partition("?")[0], response)
            while line := response.readline(_LONGEST_LINE):
                yield line

    def _call(
        self, method: str, path: str, body: Object | None = None, *, content_type: str = "application/json"
    ) -> Object:
        url = self.connection.server + path
        data = None if body is None else json.dumps(body).encode()

        def attempt() -> bytes:
            headers = [*self.headers(), ("Accept", "application/json")]
            if data is not None:
                headers.append(("Content-Type", content_type))
            return self.http.call(method, url, headers=headers, body=data)

        def attempt_with_fresh_credentials() -> bytes:
            try:
                return attempt()
            except HttpFailure as error:
                if error.status != 401:
                    raise
                with _in_words():
                    self.connection.refresh()
                return attempt()

        try:
            answer: Object = decoded(url, self._patience.run(attempt_with_fresh_credentials))
        except HttpFailure as error:
            if error.status != 401:
                raise
            words = "the API server does not accept the kubeconfig's credentials: log in again, or choose a --context"
            raise CommandError(f"{words} ({error})") from None
        return answer


@contextmanager
def _in_words() -> Iterator[None]:
    """Failures of the kubeconfig and of its credentials, a plugin's also, as the one sentence that they are."""
    try:
        yield
    except (ConfigurationError, CredentialsError) as error:
        raise CommandError(str(error)) from None


def proxy_for(url: str) -> str | None:
    """The proxy that the environment names for a URL."""
    return proxy_from_environment(url)
