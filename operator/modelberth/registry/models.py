"""What goes over the wire, as pydantic models: they check requests, shape answers and make the OpenAPI document."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from modelberth.api.common import Digest, SequenceNumber, Version, VersionNames
from modelberth.api.lineage import Lineage, Provenance
from modelberth.api.model_version import Signature
from modelberth.content.collections import CollectionFamily
from modelberth.content.layout import MAX_OBJECT_BYTES
from modelberth.training.moments import is_moment

MAX_PAGE = 1000


def _checked_moment(text: str) -> str:
    if not is_moment(text):
        raise ValueError("no moment by RFC 3339: write it like 2026-01-31T12:00:00Z")
    return text


Moment = Annotated[
    str, Field(max_length=40, json_schema_extra={"format": "date-time"}), AfterValidator(_checked_moment)
]
"""Checked, for it is shown in a status: the API server refuses all of one with a moment that is none."""


class Wire(BaseModel):
    """camelCase outside; an unknown field in a request is an error, never dropped."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )


class ErrorDetail(Wire):
    """Why a request was refused."""

    code: str
    """One CamelCase word for programs."""
    message: str
    """A sentence that names the field and the mend."""


class ErrorAnswer(Wire):
    """Every answer of 400 and more."""

    error: ErrorDetail


class Info(Wire):
    """What this registry is and can do."""

    version: str
    """Of the program."""
    formats: dict[str, int]
    """The formats it speaks, by name."""
    mode: Literal["direct"]
    """Bytes go between client and store by presigned URLs."""
    problems: list[str]
    """What keeps it from being ready, or what an administrator should know."""


class Readiness(Wire):
    """Whether requests are answered."""

    ready: bool
    problems: list[str]


class Resolution(Wire):
    """What an address stands for."""

    namespace: str
    family: CollectionFamily
    """Whether it is a model's version or a dataset's."""
    name: str
    """The artifact's or the dataset's."""
    artifact: str
    """The same, for clients from before there were datasets."""
    version: str
    digest: str
    via: Literal["alias", "version", "digest"]
    """What in the address decided."""


Hex = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
EndpointName = Literal["internal", "external"]


class UrlsRequest(Wire):
    """Which objects of a layout are to be read."""

    objects: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1, max_length=MAX_PAGE)]
    """Their numbers in the layout."""
    endpoint: EndpointName | None = None
    """From where the URLs are used; by default inside for pods, outside for sessions if that is configured."""


class Urls(Wire):
    """Presigned URLs for reading."""

    expires_at: str
    """RFC 3339; by the store's clock, judged when a request starts."""
    urls: dict[str, str]
    """By the object's number."""


class UploadItem(Wire):
    """An object that a push needs in the store."""

    sha256: Hex
    size: Annotated[int, Field(ge=1, le=MAX_OBJECT_BYTES)]
    """In bytes."""


class UploadsRequest(Wire):
    """What a push wants to have in the store."""

    objects: Annotated[list[UploadItem], Field(min_length=1, max_length=MAX_PAGE)]
    endpoint: EndpointName | None = None
    """From where the URLs are used; outside if that is configured."""


class UploadTarget(Wire):
    """Where an object lies, or where to send it."""

    sha256: str
    ulid: str
    """The last part of its key; goes into the layout."""
    present: bool
    """Whether it is there already; otherwise it is to be sent to `url` with `headers`."""
    url: str | None = None
    headers: dict[str, str] | None = None


class UploadsAnswer(Wire):
    """One target for each object, in the order asked for."""

    expires_at: str
    uploads: list[UploadTarget]


class Committed(Wire):
    """Content whose every byte was proven to be in the store."""

    digest: str
    file_count: int
    size_bytes: int
    stored_bytes: int


class MissingObjects(Wire):
    """Objects of a layout that are not in the store."""

    error: ErrorDetail
    missing: list[str]
    """SHA-256 in hex: upload these again, and commit again."""


class VersionSpec(Wire):
    """What is known of a version when it is reserved; the fields of a ModelVersion's spec."""

    format: Annotated[str, Field(max_length=256)] | None = None
    signature: Signature | None = None
    lineage: Lineage | None = None
    parameters: Annotated[dict[str, str], Field(max_length=256)] | None = None
    metrics: Annotated[dict[str, float], Field(max_length=256)] | None = None
    description: Annotated[str, Field(max_length=4096)] | None = None

    def as_record(self) -> dict[str, Any]:
        """What goes into the record."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class DatasetVersionSpec(Wire):
    """What is known of a dataset's version when it is reserved; the fields of a DatasetVersion's spec."""

    format: Annotated[str, Field(max_length=256)] | None = None
    description: Annotated[str, Field(max_length=4096)] | None = None
    derived_from: VersionNames | None = None
    labels: Annotated[dict[str, Annotated[str, Field(max_length=256)]], Field(max_length=64)] | None = None
    lineage: Provenance | None = None

    def as_record(self) -> dict[str, Any]:
        """What goes into the record."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class ReserveRequest(Wire):
    """A version of an artifact to be reserved."""

    digest: Digest
    versioning: Literal["Sequence", "Semantic"] = "Sequence"
    version: Version | None = None
    """The number; without it the next one, or the one that the content has already."""
    spec: VersionSpec = VersionSpec()


class ReserveDatasetRequest(Wire):
    """A version of a dataset to be reserved."""

    digest: Digest
    version: SequenceNumber | None = None
    """The number; without it the next one, or the one that the content has already."""
    spec: DatasetVersionSpec = DatasetVersionSpec()


class Reserved(Wire):
    """The version that holds now."""

    version: str
    digest: str
    committed: bool
    """Whether the family has the content in the store; otherwise send it."""
    created: bool
    """Whether this request made the record."""
    spec: dict[str, Any]
    """What the record says of the version, as it was said when the record was made: what its object is made of."""


class VersionEntry(Wire):
    """A version of an artifact or a dataset."""

    version: str
    digest: str
    committed: bool
    created_at: str
    created_by: str


class HistoryEntry(Wire):
    """Something that happened to an alias."""

    sequence: int
    event: Literal["Moved", "Served", "Removed"]
    version: str
    digest: str
    previous: str
    generation: int
    first_generation: int
    moved_by: str
    at: str


class PhaseEntry(Wire):
    """How long a phase of a training run took, or takes so far."""

    name: Annotated[str, Field(max_length=32, pattern=r"^[A-Z][A-Za-z]*$")]
    started_at: Moment
    seconds: Annotated[float, Field(ge=0, lt=2**31)]
    bytes: Annotated[int, Field(ge=0, lt=2**63)] = 0
    """That were moved, where bytes were."""


class ProgressReport(Wire):
    """How far a loader is."""

    digest: Digest
    bytes: Annotated[int, Field(ge=0, lt=2**63)]
    total: Annotated[int, Field(ge=0, lt=2**63)]
    phase: Annotated[str, Field(max_length=32, pattern=r"^([A-Z][A-Za-z]*)?$")] = ""
    """Of a training run: what it does now."""
    phases: Annotated[tuple[PhaseEntry, ...], Field(max_length=16)] = ()
    """Of a training run: what it has done."""


class ProgressEntry(Wire):
    """How far the loader of a pod is."""

    namespace: str
    pod: str
    pod_uid: Annotated[str, Field(alias="podUID")]
    digest: str
    bytes: int
    total: int
    idle_seconds: float
    """Since its last report of more bytes, or of another phase."""
    phase: str = ""
    phases: tuple[PhaseEntry, ...] = ()
