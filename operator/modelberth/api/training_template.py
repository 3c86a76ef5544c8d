"""What a training run does: which package learns from which data, and in which pod. Pipelines and runs share it."""

from typing import Annotated, Any, Final

from pydantic import ConfigDict, Field

from modelberth.api.common import (
    AliasName,
    ArtifactName,
    DatasetName,
    FolderPath,
    SpecModel,
    VersionName,
    only_in_code,
    rule,
    rules,
)
from modelberth.api.model_deployment import Resources
from modelberth.api.training_pod import ObjectName, PodExtras, ScratchStorage

ARTIFACTS_VARIABLE: Final = "artifacts_directory"
SAVE_DATA_VARIABLE: Final = "save_training_data"
"""The environment variables that every run has; a parameter of that name sets what the field of that name sets."""
ARTIFACTS_DEFAULT: Final = "artifacts"

ENVIRONMENT_LIMIT: Final = 64
SECRETS_LIMIT: Final = 16
_VALUE_LIMIT: Final = 4096
_VARIABLE: Final = "^[A-Za-z_][A-Za-z0-9_]*$"
_OWN: Final = f"['{ARTIFACTS_VARIABLE}', '{SAVE_DATA_VARIABLE}']"


def _plain(path: str) -> str:
    """The CEL expression for a relative path without surprises."""
    return f"{path}.split('/').all(part, !(part in ['', '.', '..']))"


def variables(field: str, limit: int) -> dict[str, Any]:
    """The rules of a map whose keys are names of environment variables."""
    return {
        "maxProperties": limit,
        **rules(
            rule(
                f"self.all(name, size(name) <= 128 && name.matches('{_VARIABLE}'))",
                f"{field}: the name of a variable is 1 to 128 letters, digits and '_', and does not begin with a "
                "digit; rename it",
            ),
            rule(
                "self.all(name, !name.startsWith('MODELBERTH_'))",
                f"{field}: names that begin with MODELBERTH_ are set by Modelberth; rename the variable",
            ),
        ),
    }


Parameters = Annotated[
    dict[str, Annotated[str, Field(max_length=_VALUE_LIMIT)]] | None,
    Field(json_schema_extra=variables("environment", ENVIRONMENT_LIMIT)),
]


class PackageReference(SpecModel):
    """The program: a version of an artifact whose directory holds train.py. Exactly one of version and artifact."""

    version: VersionName | None = None
    """The ModelVersion, by its object name, such as housing-price-1.0."""
    artifact: ArtifactName | None = None
    """The ModelArtifact, for its newest version of one major."""
    major: Annotated[int, Field(ge=0, le=99999, json_schema_extra={"format": "int32"})] | None = None
    """Of which major the newest minor is run, such as 1."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "has(self.version) != has(self.artifact)",
                "package has exactly one of version and artifact; give one and remove the other",
            ),
            rule(
                "has(self.artifact) == has(self.major)",
                "package.artifact and package.major belong together; give the major whose newest minor is to run",
            ),
            rule(
                "!has(self.version) || self.version.matches('-[0-9]+[.][0-9]+$')",
                "package.version is a version of an artifact with versioning Semantic, such as housing-price-1.0; "
                "push the package to such an artifact",
            ),
        )
    )


class DataReference(SpecModel):
    """Data: exactly one of version and name."""

    version: VersionName | None = None
    """The DatasetVersion, by its object name, such as housing-v3."""
    name: DatasetName | None = None
    """The Dataset; which of its versions is taken is decided when a run starts, and kept in the run's status."""
    alias: Annotated[AliasName, Field(json_schema_extra=only_in_code)] = "latest"
    """With name: the alias of the Dataset whose version is taken; latest by default."""
    folder: FolderPath | None = None
    """The sub-folder that is used; everything if it is not given."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "has(self.version) != has(self.name)",
                "dataset and evaluation have exactly one of version and name; give one and remove the other",
            ),
            rule(
                "!has(self.alias) || has(self.name)",
                "alias is an alias of a Dataset; give the dataset's name with it or remove it",
            ),
            rule(
                "!has(self.alias) || !self.alias.matches('^v[0-9]+$')",
                "alias must name an alias, not a version; give version instead, such as housing-v3",
            ),
            rule(
                "!has(self.version) || self.version.matches('-v[0-9]+$')",
                "version of a dataset is the name of a DatasetVersion, such as housing-v3; correct it",
            ),
            rule(
                f"!has(self.folder) || {_plain('self.folder')}",
                "folder is a relative, plain path: no '/' at its ends, no empty part, no '.' or '..'; "
                "write it as folder/folder",
            ),
        )
    )


class SecretKey(SpecModel):
    """One value of a Secret of the namespace."""

    name: ObjectName
    """The Secret."""
    key: Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[-._a-zA-Z0-9]+$")]
    """Which of its values."""


class TrainingTemplate(SpecModel):
    """What a run does, and in which pod."""

    package: PackageReference
    """The program: a version whose directory holds train.py."""
    dataset: DataReference
    """The data that train gets."""
    evaluation: DataReference | None = None
    """The data that evaluate gets; the training data by default."""
    image: Annotated[str, Field(min_length=1, max_length=1024)]
    """The image that the program runs in; it needs Python 3.9 or newer, and nothing of Modelberth."""
    resources: Resources | None = None
    """What the program asks for and may use; GPUs by their resource's name, such as nvidia.com/gpu."""
    environment: Parameters = None
    """Parameters, as environment variables of the program."""
    secret_environment: Annotated[
        dict[str, SecretKey] | None,
        Field(json_schema_extra=variables("secretEnvironment", SECRETS_LIMIT)),
    ] = None
    """Parameters whose values come from Secrets; they are recorded by the Secret's name only."""
    artifacts_directory: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    """The folder, below the package's, whose files are kept with the run; the program finds its path in the variable
    artifacts_directory. artifacts by default."""
    save_training_data: bool | None = None
    """Whether the data is listed with the run's files as data_directory; false by default."""
    cache: bool = True
    """Whether a run is skipped whose package, data, image and parameters have already succeeded."""
    backoff_limit: Annotated[int, Field(ge=0, le=20, json_schema_extra={"format": "int32"})] = 0
    """How often a program that failed is started again. Pods that were evicted or lost are replaced by themselves."""
    active_deadline_seconds: Annotated[int, Field(ge=1, le=31536000, json_schema_extra={"format": "int32"})] | None = (
        None
    )
    """How long the program may take, in seconds."""
    start_deadline_seconds: Annotated[int, Field(ge=1, le=604800, json_schema_extra={"format": "int32"})] = 600
    """How long inputs may be missing, an image may not be there or a quota may be full, in seconds, before the run
    fails; counted from when that was seen, or the pod had its node and its data. Waiting for a node, for a queue or for
    another run has no end."""
    pod: Annotated[PodExtras, Field(json_schema_extra=only_in_code)] = PodExtras()
    """What else the pod is to have."""
    storage: ScratchStorage | None = None
    """The volume that holds package, data and whatever the program writes."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                f"!has(self.artifactsDirectory) || !has(self.environment) || !('{ARTIFACTS_VARIABLE}' in"
                f" self.environment) || self.environment['{ARTIFACTS_VARIABLE}'] == self.artifactsDirectory",
                f"environment.{ARTIFACTS_VARIABLE} and artifactsDirectory differ; give one of them, or the same twice",
            ),
            rule(
                f"!has(self.saveTrainingData) || !has(self.environment) || !('{SAVE_DATA_VARIABLE}' in"
                f" self.environment) || self.environment['{SAVE_DATA_VARIABLE}'] == string(self.saveTrainingData)",
                f"environment.{SAVE_DATA_VARIABLE} and saveTrainingData differ; give one of them, or the same twice",
            ),
            rule(
                f"!has(self.environment) || !('{ARTIFACTS_VARIABLE}' in self.environment) || "
                + _plain(f"self.environment['{ARTIFACTS_VARIABLE}']"),
                f"environment.{ARTIFACTS_VARIABLE} is a relative, plain path: no '/' at its ends, no '.' or '..'; "
                "write it as folder/folder",
            ),
            rule(
                f"!has(self.artifactsDirectory) || {_plain('self.artifactsDirectory')}",
                "artifactsDirectory is a relative, plain path: no '/' at its ends, no '.' or '..'; "
                "write it as folder/folder",
            ),
            rule(
                f"!has(self.environment) || !('{SAVE_DATA_VARIABLE}' in self.environment)"
                f" || self.environment['{SAVE_DATA_VARIABLE}'] in ['true', 'false']",
                f"environment.{SAVE_DATA_VARIABLE} is true or false; correct it",
            ),
            rule(
                "!has(self.environment) || !has(self.secretEnvironment)"
                " || self.environment.all(name, !(name in self.secretEnvironment))",
                "environment and secretEnvironment have a variable in common; remove it from one of them",
            ),
            rule(
                f"!has(self.secretEnvironment) || self.secretEnvironment.all(name, !(name in {_OWN}))",
                f"secretEnvironment: {ARTIFACTS_VARIABLE} and {SAVE_DATA_VARIABLE} are no secrets; "
                "set artifactsDirectory and saveTrainingData",
            ),
        )
    )


def template_rules() -> list[dict[str, str]]:
    """The rules of a template, for a model that is one and has rules of its own."""
    extra = TrainingTemplate.model_config["json_schema_extra"]
    assert isinstance(extra, dict)  # noqa: S101 - stands above
    found: Any = extra["x-kubernetes-validations"]
    return [*found]
