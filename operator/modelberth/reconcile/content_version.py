"""Reconciles versions: asks the store for the record and the content, and says whether the version is Ready."""

import base64
from collections.abc import Mapping

from modelberth.api import names
from modelberth.content.errors import FormatError
from modelberth.content.versions import Version
from modelberth.domain import content_version, version_users
from modelberth.domain.content_version import Stored, collection_of, number_of
from modelberth.domain.objects import Object, dig, is_deleting, name_of, namespace_of
from modelberth.domain.run_claims import claims_run
from modelberth.domain.verdicts import Standing, Verdict, blocked
from modelberth.reconcile.base import DONE, Recorder, Result, send, write_status
from modelberth.reconcile.homes import Homes
from modelberth.reconcile.store_words import RETRY_SECONDS, verdict_of
from modelberth.runtime.cache import Cache
from modelberth.runtime.clock import Clock
from modelberth.runtime.families import ContentFamily
from modelberth.runtime.kube import KubeApi
from modelberth.runtime.resources import Key
from modelberth.store.errors import StoreError, VersionTaken
from modelberth.store.port import StorePort
from modelberth.store.types import ContentSummary, NewVersion, Space, VersionRecord

RETRY_CONTENT = 15.0
"""Seconds until content that is not there is looked for again: pushing it makes no event."""


class ContentVersionReconciler:
    """One version of a family at a time; keeps nothing between two calls."""

    def __init__(
        self,
        family: ContentFamily,
        *,
        kube: KubeApi,
        cache: Cache,
        store: StorePort,
        recorder: Recorder,
        clock: Clock,
    ) -> None:
        self._family = family
        self._kube = kube
        self._homes = Homes(kube)
        self._cache = cache
        self._store = store
        self._recorder = recorder
        self._clock = clock

    async def reconcile(self, key: Key) -> Result:
        """Say whether the version is Ready; what is Ready once stays so, for nothing about it can change."""
        version = self._cache.get(self._family.versions, key.namespace, key.name)
        if version is None or is_deleting(version):
            return DONE
        verdict, stored = await self._judge(version)
        status = content_version.status_of(version, verdict, stored, self._users(version), now=self._clock.now())
        written = await write_status(
            self._family.versions,
            version,
            status,
            manager=names.field_manager(self._family.versions.plural),
            kube=self._kube,
            cache=self._cache,
        )
        if written and not content_version.is_settled(version):
            send(self._recorder, version, content_version.events_of(version, verdict))
        return Result(_RETRIES.get(verdict.reason))

    async def _judge(self, version: Object) -> tuple[Verdict, Stored | None]:
        if content_version.is_settled(version):
            return Verdict("Ready", Standing.READY, "Ready", ""), None
        holder = self._cache.get(self._family.collections, namespace_of(version), collection_of(version).name)
        fault = content_version.judge_collection(version, holder)
        if fault is not None:
            return fault, None
        try:
            stored = await self._ask_store(version)
            return content_version.judge_content(version, stored), stored
        except FormatError as error:
            return blocked("SourceInvalid", f"spec.source: {error}"), None
        except VersionTaken as error:
            return blocked("VersionTaken", f"spec.version: {error}: use the next number"), None
        except StoreError as error:
            return verdict_of(error), None

    async def _ask_store(self, version: Object) -> Stored:
        """What the store knows. Content that is there and has no record gets one: the record is the arbiter.

        But for one that says which run made it: a run's version has its record before its object.
        """
        space = await self._space(version)
        content = await self._content(space, version)
        record = await self._store.version_record(space, collection_of(version), number_of(version))
        pinned = dig(version, "spec", "digest")
        is_new = record is None and not claims_run(version["spec"])
        if is_new and content is not None and pinned in (None, content.digest):
            record = await self._reserve(space, version, content)
        return Stored(
            record_digest=record.digest if record else None,
            record_by=record.created_by if record else None,
            digest=content.digest if content else None,
            file_count=content.file_count if content else 0,
            size_bytes=content.size_bytes if content else 0,
            stored_bytes=content.stored_bytes if content else 0,
        )

    async def _space(self, version: Object) -> Space:
        return await self._store.space(namespace_of(version), await self._homes.uid_of(version))

    async def _content(self, space: Space, version: Object) -> ContentSummary | None:
        """The content, where the family has it: naming another family's digest gets nobody at its bytes."""
        inline = dig(version, "spec", "source", "inline", "files")
        if inline is not None:
            content = await self._store.put_inline(space, _decode(inline))
            await self._store.mark_content(space, self._family.name, content.digest)
            return content
        digest = str(dig(version, "spec", "digest"))
        known = await self._store.has_family(space, self._family.name, digest)
        return await self._store.content(space, digest) if known else None

    async def _reserve(self, space: Space, version: Object, content: ContentSummary) -> VersionRecord:
        number = number_of(version)
        reservation = await self._store.reserve_version(
            space,
            NewVersion(
                collection_of(version),
                version=number,
                versioning=Version.parse(number).versioning,
                digest=content.digest,
                created_by="",
                source="inline" if "inline" in version["spec"]["source"] else "pushed",
                spec=content_version.described(version),
            ),
        )
        return reservation.record

    def _users(self, version: Object) -> list[str]:
        namespace, name = namespace_of(version), name_of(version)
        index = self._family.versions.plural
        owners = [
            owner for users in self._family.users for owner in self._cache.by_index(users, index, namespace, name)
        ]
        return version_users.used_by(name, owners, self._family.name)


_RETRIES: Mapping[str, float] = {
    "ContentMissing": RETRY_CONTENT,
    **dict.fromkeys(("StoreUnavailable", "StoreDenied", "StoreFailed", "Tampered"), RETRY_SECONDS),
}


def _decode(files: Mapping[str, Mapping[str, str]]) -> dict[str, bytes]:
    """The files of an inline source.

    Raises:
        FormatError: a file's base64 is none.
    """
    return {path: _bytes_of(path, entry) for path, entry in files.items()}


def _bytes_of(path: str, entry: Mapping[str, str]) -> bytes:
    if "base64" not in entry:
        return entry.get("text", "").encode()
    try:
        return base64.b64decode(entry["base64"], validate=True)
    except ValueError as error:
        raise FormatError(f"inline.files[{path!a}].base64 is not base64: encode the file again") from error
