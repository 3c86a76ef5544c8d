"""Whatever lies in a pod's folder, what is read from it is an outcome that the registry takes."""

import functools
import json
import os
from dataclasses import asdict
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from modelberth.domain.rollouts import PhaseProgress
from modelberth.domain.training.plan import Told, final_status, phases_shown
from modelberth.registry.run_models import AttemptReport
from modelberth.training.config import RunConfig
from modelberth.training.outcome import DIED, Phase, clean, clean_lines, parse_outcome, parse_phases
from modelberth.training.pod_folder import PodFolder
from tests.simulation import crd_schema
from tests.unit.domain.builders import NOW
from tests.unit.domain.training.builders import started

texts = st.text(st.characters(codec=None), max_size=20)
anything = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
fields = ["status", "reason", "message", "traceback", "metrics", "phases", "python", "packages", "saved"]
NOON = "2026-01-31T12:00:00Z"
moments = anything | st.just(NOON) | st.datetimes().map(lambda moment: moment.isoformat() + "Z")
phases = st.fixed_dictionaries(
    {}, optional={"name": texts | st.just("Training"), "startedAt": moments, "seconds": anything, "bytes": anything}
)
documents = st.dictionaries(st.sampled_from(fields), anything, max_size=9).flatmap(
    lambda document: st.fixed_dictionaries(
        {
            "status": st.sampled_from(["Succeeded", "Failed"]),
            "reason": st.sampled_from(["", "UserException", "no word"]),
            "phases": st.lists(phases, max_size=20),
        }
    ).map(lambda more: {**document, **more})
)


@given(documents)
def test_any_outcome_can_be_reported(document):
    """However a program has filled the file, the registry takes what we make of it."""
    outcome = parse_outcome(document)
    report = {
        "status": "Succeeded" if outcome.succeeded else "Failed",
        "reason": outcome.reason,
        "message": outcome.message,
        "traceback": list(outcome.traceback),
        "metrics": dict(outcome.metrics),
        "phases": [phase.document() for phase in outcome.phases],
        "python": outcome.python,
        "packages": dict(outcome.packages),
    }
    AttemptReport.model_validate_json(json.dumps(report, ensure_ascii=False).encode())


@given(anything)
def test_lines_hold_nothing_that_a_terminal_obeys(value):
    """No escape sequences, no halves of characters, not too many."""
    lines = clean_lines(value)
    assert len(lines) <= 100
    for line in lines:
        line.encode()
        assert "\x1b" not in line


@pytest.mark.parametrize("phase", [{"seconds": 1}, {"name": None, "seconds": 1}, {"name": 3, "seconds": 1}])
def test_a_phase_without_a_name_is_none(phase):
    """Nor does it break what reads it."""
    whole = {"name": "Training", "startedAt": NOON, "seconds": 10**400}
    assert parse_phases([{"startedAt": NOON, **phase}, whole]) == (Phase("Training", NOON, 0.0),)


NO_MOMENTS = [
    "",
    "x",
    "2026-01-31",
    "2026-01-31T12:00:00",
    "2026-13-31T12:00:00Z",
    "2026-01-31 12:00:00Z",
    "20260131T12Z",
]


@pytest.mark.parametrize("began", [*NO_MOMENTS, None, 5, "2026-01-31T12:00:00+25:00", "２026-01-31T12:00:00Z"])
def test_a_phase_that_began_at_no_moment_is_none(began):
    """The program can write what we read of phases, and one such moment has a whole status refused."""
    assert parse_phases([{"name": "Loading", "startedAt": began, "seconds": 1}]) == ()
    if isinstance(began, str):
        assert phases_shown([PhaseProgress("Loading", began, 1.0, 0)]) == []


@given(st.lists(phases, max_size=20))
def test_whatever_phases_are_told_a_status_can_hold_them(value):
    """By the schema of the TrainingRun, which the API server goes by."""
    shown = phases_shown([PhaseProgress(**asdict(phase)) for phase in parse_phases(value)])
    assert [*crd_schema.faults(status_schema(), shown)] == []


@given(documents)
def test_however_a_program_ends_its_runs_status_can_say_so(document):
    """A status that the API server refuses would be written again for ever."""
    outcome = parse_outcome(document)
    told = Told(
        "Succeeded" if outcome.succeeded else "Failed",
        outcome.reason or "Succeeded",
        outcome.message,
        metrics=outcome.metrics,
        phases=tuple(PhaseProgress(**asdict(phase)) for phase in outcome.phases),
        finished_at=NOON,
    )
    status = final_status(started(), {}, told, now=NOW)
    assert [*crd_schema.faults(run_schema()["properties"]["status"], status)] == []


def status_schema():
    """Of `status.phases`."""
    return run_schema()["properties"]["status"]["properties"]["phases"]


@functools.cache
def run_schema():
    """Of the TrainingRun."""
    crd = yaml.safe_load((Path(__file__).parents[3] / "crds" / "trainingruns.yaml").read_text())
    return crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]


@pytest.mark.parametrize("began", NO_MOMENTS)
def test_the_schema_refuses_what_is_no_moment(began):
    """The API server's own reading of `format: date-time`; it takes zones and fractions."""
    phase = {"name": "Loading", "startedAt": began, "seconds": 1}
    assert any("date-time" in fault for fault in crd_schema.faults(status_schema(), [phase]))
    for good in (NOON, "2026-01-31T12:00:00.123456+01:00"):
        assert [*crd_schema.faults(status_schema(), [{**phase, "startedAt": good}])] == []


def test_a_number_beyond_every_float_is_none():
    """JSON may hold it."""
    assert parse_outcome({"status": "Succeeded", "metrics": {"a": 10**400, "b": 1}}).metrics == {"b": 1.0}


@given(anything)
def test_phases_are_phases(value):
    """What is none is left away."""
    assert all(phase.seconds >= 0 and phase.bytes >= 0 for phase in parse_phases(value))


def test_a_success_has_no_reason():
    """A program that says it has succeeded is not failed by what else it says."""
    assert parse_outcome({"status": "Succeeded", "reason": "UserException"}).succeeded
    assert parse_outcome({}) == DIED
    assert parse_outcome({"status": "Failed", "reason": "Bad Word"}) == DIED
    assert parse_outcome({"status": "Failed", "reason": "MyOwn"}).reason == "UserException"
    assert clean("a\x1b[31mb\tc\nd") == "a\ufffd[31mb\tc\nd"


class TestFolder:
    @pytest.fixture
    def folder(self, tmp_path):
        (tmp_path / "run").mkdir()
        return PodFolder(str(tmp_path))

    @pytest.mark.parametrize("text", ["", "{", "[1]", "3", '"x"', "[" * 100_000])
    def test_what_is_no_object_is_nothing(self, folder, tmp_path, text):
        """Also what would break a reader."""
        (tmp_path / "run" / "outcome.json").write_text(text)
        assert folder.json("outcome.json") == {}

    def test_links_are_not_followed(self, folder, tmp_path):
        """Neither a link in the place of the file, nor one in the place of the folder."""
        secret = tmp_path / "secret"
        secret.mkdir()
        (secret / "log").write_text("token")
        os.symlink(secret / "log", tmp_path / "run" / "log")
        assert b"".join(folder.log()) == b""
        assert folder.log_tail(100) == b""
        os.unlink(tmp_path / "run" / "log")
        os.rmdir(tmp_path / "run")
        os.symlink(secret, tmp_path / "run")
        assert b"".join(folder.log()) == b""
        assert not folder.has("log")

    def test_the_tail_goes_over_segments(self, folder, tmp_path):
        """The last bytes, whichever files they lie in; what is no segment is passed over."""
        for name, data in {"log": b"aaaa", "log.1": b"bbbb", "log.2": b"cc", "log.x": b"zz", "log.٣": b"zz"}.items():
            (tmp_path / "run" / name).write_bytes(data)
        assert folder.log_tail(3) == b"bcc"
        assert folder.log_tail(8) == b"aabbbbcc"
        assert folder.log_tail(100) == b"aaaabbbbcc"
        assert b"".join(folder.log()) == b"aaaabbbbcc"
        (tmp_path / "run" / "log.1").unlink()
        assert b"left out" in b"".join(folder.log())


def test_a_config_is_read_as_it_was_written():
    """The fields of the operator's JSON, and its defaults."""
    text = {
        "run": "r1",
        "uid": "u",
        "attempt": 3,
        "package": {"name": "p-1.0", "digest": "sha256:1"},
        "dataset": {"name": "d-v1", "digest": "sha256:2", "folder": "train"},
        "evaluation": None,
        "deadlineSeconds": None,
    }
    config = RunConfig.parse(json.dumps(text))
    assert (config.run, config.attempt, config.package.folder, config.dataset.folder) == ("r1", 3, "", "train")
    assert config.for_harness() == {"artifactsDirectory": "artifacts", "deadlineSeconds": None, "evaluation": None}


@pytest.mark.parametrize("metric", ["NaN", "Infinity", "-Infinity", "1e999", '"NaN"', "null", "[1]"])
def test_the_registry_takes_no_metric_that_is_no_number(metric):
    """Whoever speaks for a run's pod: no record holds a number that cannot be sorted."""
    body = f'{{"status": "Succeeded", "metrics": {{"loss": {metric}}}}}'
    with pytest.raises(ValidationError, match=r"metrics\.loss"):
        AttemptReport.model_validate_json(body)
