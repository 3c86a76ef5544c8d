"""What an alias stands for, and the reasons why it may not be followed yet.

One list of policies serves RegisteredModels and ModelDeployments alike: they can never disagree about an alias.
"""

from collections.abc import Callable
from dataclasses import dataclass

from modelberth.domain.objects import Object, dig, is_deleting, is_ready, name_of
from modelberth.domain.verdicts import Verdict, blocked, waiting


@dataclass(frozen=True, slots=True)
class AliasFacts:
    """An alias entry of a RegisteredModel and what it points at, as observed together."""

    alias: str
    model: Object
    version: Object | None
    artifact: Object | None

    @property
    def wanted(self) -> str:
        """The object name of the version that the spec asks for."""
        return str(dig(self.model, "spec", "aliases", self.alias, "version"))


@dataclass(frozen=True, slots=True)
class Target:
    """A version that may be served."""

    model: str
    alias: str
    version: str
    digest: str
    size_bytes: int


def resolve(facts: AliasFacts) -> Target | Verdict:
    """The version that the alias stands for, or the first reason why it cannot be followed."""
    for policy in _POLICIES:
        reason = policy(facts)
        if reason is not None:
            return reason
    assert facts.version is not None  # noqa: S101 - version_exists is one of the policies
    return Target(
        model=name_of(facts.model),
        alias=facts.alias,
        version=facts.wanted,
        digest=str(dig(facts.version, "status", "digest")),
        size_bytes=int(dig(facts.version, "status", "sizeBytes") or 0),
    )


def version_exists(facts: AliasFacts) -> Verdict | None:
    """The version is there (and is not being deleted)."""
    if facts.version is None or is_deleting(facts.version):
        return waiting("VersionNotFound", f"ModelVersion {facts.wanted} does not exist in this namespace")
    return None


def artifact_exists(facts: AliasFacts) -> Verdict | None:
    """The version's artifact is there: it says what type the version is of."""
    if facts.artifact is None:
        artifact = dig(facts.version, "spec", "artifact")
        return waiting("ArtifactNotFound", f"ModelArtifact {artifact} of ModelVersion {facts.wanted} does not exist")
    return None


def types_agree(facts: AliasFacts) -> Verdict | None:
    """A model's aliases stand for versions of its own type only."""
    return type_mismatch(facts.model, facts.wanted, facts.artifact, verb="alias")


def type_mismatch(model: Object, version: str, artifact: Object | None, *, verb: str) -> Verdict | None:
    """What is wrong with linking or aliasing (``verb``) a version of this artifact; None where the types agree."""
    ours, theirs = model_type(model), model_type(artifact)
    if ours != theirs:
        return blocked(
            "TypeMismatch",
            f"ModelVersion {version} is of type {theirs}, RegisteredModel {name_of(model)} of type {ours}: "
            f"{verb} a version of the model's own type",
        )
    return None


def version_is_ready(facts: AliasFacts) -> Verdict | None:
    """The version's content is stored and its digest proven."""
    assert facts.version is not None  # noqa: S101 - version_exists comes first
    if is_ready(facts.version) and dig(facts.version, "status", "digest"):
        return None
    conditions = dig(facts.version, "status", "conditions") or ()
    why = next((str(c.get("message")) for c in conditions if c.get("type") == "Ready" and c.get("message")), "")
    return waiting("VersionNotReady", f"ModelVersion {facts.wanted} is not Ready" + (f": {why}" if why else ""))


def digest_is_the_pinned_one(facts: AliasFacts) -> Verdict | None:
    """Where the alias pins a digest, the version has that digest."""
    pinned = dig(facts.model, "spec", "aliases", facts.alias, "digest")
    actual = dig(facts.version, "status", "digest")
    if pinned and pinned != actual:
        return blocked(
            "DigestMismatch",
            f"spec.aliases.{facts.alias}.digest is {pinned}, ModelVersion {facts.wanted} has {actual}: "
            "correct the digest or the version",
        )
    return None


_POLICIES: tuple[Callable[[AliasFacts], Verdict | None], ...] = (
    version_exists,
    artifact_exists,
    types_agree,
    version_is_ready,
    digest_is_the_pinned_one,
)


def model_type(obj: Object | None) -> str:
    """``spec.type`` of an artifact or a model; the schema's default where the object predates it."""
    return str(dig(obj, "spec", "type") or "model")
