"""From the records of a space to its lineage index: what is new is read, some records at a time, and let go of."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from functools import partial

from modelberth.content.errors import FormatError
from modelberth.content.versions import object_name
from modelberth.lineage.facts import AliasFact, Named, RunFact, StepFact, VersionFact
from modelberth.lineage.index import Index
from modelberth.store.content_store import ContentStore
from modelberth.store.errors import NotFound, Tampered
from modelberth.store.record_listing import AliasKey, RecordKey, VersionKey
from modelberth.store.run_types import STEP, RunId, RunRecord
from modelberth.store.types import AliasEntry, Space, VersionRecord

AT_ONCE = 8
"""Reads under way: half of what the store's connections take, so that pushes and loads go on beside it."""
_SAID = 10
_BROKEN_BYTES = 1000
"""What one that cannot be read takes of memory."""

log = logging.getLogger(__name__)


class NoRoom(Exception):  # noqa: N818 - of whoever reads, no error of the records
    """There is more than may be kept in memory; what was read stays."""

    def __init__(self) -> None:
        super().__init__("its records are more than fit into the memory for lineage")


class LineageReader:
    """Keeps the index of one space up with the bucket.

    Args:
        store: where the records are.
        space: whose.

    Attributes:
        index: everything that was read so far.
    """

    def __init__(self, store: ContentStore, space: Space) -> None:
        self._store = store
        self._space = space
        self._known: set[RecordKey] = set()
        self._broken: dict[RecordKey, str] = {}
        self.index = Index()

    def __len__(self) -> int:
        """How many records are in the index."""
        return len(self._known)

    @property
    def weight(self) -> int:
        """About how many bytes of memory it takes."""
        return self.index.weight + _BROKEN_BYTES * len(self._broken)

    @property
    def problems(self) -> list[str]:
        """What could not be understood, a sentence each; the answers are given without it."""
        said = list(self._broken.values())
        more = len(said) - _SAID
        return said[:_SAID] + ([f"{more} more records cannot be read"] if more > 0 else [])

    async def catch_up(self, *, at_once: int = AT_ONCE, has_room: Callable[[], bool] = lambda: True) -> None:
        """Read what is new. What was read stays when the store goes away in between.

        A record that is not what its key says is told and looked at again the next time: it never hides the others.

        Args:
            at_once: how many records are under way.
            has_room: whether another record may be taken; asked for each.

        Raises:
            StoreError: the store does not answer, or refuses us.
            NoRoom: there was none for what is left.
        """
        async for page in self._store.listing.pages(self._space):
            news = iter([key for key in page if key not in self._known])
            async with asyncio.TaskGroup() as readers:
                for _ in range(at_once):
                    readers.create_task(self._read_all(news, has_room))

    async def _read_all(self, keys: Iterable[RecordKey], has_room: Callable[[], bool]) -> None:
        for key in keys:
            try:
                add = await self._read(key)
                if not has_room():
                    raise NoRoom
                add()
            except (Tampered, NotFound, FormatError, ValueError) as error:
                if key not in self._broken:
                    if not has_room():
                        raise NoRoom from None
                    log.warning("a record is left out of the lineage", extra={"why": str(error)})
                self._broken[key] = str(error)
            else:
                self._known.add(key)
                self._broken.pop(key, None)

    async def _read(self, key: RecordKey) -> Callable[[], None]:
        """What puts the record into the index."""
        match key:
            case VersionKey(collection, version):
                record = await self._store.version_record(self._space, collection, version)
                if record is None:
                    raise NotFound(f"the record of version {version} of {collection} is gone")
                return partial(self.index.add_version, version_fact(record))
            case RunId():
                run = await self._store.run_record(self._space, key)
                if run is None:
                    raise NotFound(f"the record of run {key.name} is gone")
                return partial(self.index.add_run, run_fact(run))
            case AliasKey(model, alias, sequence):
                entry = await self._store.alias_entry(self._space, model, alias, sequence)
                return partial(self.index.add_alias, alias_fact(entry))


def version_fact(record: VersionRecord) -> VersionFact:
    """What lineage needs of a version record."""
    return VersionFact(
        family=record.collection.family,
        name=object_name(record.collection.name, record.version),
        digest=record.digest,
        created_at=record.created_at,
        created_by=record.created_by,
        spec=record.spec,
    )


def run_fact(record: RunRecord) -> RunFact:
    """What lineage needs of a run's record."""
    return RunFact(
        name=record.run.name,
        uid=record.run.uid,
        status=record.status,
        reason=record.reason,
        pipeline=record.pipeline,
        version=record.version,
        inputs=record.inputs,
        image=record.image,
        image_digest=record.image_digest,
        python=record.python,
        packages=record.packages,
        metrics=record.metrics,
        trigger=record.trigger,
        step=step_fact(record) if record.trigger == STEP else None,
        created_by=record.created_by,
        started_at=record.started_at,
        finished_at=record.finished_at,
    )


def step_fact(record: RunRecord) -> StepFact:
    """What a step's record tells that went in and came out."""
    parameters, summary = (record.results.get(part) or {} for part in ("parameters", "run_summary"))
    return StepFact(took=_named(parameters.get("inputs")), made=_named(summary.get("outputs")))


def _named(spelt: object) -> tuple[Named, ...]:
    """Versions out of their spellings, such as datasets/housing-v3."""
    found = [text.partition("/") for text in spelt if isinstance(text, str)] if isinstance(spelt, list) else []
    return tuple(Named("datasets" if family == "datasets" else "models", name) for family, _, name in found if name)


def alias_fact(entry: AliasEntry) -> AliasFact:
    """What lineage needs of an entry of an alias' history."""
    return AliasFact(
        model=entry.model,
        alias=entry.alias,
        uid=entry.uid,
        sequence=entry.sequence,
        event=entry.event,
        version=entry.version,
        at=entry.at,
        moved_by=entry.moved_by,
    )
