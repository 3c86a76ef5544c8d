"""What the models of all kinds share: naming rules, bounds and the base classes.

Every string, list and map is bounded: the API server estimates the cost of each CEL rule from the bounds and refuses a
CRD whose estimate is too high, and an object has to fit into etcd.
"""

import re
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from modelberth.api.conditions import MESSAGE_LIMIT

LABEL_PATTERN: Final = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
ALIAS_PATTERN: Final = r"^[a-z]([-a-z0-9]{0,38}[a-z0-9])?$"
SEQUENCE_PATTERN: Final = r"^v(0|[1-9][0-9]*)$"
VERSION_PATTERN: Final = r"^(v(0|[1-9][0-9]*)|(0|[1-9][0-9]*)[.](0|[1-9][0-9]*))$"
VERSION_NAME_PATTERN: Final = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?-(v(0|[1-9][0-9]*)|(0|[1-9][0-9]*)[.](0|[1-9][0-9]*))$"
DIGEST_PATTERN: Final = r"^sha256:[0-9a-f]{64}$"
FOLDER_PATTERN: Final = r"^([^./][^/]*|[.][^./][^/]*|[.][.][^/]+)(/([^./][^/]*|[.][^./][^/]*|[.][.][^/]+))*$"
"""A path below a tree: no slash at its ends, no empty part, no `.` and no `..`."""
PERCENT_PATTERN: Final = r"^(100|[1-9]?[0-9])%$"

ARTIFACT_NAME_LIMIT: Final = 50
VERSION_LIMIT: Final = 12
VERSION_NAME_LIMIT: Final = 63
"""A version's object name is `<collection>-<version>` and becomes a label value: 50 + 1 + 12 = 63."""
LABEL_LIMIT: Final = 63
TRAINING_RUN_NAME_LIMIT: Final = 57
"""A run names its pods: `<run>-<attempt>`."""
ALIAS_LIMIT: Final = 40
ALIASES_LIMIT: Final = 64
DIGEST_LENGTH: Final = 71
USER_NAME_LIMIT: Final = 512


def rule(rule: str, message: str, *, reason: str | None = None, field_path: str | None = None) -> dict[str, str]:
    """One CEL rule of a schema; its message names the field and the mend."""
    entry = {"rule": rule, "message": message}
    if reason:
        entry["reason"] = reason
    if field_path:
        entry["fieldPath"] = field_path
    return entry


def rules(*entries: dict[str, str]) -> dict[str, Any]:
    """CEL rules in the form that a schema carries them."""
    return {"x-kubernetes-validations": list(entries)}


def immutable(field: str, mend: str) -> dict[str, Any]:
    """The rule of a field that never changes once the object exists."""
    return rules(rule("self == oldSelf", f"{field} is immutable; {mend}"))


def alias_names(field: str) -> dict[str, Any]:
    """The rules of a map whose keys are alias names: they must not read like a version or mean something else."""
    return {
        "maxProperties": ALIASES_LIMIT,
        **rules(
            rule(
                f"self.all(name, size(name) <= {ALIAS_LIMIT} && name.matches('{ALIAS_PATTERN}'))",
                f"{field}: an alias name is 1 to {ALIAS_LIMIT} lower case letters, digits and '-', begins with a "
                "letter and ends with a letter or digit; rename it",
            ),
            rule(
                "self.all(name, !name.matches('^v[0-9]+$'))",
                f"{field}: an alias name must not look like a version (v4); rename it",
            ),
            rule(
                "!('latest' in self)",
                f"{field}: latest is reserved, it always means the newest version; use another name",
            ),
        ),
    }


def in_words(what: str) -> Callable[[dict[str, Any]], None]:
    """For a version's object name that people write: a sentence in place of the pattern, which nobody reads.

    Args:
        what: the field, what it takes and an example.
    """

    def say(schema: dict[str, Any]) -> None:
        del schema["minLength"], schema["pattern"]
        schema.update(rules(rule(f"self.matches('{VERSION_NAME_PATTERN}')", what)))

    return say


def only_in_code(schema: dict[str, Any]) -> None:
    """For a field whose default the operator fills in, but the API server does not write into the object."""
    schema.pop("default", None)


class _Model(BaseModel):
    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        frozen=True,
        use_attribute_docstrings=True,
        allow_inf_nan=False,
    )


class SpecModel(_Model):
    """What users write. An unknown field is an error, here as at the API server.

    An operator older than the CRDs then leaves an object alone rather than act on the half of it that it understands.
    """

    model_config = ConfigDict(extra="forbid")


class StatusModel(_Model):
    """What the operator writes. Fields of a newer operator are passed over."""

    model_config = ConfigDict(extra="ignore")


Label = Annotated[str, Field(min_length=1, max_length=LABEL_LIMIT, pattern=LABEL_PATTERN)]
ArtifactName = Annotated[str, Field(min_length=1, max_length=ARTIFACT_NAME_LIMIT, pattern=LABEL_PATTERN)]
DatasetName = ArtifactName
TrainingRunName = Annotated[str, Field(min_length=1, max_length=TRAINING_RUN_NAME_LIMIT, pattern=LABEL_PATTERN)]
AliasName = Annotated[str, Field(min_length=1, max_length=ALIAS_LIMIT, pattern=ALIAS_PATTERN)]
Version = Annotated[str, Field(min_length=1, max_length=VERSION_LIMIT, pattern=VERSION_PATTERN)]
SequenceNumber = Annotated[str, Field(min_length=1, max_length=VERSION_LIMIT, pattern=SEQUENCE_PATTERN)]


def _is_version_name(value: str) -> str:
    if len(value) > VERSION_NAME_LIMIT or re.fullmatch(VERSION_NAME_PATTERN, value) is None:
        words = "write a version's object name, its collection's name and the version, such as handwriting-v1"
        raise PydanticCustomError("version_name", words)
    return value


VersionName = Annotated[
    str,
    AfterValidator(_is_version_name),
    WithJsonSchema(
        {"type": "string", "minLength": 3, "maxLength": VERSION_NAME_LIMIT, "pattern": VERSION_NAME_PATTERN}
    ),
]
VersionNames = Annotated[
    tuple[VersionName, ...], Field(max_length=64, json_schema_extra={"x-kubernetes-list-type": "set"})
]
FolderPath = Annotated[str, Field(min_length=1, max_length=1024, pattern=FOLDER_PATTERN)]
Digest = Annotated[str, Field(min_length=DIGEST_LENGTH, max_length=DIGEST_LENGTH, pattern=DIGEST_PATTERN)]
Description = Annotated[str, Field(max_length=4096)]
ShortText = Annotated[str, Field(max_length=256)]
Uri = Annotated[str, Field(min_length=1, max_length=2048)]
UserName = Annotated[str, Field(min_length=1, max_length=USER_NAME_LIMIT)]
Message = Annotated[str, Field(max_length=MESSAGE_LIMIT)]
LongMessage = Annotated[str, Field(max_length=2 * MESSAGE_LIMIT)]
"""For what quotes the message of another object's condition, or names every alias."""
Reason = Annotated[str, Field(max_length=128)]
State = Annotated[str, Field(max_length=32)]
Count = Annotated[int, Field(ge=0, json_schema_extra={"format": "int64"})]
Generation = Annotated[int, Field(json_schema_extra={"format": "int64"})]
Time = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]


def _is_count_or_percent(value: int | str) -> int | str:
    if isinstance(value, int) and not 0 <= value <= 1000:
        raise ValueError("a count is 0 to 1000")
    if isinstance(value, str) and not re.fullmatch(PERCENT_PATTERN, value):
        raise ValueError("a share is 0% to 100%")
    return value


CountOrPercent = Annotated[
    int | str,
    AfterValidator(_is_count_or_percent),
    WithJsonSchema({"x-kubernetes-int-or-string": True, "minimum": 0, "maximum": 1000, "pattern": PERCENT_PATTERN}),
]


class ModelType(StrEnum):
    """What may be linked together: a RegisteredModel links artifacts of its own type."""

    MODEL = "model"


class Condition(StatusModel):
    """One aspect of the object's state."""

    type: Annotated[str, Field(min_length=1, max_length=63)]
    """Which aspect: Ready is the summary; Reconciling and Stalled are there only while they hold."""
    status: Literal["True", "False", "Unknown"]
    """Whether it holds."""
    reason: Annotated[str, Field(min_length=1, max_length=128)]
    """Why, as one CamelCase word for programs."""
    message: Message
    """Why, as a sentence for people."""
    last_transition_time: Time
    """When the status last went from one value to another."""
    observed_generation: Count | None = None
    """The metadata.generation that this was said about."""


Conditions = Annotated[
    tuple[Condition, ...],
    Field(
        max_length=16,
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    ),
]


class ObjectStatus(StatusModel):
    """What every status holds; the schema's default makes an object that nobody has seen yet look unfinished."""

    conditions: Conditions = ()
    """What holds for the object, one entry for each type; `kubectl wait --for=condition=Ready` reads them."""
    observed_generation: Generation = -1
    """The metadata.generation that this status was computed from; -1 until the operator has seen the object."""


class AliasStanding(StatusModel):
    """What an alias asks for and what it stands for."""

    desired: VersionName | None = None
    """The version that the spec asks for."""
    current: VersionName | None = None
    """The version that the alias stands for: what an address with this alias means."""
    digest: Digest | None = None
    """The digest of the current version."""
    state: State | None = None
    """How far the alias is: Served, Progressing, Waiting, Blocked or Degraded; Resolved where nothing follows it."""
    reason: Reason | None = None
    """Why it is in that state, as one CamelCase word."""
    message: LongMessage | None = None
    """Why it is in that state, as a sentence."""
    since: Time | None = None
    """When it got into that state."""
    moved_by: UserName | None = None
    """Who changed the alias last, as the API server knows the user."""
