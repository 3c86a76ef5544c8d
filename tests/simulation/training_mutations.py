"""Training broken on purpose, one way at a time, to prove that the invariants notice."""

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from modelberth.domain import version_users
from modelberth.domain.training import attempt, keys, pod_state, start, triggers
from modelberth.domain.training.inputs import Inputs
from modelberth.domain.training.template import Settled
from modelberth.reconcile import training_finish, training_run
from modelberth.reconcile.training_finish import Final, Finisher
from modelberth.store.run_types import RunRecord
from modelberth.store.types import NewVersion, Reservation, Space, VersionRecord
from tests.simulation import run_bucket, training_concurrency, training_invariants
from tests.simulation.mutations import Mutation

Patch = pytest.MonkeyPatch


def _a_number_for_each_try(patch: Patch) -> None:
    """The store forgets which run a number belongs to."""

    async def reserve(store: Any, space: Space, new: NewVersion, **_: object) -> Reservation:
        await store.mark_content(space, "models", new.digest)
        numbers = await store.versions(space, new.collection)
        number = f"1.{max(int(each.partition('.')[2]) for each in [*numbers, '1.0']) + 1}"
        reserved: Reservation = await store.reserve_version(space, dataclasses.replace(new, version=number))
        return reserved

    patch.setattr(run_bucket.GatedRuns, "reserve_minor", reserve)


def _object_before_record(patch: Patch) -> None:
    """The object is made with the number that the record is expected to get."""
    proper = Finisher._reserve

    async def reserve(self: Finisher, space: Space, final: Final) -> VersionRecord:
        assert final.inputs is not None
        assert final.attempt is not None
        major, minor = final.inputs.base.split(".")
        record = VersionRecord(
            training_finish.artifact(final.inputs.artifact),
            f"{major}.{int(minor) + 1}",
            str(final.attempt.output),
            "",
            "",
            spec={"lineage": {"run": {"trainingRun": "x", "uid": final.run["metadata"]["uid"]}}},
        )
        await self._create(final.run, f"{final.inputs.artifact}-{record.version}", record)
        return await proper(self, space, final)

    patch.setattr(Finisher, "_reserve", reserve)


def _blind_key(patch: Patch) -> None:
    """Parameters do not count for what a run does."""
    proper = keys.run_key

    def run_key(inputs: Inputs, settled: Settled) -> str:
        return proper(
            inputs, dataclasses.replace(settled, template=settled.template.model_copy(update={"environment": None}))
        )

    patch.setattr(start, "run_key", run_key)


def _ends_twice(patch: Patch) -> None:
    """The end of a run is decided anew each time instead of being read from its record."""

    async def finish_run(self: Any, space: Space, record: RunRecord) -> RunRecord:
        def perform() -> RunRecord:
            self._bucket.runs[space.id, record.run] = record
            return record

        written: RunRecord = await self._ask("finish", perform, is_write=True)
        return written

    async def run_record(self: Any, *_: object) -> None:
        await self._ask("run", lambda: None)

    patch.setattr(run_bucket.GatedRuns, "finish_run", finish_run)
    patch.setattr(run_bucket.GatedRuns, "run_record", run_record)


def _waits_for_ever(patch: Patch) -> None:
    """Inputs that are missing are waited for without end."""

    def decide(observed: start.Observed, template: object, missing: Any, now: object) -> Any:
        del observed, template, now
        return start._wait(start.waiting(missing.reason, missing.message), start.LOOK_AGAIN)

    patch.setattr(start, "_unresolved", decide)


def _forgets_what_it_started(patch: Patch) -> None:
    """A trigger's run gets another name each time that it is looked at."""
    proper, count = triggers._run, iter(range(10**6))

    def run(seen: triggers.Observed, suffix: str, trigger: Any) -> Any:
        made = proper(seen, suffix, trigger)
        made["metadata"]["name"] += f"-{next(count)}"
        return made

    patch.setattr(triggers, "_run", run)


def _claims_success(patch: Patch) -> None:
    """The status tells of the end before the record does."""

    async def finish(self: Finisher, space: Space, final: Final, *, now: Any) -> Any:
        del self, space
        ending = final.ending
        told = training_finish.Told(ending.status, ending.reason, ending.message, finished_at=now.isoformat())
        return told, {}

    patch.setattr(Finisher, "finish", finish)


def _leaves_pods(patch: Patch) -> None:
    """Pods of attempts that were given up are left alone."""
    patch.setattr(attempt, "_running", lambda *_: ())


def _trusts_names(patch: Patch) -> None:
    """Whatever has the name of a run's pod is taken for it."""
    patch.setattr(attempt, "is_ours", lambda pod, run: True)
    patch.setattr(training_run, "is_ours", lambda pod, run: True)


def _overlooks_data(patch: Patch) -> None:
    """What the dataset stands for is looked at once and never again."""
    proper = triggers._dataset

    def dataset(seen: triggers.Observed, found: Any) -> Any:
        before = (seen.pipeline.get("status") or {}).get("onDatasetVersion")
        return dict(before) if before else proper(seen, found)

    patch.setattr(triggers, "_dataset", dataset)


def _blames_for_drains(patch: Patch) -> None:
    """What the program's own report says counts, whatever became of its pod."""
    patch.setattr(pod_state, "cause", lambda pod, told: told)


def _waits_for_older_ones_only(patch: Patch) -> None:
    """With Forbid a run that has started is not waited for if its name comes later."""
    proper = start.waits_for

    def waits_for(run: Any, pipeline: Any, siblings: Any) -> str | None:
        return proper(run, pipeline, [each for each in siblings if _age(each) < _age(run)])

    patch.setattr(start, "waits_for", waits_for)


def _takes_names_for_age(patch: Patch) -> None:
    """Of two runs of one second the one whose name comes later counts as the newer one."""
    patch.setattr(start, "_is_newer", lambda run, other: _age(run) > _age(other))


def _age(run: Any) -> tuple[str, str]:
    return run["metadata"]["creationTimestamp"], run["metadata"]["name"]


def _hides_users(patch: Patch) -> None:
    """Versions never hear who names them."""
    patch.setattr(version_users, "used_by", lambda *_: [])


_CASES: tuple[tuple[str, str, Callable[[Patch], None]], ...] = (
    ("a number for each try", training_invariants.ONE_VERSION, _a_number_for_each_try),
    ("the object before the record", training_invariants.BYTES_FIRST, _object_before_record),
    ("a key without parameters", training_invariants.EQUAL_KEY, _blind_key),
    ("an end that is decided anew", training_invariants.FINAL, _ends_twice),
    ("waiting without end", training_invariants.ENDS, _waits_for_ever),
    ("another name each time", training_invariants.ONE_RUN, _forgets_what_it_started),
    ("success without a record", training_invariants.TRUE, _claims_success),
    ("pods that are left alone", training_invariants.NOTHING_LEFT, _leaves_pods),
    ("a foreign pod that is trusted", training_invariants.ENDS, _trusts_names),
    ("data that is overlooked", training_invariants.FOLLOWS, _overlooks_data),
    ("a drain that the program is blamed for", training_invariants.NO_BLAME, _blames_for_drains),
    ("a run that is not waited for", training_concurrency.ONE_ACTIVE, _waits_for_older_ones_only),
    ("names that count as age", training_concurrency.NEWEST_STAYS, _takes_names_for_age),
    ("users that a version does not show", training_invariants.USED, _hides_users),
)
MUTATIONS = tuple(Mutation(name, invariant, make) for name, invariant, make in _CASES)
