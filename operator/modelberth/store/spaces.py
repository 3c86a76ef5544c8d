"""Spaces: each namespace *uid* has its own part of the bucket, under an id that anyone can compute and nobody reuse."""

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator

from modelberth.store import keys
from modelberth.store.bucket import Bucket
from modelberth.store.documents import FORMAT, MAX_RECORD_BYTES, from_json, to_json
from modelberth.store.errors import NotFound, StoreDenied, Tampered
from modelberth.store.types import Space

EPOCH = 1
"""The writers of a space: an epoch beyond ours means that another cluster has taken it over."""

_DOMAIN = b"modelberth-space/1\n"
_ID_LENGTH = 26
_BEHIND_A_SLASH = "0"
"""The character that follows it: keys from there on are no longer in the folder."""


def space_of(cluster_uid: str, namespace: str, namespace_uid: str) -> Space:
    """The space of a namespace.

    The id follows from the uids (26 characters of base 32: 130 bits), so there is no table to look into and none to
    race for; a namespace that is deleted and made again has another uid, and never sees the old bytes.
    """
    digest = hashlib.sha256(_DOMAIN + cluster_uid.encode() + b"\n" + namespace_uid.encode()).digest()
    text = base64.b32encode(digest).decode().lower()
    return Space(text[:_ID_LENGTH], namespace, namespace_uid)


class Spaces:
    """The spaces of one cluster, each entered into the bucket before it is used.

    Args:
        bucket: where they lie.
        cluster_uid: the uid of the cluster's `kube-system` namespace.
    """

    def __init__(self, bucket: Bucket, cluster_uid: str) -> None:
        self._bucket = bucket
        self._cluster_uid = cluster_uid
        self._entered: dict[str, Space] = {}
        self._lock = asyncio.Lock()

    async def enter(self, namespace: str, namespace_uid: str) -> Space:
        """The space of a namespace, made if there is none.

        Raises:
            StoreDenied: an administrator closed it, or another cluster writes there now.
            Tampered: it belongs to another namespace.
        """
        known = self._entered.get(namespace_uid)
        if known is not None:
            return known
        async with self._lock:
            if namespace_uid not in self._entered:
                space = space_of(self._cluster_uid, namespace, namespace_uid)
                await self._enter(space)
                self._entered[namespace_uid] = space
        return self._entered[namespace_uid]

    async def all(self) -> AsyncIterator[tuple[str, str]]:
        """(namespace, its uid) of every space of this cluster that was ever entered, also of what is gone."""
        last: str | None = None
        while listed := await self._bucket.list_objects(keys.SPACES, start_after=last, limit=1):
            space_id = listed[0].key.removeprefix(keys.SPACES).partition("/")[0]
            last = f"{keys.SPACES}{space_id}{_BEHIND_A_SLASH}"
            key = keys.space_record(Space(space_id, "", ""))
            try:
                found = from_json(key, await self._bucket.get(key, limit=MAX_RECORD_BYTES))
                if found.text("cluster") == self._cluster_uid:
                    yield found.text("namespace"), found.text("namespaceUID")
            except (NotFound, Tampered):  # whoever uses the space is told
                continue

    async def _enter(self, space: Space) -> None:
        await self._mark_bucket()
        key = keys.space_record(space)
        record = {
            "format": FORMAT,
            "cluster": self._cluster_uid,
            "namespace": space.namespace,
            "namespaceUID": space.namespace_uid,
            "epoch": EPOCH,
            "closed": False,
        }
        if await self._bucket.put_if_absent(key, to_json(record)):
            return
        found = from_json(key, await self._bucket.get(key, limit=MAX_RECORD_BYTES))
        found.expect("cluster", self._cluster_uid)
        found.expect("namespaceUID", space.namespace_uid)
        if found.boolean("closed") or found.integer("epoch") != EPOCH:
            raise StoreDenied(
                f"space {space.id} of namespace {space.namespace} is closed or written by another cluster: "
                f"see {key} in the bucket"
            )

    async def _mark_bucket(self) -> None:
        if not self._entered and not await self._bucket.put_if_absent(keys.BUCKET_FORMAT, to_json({"format": FORMAT})):
            from_json(keys.BUCKET_FORMAT, await self._bucket.get(keys.BUCKET_FORMAT, limit=MAX_RECORD_BYTES))
