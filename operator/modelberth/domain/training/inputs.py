"""What goes into a run: package and data, found once, by digest, when the run starts."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol, Self

from modelberth.api.training_template import DataReference, PackageReference, TrainingTemplate
from modelberth.content import collections
from modelberth.content.collections import Collection
from modelberth.content.versions import Version, split_object_name
from modelberth.domain.objects import Object, condition, dig, is_deleting, is_ready, name_of
from modelberth.domain.training import reasons


class Lookup(Protocol):
    """The objects of the run's namespace."""

    def artifact(self, name: str) -> Object | None:
        """A ModelArtifact."""
        ...

    def model_version(self, name: str) -> Object | None:
        """A ModelVersion."""
        ...

    def model_versions(self, artifact: str) -> Iterable[Object]:
        """All ModelVersions of an artifact."""
        ...

    def dataset(self, name: str) -> Object | None:
        """A Dataset."""
        ...

    def dataset_version(self, name: str) -> Object | None:
        """A DatasetVersion."""
        ...


class Unresolved(Exception):  # noqa: N818 - it says how things stand, mostly for a while
    """An input is not there yet, or never will be.

    Attributes:
        reason: in one CamelCase word.
        message: names the field and the mend.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message

    @property
    def is_final(self) -> bool:
        """Whether waiting mends nothing."""
        return self.reason in reasons.FINAL


@dataclass(frozen=True, slots=True)
class Data:
    """A folder of a DatasetVersion; "" for all of it."""

    version: str
    digest: str
    folder: str = ""

    def reference(self) -> dict[str, str]:
        """As a template names it."""
        return {"version": self.version} | ({"folder": self.folder} if self.folder else {})


@dataclass(frozen=True, slots=True)
class Inputs:
    """What went in.

    Attributes:
        package: the ModelVersion's name.
        package_digest: of its content.
        artifact: that gets the new version.
        major: of the package.
        base: the largest minor of that major when the run started, as `1.4`.
        dataset: what train gets.
        evaluation: what evaluate gets; None for the same.
        image: as it was asked for.
    """

    package: str
    package_digest: str
    artifact: str
    major: int
    base: str
    dataset: Data
    evaluation: Data | None
    image: str

    def status(self) -> dict[str, Any]:
        """As `status.inputs`."""
        fields: dict[str, Any] = {
            "package": self.package,
            "packageDigest": self.package_digest,
            "artifact": self.artifact,
            "major": self.major,
            "base": self.base,
            "image": self.image,
        }
        for name, data in (("dataset", self.dataset), ("evaluation", self.evaluation)):
            if data is not None:
                fields |= {name: data.version, f"{name}Digest": data.digest}
                fields |= {f"{name}Folder": data.folder} if data.folder else {}
        return fields

    def behind(self, numbers: Iterable[str]) -> Self:
        """The same, with the next minor behind all that were ever given: those of drafts and deleted versions, too."""
        given = [number for number in map(Version.parse, numbers) if number.versioning == "Semantic"]
        of_major = [number for number in given if number.numbers[0] == self.major]
        return replace(self, base=str(max([*of_major, Version.parse(self.base)])))

    @classmethod
    def from_status(cls, fields: Mapping[str, Any]) -> Self:
        """What `status` gave."""

        def data(name: str) -> Data | None:
            if not fields.get(name):
                return None
            return Data(str(fields[name]), str(fields[f"{name}Digest"]), str(fields.get(f"{name}Folder") or ""))

        dataset = data("dataset")
        assert dataset is not None  # noqa: S101 - status() always writes it
        return cls(
            package=str(fields["package"]),
            package_digest=str(fields["packageDigest"]),
            artifact=str(fields["artifact"]),
            major=int(fields["major"]),
            base=str(fields["base"]),
            dataset=dataset,
            evaluation=data("evaluation"),
            image=str(fields["image"]),
        )


def resolve(template: TrainingTemplate, lookup: Lookup) -> Inputs:
    """The inputs that a template means now.

    Raises:
        Unresolved: one of them is missing, not Ready, or no package.
    """
    package = _package(template.package, lookup)
    artifact, number = split_object_name(name_of(package))
    holder = lookup.artifact(artifact)
    if holder is None:
        raise Unresolved(
            reasons.INPUT_NOT_FOUND, f"package: ModelArtifact {artifact} is not there: create it, it gets the version"
        )
    versioning = dig(holder, "spec", "versioning") or "Sequence"
    if versioning != "Semantic":
        raise Unresolved(
            reasons.BAD_PACKAGE,
            f"package: ModelArtifact {artifact} has versioning {versioning}, and a run makes the next minor: "
            "push the package to an artifact with versioning Semantic",
        )
    major = Version.parse(number).numbers[0]
    return Inputs(
        package=name_of(package),
        package_digest=str(dig(package, "status", "digest")),
        artifact=artifact,
        major=major,
        base=str(max(_minors(lookup.model_versions(artifact), major), default=Version.parse(number))),
        dataset=_data("dataset", template.dataset, lookup),
        evaluation=_data("evaluation", template.evaluation, lookup) if template.evaluation else None,
        image=template.image,
    )


def missing(template: TrainingTemplate, lookup: Lookup) -> Unresolved | None:
    """What a run of the template would lack now; None for nothing."""
    try:
        resolve(template, lookup)
    except Unresolved as lack:
        return lack
    return None


def collections_of(template: Mapping[str, Any]) -> set[Collection]:
    """The collections that the inputs of a template, as an object has it, come from."""
    data = ((collections.dataset, field, "name") for field in ("dataset", "evaluation"))
    return {
        collection(str(name))
        for collection, field, given in ((collections.artifact, "package", "artifact"), *data)
        if (name := dig(template, field, given) or str(dig(template, field, "version") or "").rpartition("-")[0])
    }


def standing_version(reference: DataReference, lookup: Lookup) -> str | None:
    """The version that a dataset's alias stands for now; None if there is none."""
    holder = lookup.dataset(str(reference.name))
    if holder is None or is_deleting(holder):
        return None
    if reference.alias == "latest":
        found = dig(holder, "status", "latestVersion")
    else:
        found = dig(holder, "status", "aliases", reference.alias, "current")
    return str(found) if found else None


def _package(reference: PackageReference, lookup: Lookup) -> Object:
    if reference.version is not None:
        return _ready("package.version", "ModelVersion", reference.version, lookup.model_version(reference.version))
    artifact, major = str(reference.artifact), int(reference.major or 0)
    usable = {
        _number(version): version
        for version in lookup.model_versions(artifact)
        if _number(version).numbers[0] == major and is_ready(version) and not is_deleting(version)
    }
    usable = {number: version for number, version in usable.items() if number.versioning == "Semantic"}
    if usable:
        return usable[max(usable)]
    holder = lookup.artifact(artifact)
    if holder is not None and dig(holder, "spec", "versioning") != "Semantic":
        raise Unresolved(
            reasons.BAD_PACKAGE,
            f"package.artifact: ModelArtifact {artifact} does not count in majors and minors: "
            "push the package to an artifact with versioning Semantic",
        )
    raise Unresolved(
        reasons.INPUT_NOT_FOUND,
        f"package: ModelArtifact {artifact} has no version {major}.<minor> that is Ready: push the package",
    )


def _data(field: str, reference: DataReference, lookup: Lookup) -> Data:
    name = reference.version
    if name is None:
        name = standing_version(reference, lookup)
        if name is None:
            raise Unresolved(
                reasons.INPUT_NOT_FOUND,
                f"{field}: alias {reference.alias} of Dataset {reference.name} stands for no version: "
                "push data, or set the alias",
            )
    version = _ready(field, "DatasetVersion", name, lookup.dataset_version(name))
    return Data(name, str(dig(version, "status", "digest")), reference.folder or "")


def _ready(field: str, kind: str, name: str, version: Object | None) -> Object:
    if version is None:
        raise Unresolved(reasons.INPUT_NOT_FOUND, f"{field}: {kind} {name} is not there: push it or correct the name")
    if is_deleting(version):
        raise Unresolved(reasons.INPUT_DELETED, f"{field}: {kind} {name} is being deleted: name another one")
    if not is_ready(version) or not dig(version, "status", "digest"):
        said = dig(condition(version, "Ready"), "message")
        raise Unresolved(
            reasons.INPUT_NOT_READY, f"{field}: {kind} {name} is not Ready" + (f": {said}" if said else "")
        )
    return version


def _number(version: Object) -> Version:
    return Version.parse(str(dig(version, "spec", "version")))


def _minors(versions: Iterable[Object], major: int) -> Iterable[Version]:
    numbers = map(_number, versions)
    return [number for number in numbers if number.versioning == "Semantic" and number.numbers[0] == major]
