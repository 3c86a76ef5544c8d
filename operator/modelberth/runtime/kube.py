"""The port to the Kubernetes API: what reconcilers may ask of it, and nothing else.

`kube_client.KubeClient` speaks it over HTTP; the simulator speaks it in memory. Each method is one request, but for
`list`, which pages. Every refusal is an `errors.ApiError`; nothing is retried in here: the work queue retries.
"""

from collections.abc import Mapping
from typing import Protocol

from modelberth.runtime.resources import Key, Object, Resource

__all__ = ["NO_VERSION", "Key", "KubeApi", "Object", "Resource"]

NO_VERSION = "1"
"""A resourceVersion that no object has: an apply that carries it creates, and conflicts with whatever stands there.

Without it an apply that means to create would overwrite what another replica made meanwhile: both are the same field
manager, so that not even a lack of `force` holds it back.
"""


class KubeApi(Protocol):
    """Reads and writes of Kubernetes objects."""

    async def get(self, resource: Resource, namespace: str | None, name: str) -> Object | None:
        """One object, read with quorum; None if there is none."""
        ...

    async def list(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        labels: Mapping[str, str] | None = None,
        fields: str | None = None,
    ) -> list[Object]:
        """All objects (of one namespace), each with `apiVersion` and `kind`.

        Args:
            resource: what to list.
            namespace: None for all namespaces.
            labels: every one of these labels has to have this value.
            fields: a field selector in the API server's own syntax.
        """
        ...

    async def create(self, resource: Resource, namespace: str | None, body: Object, *, dry_run: bool = False) -> Object:
        """Create an object and return it as stored (or as it would be stored).

        Unknown and doubled fields are refused, never dropped.

        Raises:
            AlreadyExists: an object of that name is there.
            Invalid: the object is wrong, in the server's own words.
        """
        ...

    async def apply(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        body: Object,
        *,
        manager: str,
        subresource: str | None = None,
        force: bool = True,
        dry_run: bool = False,
    ) -> Object:
        """Server-side apply: own exactly the fields in `body` under the name `manager`.

        Without `force` a field that another manager owns with another value is a Conflict, not taken over.
        `metadata.uid` and `metadata.resourceVersion` in `body` are preconditions: they make the write fail, instead
        of undoing another writer's work or bringing a deleted object back.

        Raises:
            Conflict: the object is not the one that was observed, or (without force) a field is somebody else's.
            Invalid: the object is wrong, in the server's own words.
        """
        ...

    async def delete(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        *,
        uid: str | None = None,
        resource_version: str | None = None,
    ) -> None:
        """Delete an object, if it is (still) the one that was observed. That it is gone already is fine.

        Raises:
            Conflict: another object, or another state of it, is there by now.
        """
        ...
