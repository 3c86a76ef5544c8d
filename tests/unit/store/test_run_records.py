"""Records of runs: the first writer is right, whatever is doubled, lost or asked at the same moment."""

import asyncio
import json
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelberth.content.collections import artifact
from modelberth.content.errors import FormatError
from modelberth.store import minors
from modelberth.store.content_store import ContentStore
from modelberth.store.errors import StoreUnavailable, Tampered
from modelberth.store.run_records import parse_attempt, parse_run, serialise_attempt, serialise_run
from modelberth.store.run_types import AttemptRecord, KeyRecord, PhaseTime, RunId, RunRecord
from modelberth.store.types import NewVersion, Space
from tests.unit.store.s3_double import Stored, running_double

SPACE = Space("s" * 26, "team", "uid")
RUN = RunId("housing-price-1", "0b5b")
HOUSING = artifact("housing-price")
KEY = "ab" * 32


def digest(number):
    return f"sha256:{number:064x}"


ATTEMPT = AttemptRecord(
    run=RUN,
    number=0,
    pod_uid="pod-1",
    status="Succeeded",
    reason="",
    message="",
    output=digest(1),
    files=digest(2),
    file_paths=("artifacts/curve.csv",),
    metrics={"rmse": 0.5},
    phases=(PhaseTime("Training", "2026-01-31T12:00:00Z", 1.5),),
    python="3.12.4",
    packages={"numpy": "2.0"},
    log_tail=("done",),
    finished_at="2026-01-31T12:00:02Z",
)
FINAL = RunRecord(run=RUN, pipeline="housing", status="Succeeded", reason="", message="", version="housing-price-1.1")


def new(number, run_uid):
    return NewVersion(HOUSING, digest(number), "operator", spec={"lineage": {"run": {"uid": run_uid}}})


async def minor(store, number, run_uid, base="1.0"):
    reserved = await store.reserve_minor(SPACE, new(number, run_uid), major=1, base=base, run_uid=run_uid)
    return reserved.record


class TestAttempts:
    async def test_the_first_report_is_the_attempt(self, store, space):
        """A doubled pod reports what it likes: it is told what holds."""
        assert await store.record_attempt(space, ATTEMPT) == ATTEMPT
        assert await store.record_attempt(space, replace(ATTEMPT, pod_uid="pod-2", status="Failed")) == ATTEMPT
        assert await store.attempt(space, RUN, 0) == ATTEMPT

    async def test_attempts_do_not_share_anything(self, store, space):
        """Another number, another run of the same name: nothing there yet."""
        await store.record_attempt(space, ATTEMPT)
        assert await store.attempt(space, RUN, 1) is None
        assert await store.attempt(space, RunId(RUN.name, "another"), 0) is None

    async def test_a_lost_answer_is_no_second_record(self, store, space, s3):
        """The record is there although its writer did not hear of it; writing again finds its own."""
        s3.lose()
        assert await store.record_attempt(space, ATTEMPT) == ATTEMPT

    async def test_a_forged_record_is_told(self, store, space, s3):
        """One that says that it is another attempt's is not taken for this one's."""
        await store.record_attempt(space, ATTEMPT)
        [(key, stored)] = [(key, stored) for key, stored in s3.objects.items() if "/attempts/" in key]
        s3.objects[key] = Stored(json.dumps({**json.loads(stored.body), "uid": "another"}).encode(), stored.headers)
        with pytest.raises(Tampered, match="uid"):
            await store.attempt(space, RUN, 0)


class TestRuns:
    async def test_a_finished_run_never_changes(self, store, space):
        """Whoever finishes it again, saying something else, is told how it ended."""
        assert await store.finish_run(space, FINAL) == FINAL
        assert await store.finish_run(space, replace(FINAL, status="Failed", version="")) == FINAL
        assert await store.run_record(space, RUN) == FINAL

    async def test_runs_are_found_by_name(self, store, space):
        """All that ever had it, not those whose name begins like it, and only what has ended."""
        others = [RunId(RUN.name, "1a"), RunId(RUN.name + "0", "2b")]
        for run in [RUN, *others]:
            await store.finish_run(space, replace(FINAL, run=run))
        await store.record_attempt(space, replace(ATTEMPT, run=RunId(RUN.name, "unfinished")))
        assert await store.find_runs(space, RUN.name) == [RUN, others[0]]
        assert await store.runs(space) == sorted([RUN, *others])

    async def test_nothing_is_nothing(self, store, space):
        """Of a run that nobody knows there is no record."""
        assert await store.run_record(space, RUN) is None
        assert await store.find_runs(space, "nobody") == []

    @pytest.mark.parametrize("name", ["../up", "a/b", "", "A", "."])
    async def test_names_cannot_climb(self, store, space, name):
        """A name that could leave its folder of the bucket is refused."""
        with pytest.raises(FormatError):
            await store.run_record(space, RunId(name, "uid"))
        with pytest.raises(FormatError):
            await store.find_runs(space, name)
        with pytest.raises(FormatError):
            await store.run_of_key(space, name)


class TestKeys:
    async def test_the_first_run_of_a_key_is_remembered(self, store, space):
        """A later one with the same key changes nothing."""
        first = KeyRecord(KEY, RUN, "housing-price-1.1")
        assert await store.run_of_key(space, KEY) is None
        assert await store.remember_key(space, first) == first
        assert await store.remember_key(space, KeyRecord(KEY, RunId("other", "u"), "housing-price-1.2")) == first
        assert await store.run_of_key(space, KEY) == first

    async def test_a_key_whose_version_is_gone_is_remembered_anew(self, store, space):
        """Whoever found it gone says so; whoever comes late with the same news changes nothing."""
        first = KeyRecord(KEY, RUN, "housing-price-1.1")
        second = KeyRecord(KEY, RunId("second", "u2"), "housing-price-1.2")
        third = KeyRecord(KEY, RunId("third", "u3"), "housing-price-1.3")
        await store.remember_key(space, first)
        assert await store.remember_key(space, second, instead_of=first) == second
        assert await store.remember_key(space, third, instead_of=first) == second
        assert await store.run_of_key(space, KEY) == second

    async def test_many_writers_agree(self, store, space):
        """At the same moment one of them wins, and all are told the same."""
        records = [KeyRecord(KEY, RunId(f"run-{n}", f"u{n}"), f"housing-price-1.{n}") for n in range(8)]
        told = await asyncio.gather(*(store.remember_key(space, record) for record in records))
        assert len(set(map(str, told))) == 1
        assert await store.run_of_key(space, KEY) == told[0]


class TestMinors:
    async def test_the_next_free_one(self, store):
        """1.0 gives 1.1; where that is taken, also by a push by hand, 1.2."""
        assert (await minor(store, 1, "a")).version == "1.1"
        await store.reserve_version(SPACE, NewVersion(HOUSING, digest(9), "me", "Semantic", "1.2"))
        assert (await minor(store, 2, "b")).version == "1.3"

    async def test_a_run_that_comes_again_finds_its_number(self, store):
        """After a crash, or by a second leader: never two numbers for one run."""
        assert (await minor(store, 1, "a")).version == "1.1"
        assert (await minor(store, 2, "b")).version == "1.2"
        assert (await minor(store, 1, "a")).version == "1.1"
        assert await store.versions(SPACE, HOUSING) == ["1.1", "1.2"]

    async def test_the_same_content_of_another_run_is_a_version_of_its_own(self, store):
        """A training that came out the same is a new version all the same: it has another lineage."""
        assert (await minor(store, 1, "a")).version == "1.1"
        assert (await minor(store, 1, "b")).version == "1.2"

    @pytest.mark.parametrize("content", [1, 7])
    async def test_who_pushes_in_a_runs_name_is_only_in_its_way(self, store, space, content):
        """A record that says that it is the run's, but by another author, is stepped over; and nobody gets at bytes by
        it.
        """
        forged = replace(new(content, "a"), created_by="mallory", versioning="Semantic", version="1.1")
        await store.reserve_version(space, forged)
        for _ in range(2):
            made = await minor(store, 1, "a")
            assert (made.version, made.digest, made.created_by) == ("1.2", digest(1), "operator")
        assert await store.has_family(space, "models", digest(1))
        assert not await store.has_family(space, "models", digest(7))

    async def test_a_run_that_comes_with_other_content_finds_its_number(self, store, space):
        """Two leaders that saw two attempts succeed: the first one's content is the version, and can be loaded."""
        await store.reserve_version(space, replace(new(1, "a"), versioning="Semantic", version="1.1"))
        made = await minor(store, 2, "a")
        assert (made.version, made.digest) == ("1.1", digest(1))
        assert await store.versions(space, HOUSING) == ["1.1"]
        assert await store.has_family(space, "models", digest(1))
        assert not await store.has_family(space, "models", digest(2))

    async def test_a_thousand_numbers_in_the_way_are_the_end(self, store, monkeypatch):
        """What is taken stays so: asking again mends nothing, and the words say what does."""
        monkeypatch.setattr(minors, "_STEPS", 3)
        for number in range(1, 4):
            pushed = NewVersion(HOUSING, digest(9), "me", "Semantic", f"1.{number}")
            await store.reserve_version(SPACE, pushed)
        with pytest.raises(FormatError, match="push a new major"):
            await minor(store, 1, "a")

    async def test_other_majors_do_not_matter(self, store):
        """A run of major 1 makes a 1.x, whatever else there is."""
        await store.reserve_version(SPACE, NewVersion(HOUSING, digest(9), "me", "Semantic", "2.7"))
        assert (await minor(store, 1, "a", base="1.4")).version == "1.5"

    @pytest.mark.parametrize("base", ["v3", "2.0", "one"])
    async def test_a_base_of_another_major_is_refused(self, store, base):
        """The base is what the run started from: of the run's major, counted semantically."""
        with pytest.raises(FormatError):
            await minor(store, 1, "a", base=base)

    async def test_a_record_without_its_run_is_refused(self, store):
        """Else nobody would know it again."""
        with pytest.raises(FormatError, match="uid"):
            await store.reserve_minor(SPACE, new(1, "b"), major=1, base="1.0", run_uid="a")

    @settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
    @given(runs=st.lists(st.sampled_from("abcde"), min_size=1, max_size=12))
    def test_each_run_has_one_number_whatever_comes_at_the_same_moment(self, runs):
        """Runs reserve at once, some of them twice: as many numbers as runs, each run told one."""

        async def reserve_all():
            with running_double() as double:
                bucket = double.bucket()
                store = ContentStore(bucket, "cluster")
                try:
                    records = await asyncio.gather(*(minor(store, ord(run), run) for run in runs))
                    return records, await store.versions(SPACE, HOUSING)
                finally:
                    bucket.close()

        records, numbers = asyncio.run(reserve_all())
        told = {run: {record.version for record, by in zip(records, runs, strict=True) if by == run} for run in runs}
        assert all(len(versions) == 1 for versions in told.values())
        assert len(numbers) == len(set(runs)) == len({version for (version,) in told.values()})

    async def test_an_outage_in_the_middle_is_no_second_number(self, store, s3):
        """The record may be there although its writer did not hear of it."""
        s3.lose(times=2)
        with pytest.raises(StoreUnavailable):
            await minor(store, 1, "a")
        first = await minor(store, 1, "a")
        assert await store.versions(SPACE, HOUSING) == [first.version]


texts = st.text(max_size=20)
commons = {
    "reason": texts,
    "message": texts,
    "traceback": st.lists(texts, max_size=3).map(tuple),
    "output": st.none() | st.integers(0, 99).map(digest),
    "files": st.none() | st.integers(0, 99).map(digest),
    "file_paths": st.lists(texts, max_size=3).map(tuple),
    "metrics": st.dictionaries(texts, st.floats(allow_nan=False, allow_infinity=False), max_size=3),
    "phases": st.lists(st.builds(PhaseTime, texts, texts, st.floats(0, 1e9), st.integers(0, 2**53)), max_size=3).map(
        tuple
    ),
    "packages": st.dictionaries(texts, texts, max_size=3),
    "log_tail": st.lists(texts, max_size=3).map(tuple),
}


@given(st.builds(AttemptRecord, run=st.just(RUN), number=st.integers(0, 31), pod_uid=texts, **commons))
def test_an_attempt_is_read_as_it_was_written(record):
    """Whatever an attempt tells."""
    assert parse_attempt("key", RUN, record.number, serialise_attempt(record)) == record


@given(st.builds(RunRecord, run=st.just(RUN), pipeline=texts, notes=texts, attempts=st.integers(0, 32), **commons))
def test_a_run_is_read_as_it_was_written(record):
    """Whatever a run was."""
    assert parse_run("key", RUN, serialise_run(record)) == record


def test_a_record_from_before_notes_were_kept():
    """It has none, and is read."""
    record = RunRecord(RUN, "housing", "Failed", "", "", notes="x")
    before = json.loads(serialise_run(record))
    del before["notes"]
    assert not parse_run("key", RUN, json.dumps(before).encode()).notes
