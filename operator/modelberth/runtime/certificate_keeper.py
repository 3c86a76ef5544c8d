"""Keeps the registry's certificates in two Secrets of the operator's namespace, and replaces them in time.

`modelberth-ca` holds the CA with its key, for the operator alone; `modelberth-registry-tls` is what the registry
mounts. A Secret that was deleted or damaged is made anew. The CA is written first: what is served is always trusted.
"""

import base64
import logging
from collections.abc import Callable, Mapping

from modelberth.runtime.certificates import (
    Authority,
    CertificateError,
    KeyPair,
    carry_out,
    parsed,
    service_names,
    steps,
)
from modelberth.runtime.clock import Clock
from modelberth.runtime.errors import ApiUnavailable
from modelberth.runtime.kube import NO_VERSION, KubeApi
from modelberth.runtime.resources import SECRETS, Key, Object
from modelberth.runtime.results import Result

AUTHORITY_SECRET = "modelberth-ca"  # noqa: S105 (a name)
SERVING_SECRET = "modelberth-registry-tls"  # noqa: S105 (a name)
MANAGER = "modelberth/certificates"
CONTROLLER = "certificates"
"""The name of this work in the queue."""
LOOK_AGAIN_SECONDS = 3600.0

log = logging.getLogger(__name__)


class CertificateKeeper:
    """The one reconciler of the certificates; remembers the bundle that clients have to trust."""

    def __init__(
        self, *, kube: KubeApi, clock: Clock, namespace: str, service: str, changed: Callable[[], None]
    ) -> None:
        """Nothing is read yet.

        Args:
            kube: where the Secrets lie.
            clock: decides what is near its end.
            namespace: the operator's.
            service: the registry's Service.
            changed: is called whenever `bundle` is another than before.
        """
        self._kube = kube
        self._clock = clock
        self._namespace = namespace
        self._names = service_names(service, namespace)
        self._changed = changed
        self._bundle: str | None = None

    @property
    def key(self) -> Key:
        """The one key there is."""
        return Key(self._namespace, AUTHORITY_SECRET)

    @property
    def bundle(self) -> str:
        """The certificates (PEM) that clients of the registry have to trust.

        Raises:
            ApiUnavailable: they were not read yet; soon they will be.
        """
        if self._bundle is None:
            raise ApiUnavailable(0, "NotYet", "the registry's certificates were not read yet")
        return self._bundle

    @property
    def known_bundle(self) -> str:
        """As `bundle`, but "" while it was not read yet."""
        return self._bundle or ""

    async def reconcile(self, key: Key) -> Result:
        """Read both Secrets, do what has to be done, look again within the hour.

        Raises:
            ApiError: the API server did not answer, or somebody else wrote meanwhile.
        """
        del key
        stored_ca = await self._kube.get(SECRETS, self._namespace, AUTHORITY_SECRET)
        stored_serving = await self._kube.get(SECRETS, self._namespace, SERVING_SECRET)
        authority, serving = _authority(stored_ca), _serving(stored_serving)
        now = self._clock.now()
        todo = steps(authority, serving, names=self._names, now=now)
        if todo:
            log.info("certificates", extra={"steps": [step.value for step in todo]})
            new_authority, new_serving = carry_out(todo, authority, serving, names=self._names, now=now)
            if new_authority != authority:
                await self._write(stored_ca, AUTHORITY_SECRET, _authority_data(new_authority))
            authority, serving = new_authority, new_serving
        if authority is not None and serving is not None:
            data = {**_pair_data("tls", serving), "ca.crt": authority.bundle}
            if _data(stored_serving) != data:
                await self._write(stored_serving, SERVING_SECRET, data)
            self._publish(authority.bundle.decode())
        return Result(requeue_after=LOOK_AGAIN_SECONDS)

    def _publish(self, bundle: str) -> None:
        if bundle != self._bundle:
            self._bundle = bundle
            self._changed()

    async def _write(self, stored: Object | None, name: str, data: Mapping[str, bytes]) -> None:
        body: Object = {
            "metadata": {"name": name, "labels": {"app.kubernetes.io/managed-by": "modelberth"}},
            "type": "kubernetes.io/tls",
            "data": {field: base64.b64encode(value).decode() for field, value in sorted(data.items())},
        }
        if stored is not None:
            body["metadata"] |= {field: stored["metadata"][field] for field in ("uid", "resourceVersion")}
        else:
            body["metadata"]["resourceVersion"] = NO_VERSION
        # The first write is an apply too: only so a later one without a field takes that field away. It takes nothing
        # over from somebody who was quicker: neither from another replica nor, without force, from another manager.
        await self._kube.apply(SECRETS, self._namespace, name, body, manager=MANAGER, force=stored is not None)


def _authority(secret: Object | None) -> Authority | None:
    """The CA in its Secret; None if there is none that can be used."""
    data = _data(secret)
    try:
        current = _pair(data, "tls")
        if current is None:
            return None
        predecessor = data.get("previous.crt")
        if predecessor is not None:
            parsed(predecessor)
        successor = _pair(data, "next")
        return Authority(current, successor if successor != current else None, predecessor)
    except CertificateError as error:
        log.warning("the CA cannot be used and is made anew", extra={"secret": AUTHORITY_SECRET, "error": str(error)})
        return None


def _serving(secret: Object | None) -> KeyPair | None:
    try:
        return _pair(_data(secret), "tls")
    except CertificateError as error:
        log.warning(
            "the serving certificate cannot be used and is made anew",
            extra={"secret": SERVING_SECRET, "error": str(error)},
        )
        return None


def _pair(data: Mapping[str, bytes], name: str) -> KeyPair | None:
    certificate, key = data.get(f"{name}.crt"), data.get(f"{name}.key")
    if not certificate or not key:
        return None
    pair = KeyPair(certificate, key)
    pair.check()
    return pair


def _authority_data(authority: Authority) -> dict[str, bytes]:
    data = {**_pair_data("tls", authority.current), "ca.crt": authority.bundle}
    if authority.successor is not None:
        data |= _pair_data("next", authority.successor)
    if authority.predecessor is not None:
        data["previous.crt"] = authority.predecessor
    return data


def _pair_data(name: str, pair: KeyPair) -> dict[str, bytes]:
    return {f"{name}.crt": pair.certificate, f"{name}.key": pair.key}


def _data(secret: Object | None) -> dict[str, bytes]:
    encoded = (secret or {}).get("data") or {}
    return {field: base64.b64decode(value) for field, value in encoded.items()}
