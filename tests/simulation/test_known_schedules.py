"""Schedules that were once found at random, or that everybody meets, written down: each has to hold for ever."""

from collections.abc import Callable

import pytest

from modelberth.runtime.resources import (
    DATASET_VERSIONS,
    DATASETS,
    DEPLOYMENTS,
    MODEL_ARTIFACTS,
    MODEL_DEPLOYMENTS,
    MODEL_VERSIONS,
    REGISTERED_MODELS,
    Object,
    Resource,
)
from tests.simulation import users
from tests.simulation.schedule import Run, calm
from tests.simulation.world import NAMESPACE, Action

LOADER = "loader:1"


@pytest.fixture
def run() -> Run:
    """The usual objects, served and at rest."""
    started = Run.start(0)
    started.take(("boot", LOADER))
    for action in users.opening():
        started.take(action)
    calm(started)
    return started


def status(run: Run, resource: Resource, name: str) -> Object:
    return dict(run.world.server.read(resource, NAMESPACE, name)["status"])


def recorded(run: Run, model: str, alias: str) -> list[str]:
    """The history of an alias in the bucket: `event version`."""
    entries = run.world.bucket.entries(run.world.space, model, alias)
    return [f"{entry.event} {entry.version}".strip() for entry in entries]


def work_until(run: Run, reached: Callable[[Action], bool]) -> None:
    """Let the operator work, requests first, up to the answer of a request; everything else stands still."""
    world = run.world
    for _ in range(500):
        for process in world.processes:
            for call in list(process.calls):
                action = "answer", process.name, call.label, "ok"
                run.take(action)
                if reached(action):
                    return
            for resource in process.backlog():
                run.take(("deliver", process.name, resource.plural))
    pytest.fail("the operator never came to that request")


def answered(beginning: str) -> Callable[[Action], bool]:
    return lambda action: action[2].startswith(beginning)


def test_the_opening_is_served(run: Run) -> None:
    """Two aliases followed by a deployment each: Served, and recorded as moved and served."""
    assert status(run, MODEL_DEPLOYMENTS, "pets-live")["state"] == "Served"
    assert recorded(run, "pets", "production") == ["Moved cats-v0", "Served cats-v0"]


def test_the_last_alias_can_be_removed(run: Run) -> None:
    """The status has no aliases any more, the bucket says Removed, and what serves goes on serving."""
    run.take(("user", "unalias", "pets", "production"))
    calm(run)
    assert not status(run, REGISTERED_MODELS, "pets").get("aliases")
    assert recorded(run, "pets", "production")[-1] == "Removed"
    assert status(run, MODEL_DEPLOYMENTS, "pets-live")["served"][0]["version"] == "cats-v0"


def test_an_alias_moved_away_and_back_before_the_status_was_written(run: Run) -> None:
    """The bucket heard of the move away, the status did not: the bucket has to hear of the move back, too."""
    run.take(("user", "alias", "pets", "production", "cats-v1"))
    work_until(run, answered("store: append pets:production"))
    run.take(("user", "alias", "pets", "production", "cats-v0"))
    calm(run)
    entries = recorded(run, "pets", "production")
    assert entries[-1].endswith("cats-v0")


def test_an_alias_removed_and_made_again_before_the_status_was_written(run: Run) -> None:
    """As with a move: an ending that only the bucket heard of is followed by a new beginning."""
    run.take(("user", "unalias", "pets", "production"))
    work_until(run, answered("store: append pets:production"))
    run.take(("user", "alias", "pets", "production", "cats-v0"))
    calm(run)
    assert recorded(run, "pets", "production")[-1] != "Removed"


def test_an_alias_removed_before_it_was_first_seen_in_the_status(run: Run) -> None:
    """What the bucket heard the beginning of has an end there."""
    run.take(("user", "alias", "pets", "staging", "cats-v1"))
    work_until(run, answered("store: append pets:staging"))
    run.take(("user", "unalias", "pets", "staging"))
    calm(run)
    assert recorded(run, "pets", "staging")[-1] == "Removed"


def test_a_stale_leader_undoes_nothing(run: Run) -> None:
    """A process that was about to write when another one took over is refused by the version that it observed."""
    run.take(("boot", LOADER))
    stale, fresh = (process.name for process in run.world.processes)
    settle(run, fresh)
    run.take(("user", "image", "pets-live", "server:2"))
    settle(run, stale, but="apply deployments prod/pets-live-a")
    run.take(("user", "alias", "pets", "production", "cats-v1"))
    settle(run, fresh)
    before = run.world.server.read(DEPLOYMENTS, NAMESPACE, "pets-live-a")
    assert before["metadata"]["annotations"]["modelberth.io/version"] == "cats-v1"
    run.take(("answer", stale, "apply deployments prod/pets-live-a", "ok"))
    assert run.world.server.read(DEPLOYMENTS, NAMESPACE, "pets-live-a") == before


def test_a_deletion_that_no_watch_tells_is_found_by_the_periodic_list(run: Run) -> None:
    """No deletes are made up after a re-list; the cache loses the ghost at the next full list."""
    run.take(("user", "unpublish", "cats", "v1"))
    run.take(("compact", "modelversions"))
    calm(run)
    assert status(run, MODEL_ARTIFACTS, "cats")["versionCount"] == 1


def settle(run: Run, name: str, *, but: str = "") -> None:
    """Let one process work until it waits for nothing but time, or for the answer to the one request left open."""
    process = run.world.process(name)
    assert process is not None
    while process.backlog() or any(call.label != but for call in process.calls):
        for resource in process.backlog():
            run.take(("deliver", name, resource.plural))
        for call in list(process.calls):
            if call.label != but:
                run.take(("answer", name, call.label, "ok"))
    assert not but or process.calls


def test_a_crash_between_any_two_requests_of_a_roll_loses_nothing(run: Run) -> None:
    """Killed after each of its requests in turn, the operator's successor finishes the roll."""
    for version in ("cats-v1", "cats-v0"):
        run.take(("user", "alias", "pets", "production", version))
        crash_after_every_request(run)
        calm(run)
        assert status(run, MODEL_DEPLOYMENTS, "pets-live")["served"][0]["version"] == version


def crash_after_every_request(run: Run) -> None:
    for requests in range(1, 40):
        process = run.world.processes[0]
        for _ in range(requests):
            for resource in process.backlog():
                run.take(("deliver", process.name, resource.plural))
            if process.calls:
                run.take(("answer", process.name, process.calls[0].label, "ok"))
        run.take(("crash", process.name))
        run.take(("boot", LOADER))


def test_data_has_versions_of_its_own(run: Run) -> None:
    """A dataset counts and aliases as an artifact of the same name does, and neither hears of the other."""
    before = status(run, MODEL_ARTIFACTS, "cats")
    for action in ("dataset",), ("push-data", "v0"), ("inline-data", "v1"), ("review", "v0"):
        run.take(("user", *action))
    calm(run)
    told = status(run, DATASETS, "cats")
    assert (told["versionCount"], told["latestVersion"], told["aliases"]["reviewed"]["current"]) == (
        2,
        "cats-v1",
        "cats-v0",
    )
    assert status(run, DATASET_VERSIONS, "cats-v0")["usedBy"] == ["dataset/cats:reviewed"]
    assert status(run, MODEL_ARTIFACTS, "cats") == before


def test_a_datasets_digest_makes_no_model(run: Run) -> None:
    """Whoever knows it can name it in a ModelVersion, which then waits for content of its own."""
    for action in ("dataset",), ("push-data", "v4"), ("borrow", "cats", "v4"):
        run.take(("user", *action))
    calm(run)
    (ready,) = (c for c in status(run, MODEL_VERSIONS, "cats-v4")["conditions"] if c["type"] == "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "ContentMissing")
