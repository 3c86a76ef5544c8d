"""Log lines are JSON, and hold no secret whichever way it got in."""

import io
import json
import logging

import pytest

from modelberth.runtime.logging import JsonFormatter, configure_logging, redacted

TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJzeXN0ZW06c2VydmljZWFjY291bnQifQ.c2lnbmF0dXJl"
SIGNED = (
    "http://minio:9000/b/data/ab/abcd/01J?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDSECRET%2F2026"
    "&X-Amz-Expires=900&X-Amz-Security-Token=SESSIONSECRET&X-Amz-Signature=5192a1deadbeef"
)


@pytest.mark.parametrize(
    ("text", "secrets", "stays"),
    [
        (f"Authorization: Bearer {TOKEN}", [TOKEN, "c2lnbmF0dXJl"], "Authorization"),
        (f"token {TOKEN}, refused", ["c2lnbmF0dXJl", "eyJ"], "refused"),
        ("{'Authorization': 'Bearer abc.def-123'}", ["abc.def-123"], "Authorization"),
        ("authorization: basic dXNlcjpodXNo", ["dXNlcjpodXNo"], "authorization"),
        ("Modelberth-Session: push-1.hush-hush", ["hush-hush"], "Modelberth-Session"),
        ('{"Modelberth-Session": "push-1.hush"}', ["hush"], "Modelberth-Session"),
        (f"GET {SIGNED} -> 403", ["AKIDSECRET", "SESSIONSECRET", "5192a1deadbeef"], "/b/data/ab/abcd/01J"),
        (SIGNED.replace("=", "%3D"), ["AKIDSECRET", "SESSIONSECRET", "5192a1deadbeef"], "X-Amz-Expires"),
    ],
)
def test_secrets_are_cut_out_and_the_rest_stays(text, secrets, stays):
    """What identifies or signs is gone; what helps to understand the line is there."""
    line = redacted(text)
    assert not [secret for secret in secrets if secret in line]
    assert stays in line


def formatted(**fields):
    record = logging.makeLogRecord({"levelno": 30, "levelname": "WARNING", "name": "modelberth.x", **fields})
    return json.loads(JsonFormatter().format(record))


def test_a_record_is_one_json_object():
    """Message, level, logger, time, and whatever `extra` gave, each under its own name."""
    line = formatted(msg="moved %s", args=("best",), object="ns/mnist", created=0.0)
    assert line == {
        "time": "1970-01-01T00:00:00.000+00:00",
        "level": "warning",
        "logger": "modelberth.x",
        "message": "moved best",
        "object": "ns/mnist",
    }


def test_a_traceback_is_redacted_too():
    """An exception that carries a URL or a token in its text gives neither away."""
    error = RuntimeError(f"{SIGNED} Bearer {TOKEN}")
    line = formatted(msg="failed", exc_info=(type(error), error, None))
    assert "RuntimeError" in line["traceback"]
    assert "5192a1deadbeef" not in line["traceback"]
    assert "c2lnbmF0dXJl" not in line["traceback"]


def test_objects_that_json_does_not_know_are_told_as_text():
    """No record is lost because of what it carries."""
    assert formatted(msg="x", what=object)["what"] == "<class 'object'>"


def test_libraries_are_heard_from_warning_on():
    """Our own records come from the level asked for, everybody else's only when something is wrong."""
    root, ours = logging.getLogger(), logging.getLogger("modelberth")
    before = root.handlers[:], root.level, ours.level
    stream = io.StringIO()
    try:
        configure_logging("INFO", stream=stream)
        logging.getLogger("modelberth.x").info("ours")
        logging.getLogger("kopf.x").info("theirs")
        logging.getLogger("kopf.x").warning("their trouble")
    finally:
        root.handlers[:], root.level = before[0], before[1]
        ours.setLevel(before[2])
        logging.captureWarnings(False)
    assert [json.loads(line)["message"] for line in stream.getvalue().splitlines()] == ["ours", "their trouble"]
