"""When a version is Ready."""

import pytest

from modelberth.content import collections
from modelberth.domain.content_version import (
    Stored,
    collection_of,
    described,
    judge_collection,
    judge_content,
    status_of,
)
from modelberth.domain.verdicts import Standing, Verdict
from tests.unit.domain.builders import DIGEST_3, DIGEST_4, NOW, artifact, dataset, dataset_version, version


@pytest.mark.parametrize(
    ("stored", "reason", "standing"),
    [
        (Stored(DIGEST_4, "alice", DIGEST_4), "Ready", Standing.READY),
        (Stored(DIGEST_3, "bob", DIGEST_4), "VersionTaken", Standing.STALLED),
        (Stored(DIGEST_3, "bob", None), "VersionTaken", Standing.STALLED),
        (Stored(DIGEST_4, "alice", None), "ContentMissing", Standing.WORKING),
        (Stored(None, None, None), "ContentMissing", Standing.WORKING),
        (Stored(None, None, DIGEST_3), "DigestMismatch", Standing.STALLED),
    ],
)
def test_the_record_decides_and_the_content_has_to_be_there(stored, reason, standing):
    """A number means one digest for ever; a pin that differs from the content is never served."""
    verdict = judge_content(version(ready=False), stored)
    assert (verdict.reason, verdict.standing) == (reason, standing)


def test_nobody_says_that_a_run_made_a_version():
    """Whose record is not there is no run's; a name without a uid, or a step's uid, claims nothing."""
    claiming = version(ready=False)
    claiming["spec"]["lineage"] = {"run": {"trainingRun": "fit", "uid": "0b5b"}}
    verdict = judge_content(claiming, Stored(None, None, DIGEST_4))
    assert (verdict.reason, verdict.standing) == ("RunClaimed", Standing.STALLED)
    assert judge_content(claiming, Stored(DIGEST_4, "system:modelberth", DIGEST_4)).reason == "Ready"
    for run in ({"trainingRun": "fit"}, {"trainingRun": "clean", "uid": "step-" + "0" * 32}):
        claiming["spec"]["lineage"] = {"run": run}
        assert judge_content(claiming, Stored(None, None, DIGEST_4)).reason == "Ready"


def test_a_number_of_the_other_way_of_counting_is_refused():
    """With an example of how the artifact counts."""
    assert judge_collection(version(), artifact()) is None
    verdict = judge_collection(version(), artifact(versioning="Semantic"))
    assert verdict.reason == "VersioningMismatch"
    assert "name it like 1.1" in verdict.message
    assert judge_collection(version(), None).reason == "ArtifactNotFound"


def test_a_dataset_counts_in_sequence():
    """And a version without its dataset waits for it, by that name."""
    assert collection_of(dataset_version()) == collections.dataset("housing")
    assert judge_collection(dataset_version(), dataset()) is None
    verdict = judge_collection(dataset_version(), None)
    assert (verdict.reason, verdict.message) == (
        "DatasetNotFound",
        "spec.dataset: Dataset housing does not exist in this namespace",
    )
    assert judge_content(dataset_version(), Stored(DIGEST_4, "bob", None)).message.startswith(
        "spec.version: housing:v1 is"
    )


def test_what_the_record_keeps_is_all_but_the_identity():
    """Whatever fields the kind has or will have."""
    spec = {"derivedFrom": ["housing-v0"], "labels": {"region": "north"}, "description": "x"}
    described_one = dataset_version()
    described_one["spec"] |= spec
    assert described(described_one) == spec


def test_what_was_proven_once_stays_word_for_word():
    """Also while the store is away: nothing about a Ready version can change."""
    ready = version()
    away = Verdict("Waiting", Standing.UNKNOWN, "StoreUnavailable", "away")
    status = status_of(ready, away, None, ["x"], now=NOW)
    assert status["digest"] == DIGEST_4
    assert status["conditions"] == ready["status"]["conditions"]


def test_a_store_that_does_not_answer_says_nothing_about_the_content():
    """Unknown, and what was said of Stored before is kept."""
    away = Verdict("Waiting", Standing.UNKNOWN, "StoreUnavailable", "away")
    by_type = {c["type"]: c for c in status_of(version(ready=False), away, None, [], now=NOW)["conditions"]}
    assert by_type["Ready"]["status"] == "Unknown"
    assert "Stored" not in by_type
