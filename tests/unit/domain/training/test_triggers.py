"""Triggers: each time and each version starts one run, whatever is seen twice, missed or set back."""

from datetime import datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from modelberth.api.training_pipeline import TrainingPipelineSpec
from modelberth.domain.training import triggers
from modelberth.domain.training.inputs import missing
from modelberth.domain.training.origin import comes_from
from modelberth.domain.training.triggers import Observed
from tests.unit.domain import builders as objects
from tests.unit.domain.builders import NOW, at
from tests.unit.domain.training.builders import later, pipeline, pipeline_spec, run
from tests.unit.domain.training.test_start import HOUSING, PACKAGE, PRICE, Shelf

EVERY_TEN = {"schedule": {"cron": "*/10 * * * *"}}
BY_DATA = {"onDatasetVersion": {}}


def decide(obj, *, now=NOW, **more):
    spec = TrainingPipelineSpec.model_validate(obj["spec"])
    return triggers.decide(Observed(obj, spec, **more), now=now)


def after(obj, plan):
    """The pipeline with the status that the plan gives it."""
    return {**obj, "status": dict(plan.status)}


def names(plan):
    return [made["metadata"]["name"] for made in plan.create]


def test_a_time_that_is_due_starts_one_run():
    """The last time before now is started, named by its minute, and not again."""
    obj = pipeline(triggers=EVERY_TEN)
    plan = decide(obj)
    assert names(plan) == [f"fed-{int(later(-300).timestamp()) // 60}"]
    assert plan.create[0]["spec"]["trigger"] == {"type": "Schedule", "scheduledAt": at(-300)}
    assert decide(after(obj, plan)).create == ()


def test_of_times_that_were_missed_the_last_is_caught_up():
    """A day without an operator is one run, not a hundred."""
    obj = pipeline(triggers=EVERY_TEN, created=-86400)
    assert len(decide(obj).create) == 1


def test_a_new_cron_line_has_missed_nothing():
    """Times before the schedule was what it is now are nobody's."""
    obj = after(pipeline(triggers=EVERY_TEN), decide(pipeline(triggers=EVERY_TEN)))
    obj["spec"]["triggers"] = {"schedule": {"cron": "0 14 * * *"}}
    plan = decide(obj)
    assert plan.create == ()
    assert plan.status["schedule"]["next"] == at(86400 - 300)


def test_times_pass_while_suspended_or_forbidden():
    """A time that nothing may start at is passed over for good."""
    suspended = pipeline(triggers=EVERY_TEN, suspend=True)
    plan = decide(suspended)
    assert plan.create == ()
    resumed = after({**suspended, "spec": {**suspended["spec"], "suspend": False}}, plan)
    assert decide(resumed).create == ()
    busy = pipeline(triggers=EVERY_TEN, concurrency="Forbid")
    assert decide(busy, runs=(run(),)).create == ()


def test_a_clock_that_had_jumped_ahead_stops_no_schedule():
    """What was dealt with in a year that is not yet is forgotten; a clock set back by seconds starts nothing twice."""
    obj = pipeline(triggers=EVERY_TEN)
    ahead = after(obj, decide(obj, now=later(365 * 86400)))
    back = decide(ahead)
    assert (back.create, back.status["schedule"]["next"]) == ((), at(300))
    assert len(decide(after(ahead, back), now=later(300)).create) == 1
    due = decide(obj, now=later(300))
    slightly = decide(after(obj, due), now=later(299))
    assert decide(after(obj, slightly), now=later(301)).create == ()


@pytest.mark.parametrize(("cron", "zone"), [("0 0 30 2 *", "UTC"), ("* * * * *", "Mars/Base")])
def test_a_schedule_that_is_none_is_told(cron, zone):
    """A line that never fires, or a zone that is none, stalls the pipeline and says which field."""
    plan = decide(pipeline(triggers={"schedule": {"cron": cron, "timeZone": zone}}))
    found = {entry["type"]: entry for entry in plan.status["conditions"]}
    assert found["Stalled"]["reason"] == "ScheduleInvalid"
    assert "triggers.schedule." in found["Ready"]["message"]


def test_the_version_that_is_there_first_starts_nothing():
    """What the alias stands for when the pipeline is first seen is where it begins; the next one starts a run."""
    obj = pipeline(triggers=BY_DATA)
    first = decide(obj, standing="housing-v1")
    assert first.create == ()
    seen = after(obj, first)
    assert decide(seen, standing="housing-v1").create == ()
    second = decide(seen, standing="housing-v2")
    assert second.create[0]["spec"]["trigger"] == {"type": "DatasetVersion", "datasetVersion": "housing-v2"}
    assert decide(after(obj, second), standing="housing-v2").create == ()


@pytest.mark.parametrize(("is_older", "runs"), [(True, 0), (False, 1)])
def test_the_first_version_starts_a_run_if_it_came_after_the_pipeline(is_older, runs):
    """What was applied together with the pipeline starts nothing, whichever of the two was seen first."""
    obj = after(pipeline(triggers=BY_DATA), decide(pipeline(triggers=BY_DATA)))
    plan = decide(obj, standing="housing-v0", is_older=is_older)
    assert len(plan.create) == runs
    assert plan.status["onDatasetVersion"]["version"] == "housing-v0"


def test_an_alias_that_comes_back_starts_again():
    """Moved away and back is two moves; a crash between run and status makes no third run."""
    obj = after(pipeline(triggers=BY_DATA), decide(pipeline(triggers=BY_DATA), standing="housing-v1"))
    away = decide(obj, standing="housing-v2")
    assert names(decide(obj, standing="housing-v2")) == names(away)
    back = decide(after(obj, away), standing="housing-v1")
    again = decide(after(obj, back), standing="housing-v2")
    assert len({*names(away), *names(back), *names(again)}) == 3


def test_data_waits_where_runs_may_not_meet():
    """With Forbid, or while suspended, a new version is taken up later and not lost."""
    for more, runs in (({"concurrency": "Forbid"}, (run(),)), ({"suspend": True}, ())):
        obj = pipeline(triggers=BY_DATA, **more)
        obj = after(obj, decide(obj, standing="housing-v1"))
        held = decide(obj, standing="housing-v2", runs=runs)
        assert held.create == ()
        free = after({**obj, "spec": {**obj["spec"], "suspend": False}}, held)
        assert len(decide(free, standing="housing-v2").create) == 1


def test_a_loop_is_told_and_starts_nothing():
    """Data that comes from the pipeline itself is a condition, and starts nothing later either."""
    obj = pipeline(triggers=BY_DATA)
    obj = after(obj, decide(obj, standing="housing-v1"))
    plan = decide(obj, standing="housing-v2", loops=True)
    assert plan.create == ()
    found = {entry["type"]: entry["status"] for entry in plan.status["conditions"]}
    assert (found["TriggerLoop"], found["Stalled"]) == ("True", "True")
    healthy = decide(after(obj, plan), standing="housing-v3")
    assert len(healthy.create) == 1
    assert "TriggerLoop" not in {entry["type"] for entry in healthy.status["conditions"]}


def made_of(name, **spec):
    version = objects.dataset_version(name) if "-v" in name else objects.version(name)
    return {**version, "spec": {**version["spec"], **spec}}


def nobody(run):
    """No run is there any more."""


def test_origins_are_followed_through_data_and_models():
    """A labelled set of data that a model of the pipeline labelled comes from the pipeline, however far away."""
    labelling = run("labelling", pipeline="labels", status={"inputs": {"package": "price-1.1", "dataset": "raw-v0"}})
    shelf = Shelf(
        made_of("price-1.1", lineage={"run": {"trainingRun": "fed-29000000"}}),
        made_of("labels-v1", lineage={"run": {"trainingRun": "labelling", "uid": "uid-labelling"}}),
        made_of("housing-v2", derivedFrom=["labels-v1", "raw-v0"]),
        made_of("raw-v0", derivedFrom=["housing-v2"]),
    )
    known = {"labelling": labelling}.get
    assert comes_from("housing-v2", "fed", shelf, known)
    assert comes_from("housing-v2", "labels", shelf, known)
    assert not comes_from("housing-v2", "other", shelf, known)
    assert not comes_from("housing-v2", "fe", shelf, known)
    assert not comes_from("unknown-v1", "fed", shelf, known)
    assert not comes_from("housing-v2", "fed", shelf, nobody)


def test_a_run_is_known_by_its_uid():
    """What a step or a run of an earlier time made is not what a namesake of today makes."""
    shelf = Shelf(
        made_of("housing-v1", lineage={"run": {"trainingRun": "clean", "uid": "step-1"}}),
        made_of("housing-v2", lineage={"run": {"trainingRun": "clean"}}),
    )
    known = {"clean": run("clean")}.get
    assert not comes_from("housing-v1", "fed", shelf, known)
    assert comes_from("housing-v2", "fed", shelf, known)


def ended(name: str, phase: str, seconds: float, **labels: str):
    obj = run(name, status={"phase": phase, "finishedAt": at(seconds)})
    obj["metadata"]["labels"] = {"app.kubernetes.io/managed-by": "modelberth", **labels}
    return obj


def test_the_history_is_bounded():
    """Of triggered runs that are over the oldest go; of those that people made, none, and none while one is due."""
    runs = (*(ended(f"fed-{n}", "Succeeded", n) for n in range(5)), *(ended(f"bad-{n}", "Failed", n) for n in range(2)))
    mine = run("mine", status={"phase": "Failed", "finishedAt": at(-9)})
    obj = pipeline(successfulRunsHistoryLimit=2, failedRunsHistoryLimit=1)
    plan = decide(obj, runs=(*runs, mine))
    assert [gone["metadata"]["name"] for gone in plan.delete] == ["bad-0", "fed-0", "fed-1", "fed-2"]
    due = pipeline(successfulRunsHistoryLimit=0, triggers=EVERY_TEN)
    assert decide(due, runs=runs).delete == ()


@pytest.mark.parametrize(
    ("there", "reason", "words", "mark"),
    [
        ((), "InputNotFound", "package.version: ModelVersion price-1.0 is not there: push it", "Reconciling"),
        ((PRICE, PACKAGE), "InputNotFound", "dataset: alias latest of Dataset housing stands for no", "Reconciling"),
        (
            (PRICE, objects.version("price-1.0", ready=False), *HOUSING),
            "InputNotReady",
            "package.version: ModelVersion price-1.0 is not Ready: why not",
            "Reconciling",
        ),
        (
            (objects.artifact("price"), PACKAGE, *HOUSING),
            "BadPackage",
            "push the package to an artifact with versioning Semantic",
            "Stalled",
        ),
    ],
)
def test_a_pipeline_says_what_its_runs_would_lack(there, reason, words, mark):
    """In a run's own words; its triggers go on as ever, and once all is there it is Ready."""
    obj = pipeline(triggers=EVERY_TEN)
    plan = decide(obj, missing=missing(pipeline_spec(), Shelf(*there)))
    told = {entry["type"]: entry for entry in plan.status["conditions"]}
    assert (told["Ready"]["status"], told["Ready"]["reason"]) == ("False", reason)
    assert words in told["Ready"]["message"]
    assert told.keys() == {"Ready", mark}
    assert len(plan.create) == 1
    whole = decide(after(obj, plan), missing=missing(pipeline_spec(), Shelf(PRICE, PACKAGE, *HOUSING)))
    assert [(entry["type"], entry["reason"]) for entry in whole.status["conditions"]] == [("Ready", "Ready")]


class Pipeline(RuleBasedStateMachine):
    """A pipeline under a clock that is set at will, with status writes that get lost."""

    def __init__(self):
        super().__init__()
        self.now: datetime = NOW
        self.obj = pipeline(triggers={**EVERY_TEN, **BY_DATA})
        self.obj = after(self.obj, decide(self.obj, standing="housing-v0"))
        self.standing = 0
        self.made: dict[str, dict] = {}
        self.moves = 0

    @rule(seconds=st.integers(-7200, 7200))
    def time_passes_or_is_set_back(self, seconds):
        self.now += timedelta(seconds=seconds)

    @rule()
    def data_arrives(self):
        self.standing += 1
        self.moves += 1

    @rule(lost=st.booleans())
    def the_operator_looks(self, lost):
        plan = decide(self.obj, now=self.now, standing=f"housing-v{self.standing}")
        for made in plan.create:
            there = self.made.setdefault(made["metadata"]["name"], made)
            assert triggers.is_same_run(there, made)
        if not lost:
            self.obj = after(self.obj, plan)

    @invariant()
    def nothing_is_started_twice(self):
        """No time and no version has two runs."""
        whys = [tuple(sorted(made["spec"]["trigger"].items())) for made in self.made.values()]
        assert len(whys) == len(set(whys))
        by_data = [made for made in self.made.values() if made["spec"]["trigger"]["type"] == "DatasetVersion"]
        assert len(by_data) <= self.moves

    @invariant()
    def it_goes_on(self):
        """Whatever the clock was set to, a look now and one two periods later start a run for the last time due."""
        soon = self.now + timedelta(seconds=1200)
        seen = after(self.obj, decide(self.obj, now=self.now, standing=f"housing-v{self.standing}"))
        plan = decide(seen, now=soon, standing=f"housing-v{self.standing}")
        assert [made["spec"]["trigger"]["type"] for made in plan.create] == ["Schedule"]

    @precondition(lambda self: self.obj["status"].get("schedule"))
    @invariant()
    def what_is_dealt_with_stays_so(self):
        """Once a look has been written down, looking again at the same moment starts nothing."""
        plan = decide(self.obj, now=self.now, standing=f"housing-v{self.standing}")
        seen = after(self.obj, plan)
        assert decide(seen, now=self.now, standing=f"housing-v{self.standing}").create == ()


Pipeline.TestCase.settings = settings(max_examples=40, stateful_step_count=25)
TestPipeline = Pipeline.TestCase
