"""TransferSession: the right of one user to push or pull for a while, as an object of the API server."""

from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field

from modelberth.api.common import ArtifactName, DatasetName, ObjectStatus, SpecModel, Time, UserName, rule, rules


class Operation(StrEnum):
    """What a session is for."""

    PUSH = "Push"
    PULL = "Pull"


class TransferFamily(StrEnum):
    """Which content a session is for; each family has a right of its own."""

    MODELS = "models"
    DATASETS = "datasets"
    RUNS = "runs"


class TransferSessionSpec(SpecModel):
    """Who may do what for how long. Immutable."""

    operation: Operation
    """Push sends content and reserves versions; Pull reads content."""
    secret_hash: Annotated[str, Field(min_length=64, max_length=64, pattern=r"^[0-9a-f]{64}$")]
    """The SHA-256, in hex, of the secret that only the user holds; the secret itself is shown to the registry alone."""
    ttl_seconds: Annotated[int, Field(ge=60, le=86400, json_schema_extra={"format": "int32"})] = 3600
    """How long the session lasts, in seconds from its creation; then it is deleted."""
    user: UserName
    """The user as the API server knows them: whoever creates the session."""
    family: TransferFamily = TransferFamily.MODELS
    """Whose content the session is for: models, datasets, or runs (the files that training runs left; Pull only)."""
    artifact: ArtifactName | None = None
    """Where given, the session is for this ModelArtifact only."""
    dataset: DatasetName | None = None
    """Where given, the session is for this Dataset only."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule("self == oldSelf", "spec of a TransferSession is immutable; create another session"),
            rule(
                "!has(self.artifact) || self.family == 'models'",
                "spec.artifact narrows a session of family models; remove it or correct spec.family",
            ),
            rule(
                "!has(self.dataset) || self.family == 'datasets'",
                "spec.dataset narrows a session of family datasets; remove it or correct spec.family",
            ),
            rule(
                "self.family != 'runs' || self.operation == 'Pull'",
                "spec.operation: the files of runs are pushed by the runs themselves; ask for Pull",
            ),
        )
    )


class TransferSessionStatus(ObjectStatus):
    """How long the session lasts."""

    expires_at: Time | None = None
    """When the session ends."""
