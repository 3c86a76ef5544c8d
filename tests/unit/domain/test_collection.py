"""What a collection's versions add up to."""

from modelberth.domain.collection import status_of
from tests.unit.domain.builders import DIGEST_3, DIGEST_4, NOW, artifact, dataset, dataset_version, version


def test_only_ready_versions_count():
    """Of others nothing is known for certain."""
    status = status_of(artifact(), [version("mnist-v3", DIGEST_3), version("mnist-v4", ready=False)], now=NOW)
    assert (status["versionCount"], status["latestVersion"], status["logicalBytes"]) == (1, "mnist-v3", 1000)


def test_the_latest_is_the_largest_number_not_the_last_in_the_alphabet():
    """v10 comes after v9."""
    versions = [version(f"mnist-v{number}") for number in (9, 10, 1)]
    assert status_of(artifact(), versions, now=NOW)["latestVersion"] == "mnist-v10"


def test_an_artifact_without_versions_has_no_latest():
    """And is Ready: there is nothing to wait for."""
    status = status_of(artifact(), [], now=NOW)
    assert "latestVersion" not in status
    assert status["conditions"][0]["message"] == "no versions yet"


def test_a_dataset_is_as_an_artifact():
    """With its own kinds named."""
    owner = dataset(aliases={"reviewed": {"version": "housing-v2"}})
    status = status_of(owner, [dataset_version()], now=NOW)
    assert (status["versionCount"], status["latestVersion"]) == (1, "housing-v1")
    assert status["aliases"]["reviewed"]["message"] == "DatasetVersion housing-v2 is not there or not Ready"


def test_an_alias_keeps_standing_for_what_it_stood_for_until_the_new_one_is_ready():
    """`current` never names what cannot be loaded."""
    owner = artifact(aliases={"best": {"version": "mnist-v4"}})
    before = status_of(
        {**artifact(aliases={"best": {"version": "mnist-v3"}})}, [version("mnist-v3", DIGEST_3)], now=NOW
    )
    moved = status_of({**owner, "status": before}, [version("mnist-v3", DIGEST_3)], now=NOW)
    assert (moved["aliases"]["best"]["state"], moved["aliases"]["best"]["current"]) == ("Waiting", "mnist-v3")
    ready = [version("mnist-v3", DIGEST_3), version("mnist-v4", DIGEST_4)]
    done = status_of({**owner, "status": moved}, ready, now=NOW)
    assert (done["aliases"]["best"]["state"], done["aliases"]["best"]["current"]) == ("Resolved", "mnist-v4")
