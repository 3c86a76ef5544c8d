"""Whatever a program has said, its report comes to an end, and is one that the registry takes."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from modelberth.cli.run_outputs import _TAIL_BYTES, _TAIL_LINES, MAX_PATHS
from modelberth.cli.run_report_size import MAX_REPORT_BYTES, shortened
from modelberth.registry.run_models import AttemptReport
from modelberth.training.outcome import clean, parse_outcome

NOON = "2026-01-31T12:00:00Z"
letters = st.sampled_from(["a", "\\", '"', "\n", "\x1b", "é", "\ufffd", "\ud800", "\U0001f600"])
lengths = st.sampled_from([0, 1, 100, 128, 256, 1000, 2000, 4096])


@st.composite
def lists(draw, most):
    """Up to so many texts of one length, all of them different."""
    text, count = draw(letters) * draw(lengths), draw(st.sampled_from([0, 1, 11, most // 2, most, most + 1]))
    return [f"{number}{text}" for number in range(count)]


@st.composite
def documents(draw):
    """An outcome as a program may forge it: of every list nothing, some, or more than we take."""
    return {
        "status": draw(st.sampled_from(["Succeeded", "Failed"])),
        "reason": "UserException",
        "message": draw(letters) * draw(lengths),
        "traceback": draw(lists(100)),
        "metrics": dict.fromkeys(draw(lists(256)), 0.1 + 0.2),
        "phases": [{"name": "Training", "startedAt": NOON, "seconds": 1 / 3, "bytes": 2**62}]
        * draw(st.integers(0, 20)),
        "python": draw(letters) * draw(lengths),
        "packages": {name: name for name in draw(lists(5000))},
    }


def report_of(document, *, paths=(), tail=()):
    """As the reporter writes it."""
    outcome = parse_outcome(document)
    return {
        "status": "Succeeded" if outcome.succeeded else "Failed",
        "reason": outcome.reason,
        "message": outcome.message,
        "traceback": list(outcome.traceback),
        "output": f"sha256:{0:064x}",
        "files": f"sha256:{0:064x}",
        "filePaths": list(paths),
        "metrics": dict(outcome.metrics),
        "phases": [phase.document() for phase in outcome.phases],
        "python": outcome.python,
        "packages": dict(outcome.packages),
        "logTail": [clean(line)[: _TAIL_BYTES // _TAIL_LINES] for line in tail][-_TAIL_LINES:],
    }


@settings(max_examples=40)  # of up to megabytes each
@given(documents(), lists(MAX_PATHS), lists(_TAIL_LINES))
def test_a_report_is_as_long_as_the_registry_takes(document, paths, tail):
    """Of the lists something is left away, never of the failure's own words, and only where it is too long."""
    paths = [clean(path)[:4000] for path in paths][:MAX_PATHS]
    long = report_of(document, paths=paths, tail=tail)
    short = shortened(long)
    sent = json.dumps(short, ensure_ascii=False).encode()
    assert len(sent) <= MAX_REPORT_BYTES
    AttemptReport.model_validate_json(sent)
    assert {name: short[name] for name in ("status", "reason", "message", "phases")} == {
        name: long[name] for name in ("status", "reason", "message", "phases")
    }
    if len(json.dumps(long, ensure_ascii=False).encode()) <= MAX_REPORT_BYTES:
        assert short == long


def test_what_tells_most_stays():
    """A failure's words before artifacts and libraries; of the log and the traceback the end."""
    wide = "\U0001f600" * 2000
    document = {
        "status": "Failed",
        "reason": "UserException",
        "traceback": [wide] * 99 + ["ValueError: no rows"],
        "metrics": {f"{number}{wide[:120]}": 1.0 for number in range(256)},
    }
    short = shortened(report_of(document, paths=["artifacts/a.txt"], tail=["\ufffd" * 700] * 99 + ["the end"]))
    assert short["filePaths"] == ["artifacts/a.txt"]
    assert (short["traceback"][-1], short["logTail"][-1]) == ("ValueError: no rows", "the end")
    assert len(short["metrics"]) == 256
