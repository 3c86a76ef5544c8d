"""The port to the records of training runs; a part of `port.StorePort`."""

from typing import Protocol

from modelberth.store.run_types import AttemptRecord, KeyRecord, RunId, RunRecord
from modelberth.store.types import NewVersion, Reservation, Space


class RunPort(Protocol):
    """Records of runs, by space. Errors are those of `port.StorePort`."""

    async def record_attempt(self, space: Space, record: AttemptRecord) -> AttemptRecord:
        """Write down how an attempt ended; the first who does is right. Returns what holds."""
        ...

    async def attempt(self, space: Space, run: RunId, number: int) -> AttemptRecord | None:
        """How an attempt ended; None while nobody has told."""
        ...

    async def finish_run(self, space: Space, record: RunRecord) -> RunRecord:
        """Write down how a run ended: a finished run never changes. Returns what holds."""
        ...

    async def run_record(self, space: Space, run: RunId) -> RunRecord | None:
        """How a run ended; None while it has not."""
        ...

    async def find_runs(self, space: Space, name: str) -> list[RunId]:
        """All finished runs that ever had this name."""
        ...

    async def runs(self, space: Space) -> list[RunId]:
        """All finished runs, by name and uid."""
        ...

    async def remember_key(self, space: Space, record: KeyRecord, *, instead_of: KeyRecord | None = None) -> KeyRecord:
        """Write down which run succeeded with a key; the first who does is right. Returns what holds.

        Args:
            space: where the run is.
            record: the run, and the version that it made.
            instead_of: what `run_of_key` said, where its version is gone and counts no longer.
        """
        ...

    async def run_of_key(self, space: Space, key: str) -> KeyRecord | None:
        """The run that counts for a key, in hex; None if none has succeeded with it."""
        ...

    async def reserve_minor(self, space: Space, new: NewVersion, *, major: int, base: str, run_uid: str) -> Reservation:
        """Give a run the next minor version, once and for ever.

        Counts upwards from the number behind `base` to the first that is free or already this run's: one that it has
        stays with the content that it has, whatever is asked for now. The content of a new one is marked as a model's.

        Args:
            space: where the run is.
            new: what the version is to be; its `spec.lineage.run.uid` is `run_uid`, its own number is not asked for.
            major: of the package.
            base: the largest minor of that major when the run started, as `1.4`.
            run_uid: by which the run knows its own record again.

        Raises:
            FormatError: base or spec do not fit, or no number follows, or none that is near.
        """
        ...
