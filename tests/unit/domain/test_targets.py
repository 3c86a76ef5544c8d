"""What an alias stands for, and every reason why it may not be followed."""

import pytest

from modelberth.domain.targets import AliasFacts, Target, resolve
from modelberth.domain.verdicts import Standing, Verdict
from tests.unit.domain.builders import DIGEST_3, DIGEST_4, artifact, model, version


def _facts(**more):
    return AliasFacts(**{"alias": "production", "model": model(), "version": version(), "artifact": artifact(), **more})


def test_a_sound_alias_is_a_target_with_the_versions_observed_digest():
    """The digest comes from the version's status, never from a spec."""
    assert resolve(_facts()) == Target("digits", "production", "mnist-v4", DIGEST_4, 1000)


_PINNED = model()
_PINNED["spec"]["aliases"]["production"]["digest"] = DIGEST_3
_DELETED = version()
_DELETED["metadata"]["deletionTimestamp"] = "2026-03-03T14:00:00Z"
_OLD_NEWS = version()
_OLD_NEWS["metadata"]["generation"] = 2


@pytest.mark.parametrize(
    ("facts", "reason", "standing", "words"),
    [
        (_facts(version=None), "VersionNotFound", Standing.WORKING, "ModelVersion mnist-v4 does not exist"),
        (_facts(version=_DELETED), "VersionNotFound", Standing.WORKING, "does not exist"),
        (_facts(artifact=None), "ArtifactNotFound", Standing.WORKING, "ModelArtifact mnist"),
        (_facts(artifact=artifact(type="dataset")), "TypeMismatch", Standing.STALLED, "of type dataset"),
        (_facts(version=version(ready=False)), "VersionNotReady", Standing.WORKING, "is not Ready: why not"),
        (_facts(version=_OLD_NEWS), "VersionNotReady", Standing.WORKING, "is not Ready"),
        (_facts(model=_PINNED), "DigestMismatch", Standing.STALLED, "spec.aliases.production.digest"),
    ],
)
def test_each_obstacle_is_named(facts, reason, standing, words):
    """Waiting for what may come by itself, Stalled for what only the user can mend."""
    verdict = resolve(facts)
    assert isinstance(verdict, Verdict)
    assert (verdict.reason, verdict.standing) == (reason, standing)
    assert words in verdict.message
