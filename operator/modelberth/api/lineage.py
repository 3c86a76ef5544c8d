"""What versions were made of: runs, datasets, programs, environments, other versions."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from modelberth.api.common import (
    Digest,
    FolderPath,
    ShortText,
    SpecModel,
    TrainingRunName,
    Uri,
    VersionName,
    VersionNames,
    rule,
    rules,
)


class Run(SpecModel):
    """The run that made the version: exactly one of uri and trainingRun."""

    uri: Uri | None = None
    """Where the run is recorded, such as the page of an MLflow or W&B run."""
    training_run: TrainingRunName | None = None
    """The TrainingRun of this namespace."""
    uid: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    """The TrainingRun's uid, which tells it from another one of the same name."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "has(self.uri) != has(self.trainingRun)",
                "lineage.run has exactly one of uri and trainingRun; give one and remove the other",
            ),
            rule(
                "!has(self.uid) || has(self.trainingRun)",
                "lineage.run.uid is the uid of a TrainingRun; give trainingRun with it or remove it",
            ),
        )
    )


class DatasetReference(SpecModel):
    """One dataset that was used: exactly one of uri and version."""

    uri: Uri | None = None
    """Where the dataset lies, if not here."""
    version: VersionName | None = None
    """The DatasetVersion of this namespace, by its object name."""
    digest: Digest | None = None
    """The digest of exactly the content that was used."""
    role: Literal["train", "validation", "test"] | None = None
    """What it was used for."""
    folder: FolderPath | None = None
    """The sub-folder that was used; everything if it is not given."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "has(self.uri) != has(self.version)",
                "lineage.datasets: an entry has exactly one of uri and version; give one and remove the other",
            )
        )
    )


class Code(SpecModel):
    """The program that made the version."""

    repository: Uri | None = None
    """Where the source code lies."""
    revision: ShortText | None = None
    """The commit."""
    path: Annotated[str, Field(max_length=1024)] | None = None
    """The program's path within the repository."""
    dirty: bool | None = None
    """Whether the working copy differed from the commit."""


class Environment(SpecModel):
    """Where the program ran."""

    image: Annotated[str, Field(max_length=1024)] | None = None
    """The container image, as it was asked for."""
    image_digest: Digest | None = None
    """The digest of the image that ran."""
    python: Annotated[str, Field(max_length=64)] | None = None
    """The version of Python."""
    packages: Digest | None = None
    """The digest of the list of installed packages, as `pip freeze` prints it."""


class Provenance(SpecModel):
    """How a version was made."""

    run: Run | None = None
    """The run that made it."""
    code: Code | None = None
    """The program."""
    environment: Environment | None = None
    """Where the program ran."""


class Lineage(Provenance):
    """What a ModelVersion was made of."""

    datasets: Annotated[tuple[DatasetReference, ...], Field(max_length=64)] | None = None
    """The datasets that were used."""
    parents: VersionNames | None = None
    """The ModelVersions that it was derived from, by object name, such as the base of a fine-tuning."""
    package: VersionName | None = None
    """The ModelVersion, by object name, whose program a TrainingRun ran."""
