"""A push from a folder to a version's object, and the alias if one is wished: what `modelberth push` and the SDK do.

Order matters. The folder is hashed first, so that the version that the content has is known before a byte is sent;
the object comes last, so that it never names content that is not there.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from modelberth.api import names
from modelberth.cli.access import Access
from modelberth.cli.cluster import Cluster
from modelberth.cli.errors import CommandError, UsageError
from modelberth.cli.session import Place, session_access
from modelberth.content.addresses import LATEST, is_alias, is_collection_name
from modelberth.content.collections import Collection
from modelberth.content.versions import MAX_VERSION_LENGTH, Version, is_version, object_name
from modelberth.domain.objects import dig
from modelberth.runtime.families import FAMILY_OF
from modelberth.runtime.resources import Object, Resource
from modelberth.transfer.answers import Reserved
from modelberth.transfer.errors import HttpFailure
from modelberth.transfer.progress import Progress
from modelberth.transfer.push import send
from modelberth.transfer.scan import Folder, scan

SEQUENCE = "Sequence"
_FORMS = {SEQUENCE: "a number such as v4", "Semantic": "a number such as 1.1"}


@dataclass(frozen=True, slots=True)
class PushRequest:
    """What is to be pushed and what is said about it.

    Attributes:
        folder: its path.
        collection: the artifact or dataset.
        version: as `v4`; None for the next one.
        versioning: Sequence or Semantic; None for the artifact's own, or Sequence, as all datasets count.
        alias: of the collection, to be moved to the version; None for none.
        declare: whether to make the version's object; otherwise content and number are kept, and no object is made.
        description: fields of the version's spec besides its collection, version, digest and source.
    """

    folder: str
    collection: Collection
    version: str | None = None
    versioning: str | None = None
    alias: str | None = None
    declare: bool = True
    description: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PushOutcome:
    """What a push did.

    Attributes:
        namespace: where.
        version: the version that the content has, as `v4`.
        digest: `sha256:<hex>`.
        created: False when the same content had this version before.
        sent_bytes: what had to be sent.
        size_bytes: the size of the folder's files.
        manifest: the version's object, as it was or would be applied.
        collection_manifest: the ModelArtifact or Dataset to go with it; None when there is one.
        not_taken: the fields of the request's description that the version, which was there before and never changes,
            has otherwise or not at all, by its object or, where there is none any more, by its record.
    """

    namespace: str
    version: str
    digest: str
    created: bool
    sent_bytes: int
    size_bytes: int
    manifest: Object
    collection_manifest: Object | None
    not_taken: Sequence[str] = ()


def push(
    request: PushRequest, place: Place, *, workers: int, progress: Progress, tell: Callable[[str], None]
) -> PushOutcome:
    """Push a folder.

    Args:
        request: what.
        place: where.
        workers: how many threads hash and send.
        progress: counts the bytes.
        tell: is given a sentence at each step that a person wants to know about.

    Raises:
        UsageError: the request contradicts itself.
        TransferError: the folder, the registry, the store or the API server refused.
        FormatError: the folder holds a path that no version may hold.
    """
    _check(request)
    with place.connect() as cluster:
        namespace = place.namespace or cluster.namespace
        collection = request.collection
        holder = cluster.get(FAMILY_OF[collection.family].collections, namespace, collection.name)
        versioning = _versioning(request, holder)
        folder = scan(request.folder, workers=workers, progress=progress)
        with session_access(cluster, place, namespace, "Push", collection=collection) as access:
            reserved = _reserve(access, request, versioning, folder)
            name = object_name(request.collection.name, reserved.version)
            is_old = reserved.committed and not reserved.created  # its bytes may be known from another collection
            tell(f"this content is {name} already" if is_old else f"{name} is reserved for {reserved.digest}")
            # Of committed content, too: whatever the store has lost of it is sent again, mostly nothing.
            sent = send(access.client, access.http, folder, workers=workers, progress=progress).sent_bytes
        outcome = PushOutcome(
            namespace=namespace,
            version=reserved.version,
            digest=reserved.digest,
            created=reserved.created,
            sent_bytes=sent,
            size_bytes=folder.tree.size_bytes,
            manifest=_version_manifest(request.collection, namespace, reserved, _kept(request, reserved)),
            collection_manifest=None if holder else _collection_manifest(request, namespace, versioning),
        )
        if request.declare:
            return replace(outcome, not_taken=_declare(cluster, outcome, request, tell))
        existing = None if reserved.created else _seen(cluster, collection, namespace, name)
        return replace(outcome, not_taken=_differing(existing or outcome.manifest, request))


def _check(request: PushRequest) -> None:
    collection = request.collection
    if not is_collection_name(collection.name):
        raise UsageError(
            f"--{collection.field} {collection.name}: a name is 1 to 50 lower case letters, digits and '-', "
            "and begins and ends with a letter or digit"
        )
    if request.version is not None and not is_version(request.version):
        raise UsageError(
            f"--version {request.version}: write v<number> or <major>.<minor>, such as v4 or 1.1, "
            f"in at most {MAX_VERSION_LENGTH} characters"
        )
    if collection.family == "datasets" and request.version is not None and not _counts_in_sequence(request.version):
        raise UsageError(f"--version {request.version}: datasets count v0, v1, v2; write v<number>, such as v4")
    if request.alias is not None and (request.alias == LATEST or not is_alias(request.alias)):
        raise UsageError(
            f"--alias {request.alias}: an alias is 1 to 40 lower case letters, digits and '-', begins with a letter, "
            "is not like a version (v4) and not 'latest', which moves by itself"
        )
    if request.alias is not None and not request.declare:
        raise UsageError("--alias needs the version's object: leave --draft and -o away")


def _counts_in_sequence(version: str) -> bool:
    return Version.parse(version).versioning == SEQUENCE


def _versioning(request: PushRequest, artifact: Object | None) -> str:
    """How the artifact counts, refusing a wish that contradicts it."""
    wished = request.versioning
    if wished is None and request.version is not None and artifact is None:
        wished = Version.parse(request.version).versioning
    versioning = str(dig(artifact, "spec", "versioning") or SEQUENCE) if artifact else wished or SEQUENCE
    if wished is not None and wished != versioning:
        raise CommandError(
            f"ModelArtifact {request.collection.name} has spec.versioning {versioning}, not {wished}, "
            "and never changes it: push to another artifact, or leave --versioning away"
        )
    if request.version is not None and Version.parse(request.version).versioning != versioning:
        raise CommandError(
            f"--version {request.version} does not fit spec.versioning {versioning} of ModelArtifact "
            f"{request.collection.name}, which never changes: write {_FORMS[versioning]}, or push to another artifact"
        )
    return versioning


def _reserve(access: Access, request: PushRequest, versioning: str, folder: Folder) -> Reserved:
    return access.client.reserve(
        request.collection,
        digest=folder.tree.digest,
        versioning=versioning if request.collection.family == "models" else None,
        version=request.version,
        spec=request.description,
    )


def _seen(cluster: Cluster, collection: Collection, namespace: str, name: str) -> Object | None:
    """A version's object; None where there is none, or the user may not see it."""
    try:
        return cluster.get(FAMILY_OF[collection.family].versions, namespace, name)
    except HttpFailure as error:
        if error.status == 403:
            return None
        raise


def _declare(
    cluster: Cluster, outcome: PushOutcome, request: PushRequest, tell: Callable[[str], None]
) -> Sequence[str]:
    """Make the objects that are not there yet, and move the alias; returns the fields that a version has otherwise."""
    not_taken: Sequence[str] = _differing(outcome.manifest, request)
    owner, family = request.collection.name, FAMILY_OF[request.collection.family]
    name = str(outcome.manifest["metadata"]["name"])
    if outcome.collection_manifest is not None and _create(cluster, family.collections, outcome.collection_manifest):
        tell(f"{family.collections.kind.lower()}/{owner} created")
    if _create(cluster, family.versions, outcome.manifest):
        tell(f"{family.versions.kind.lower()}/{name} created")
    else:
        not_taken = _compare(cluster.get(family.versions, outcome.namespace, name), outcome, request)
        tell(f"{family.versions.kind.lower()}/{name} is there already")
    if request.alias is not None:
        patch = {"spec": {"aliases": {request.alias: {"version": name}}}}
        cluster.merge(family.collections, outcome.namespace, owner, patch)
        tell(f"alias {owner}:{request.alias} asks for {name}")
    return not_taken


def _create(cluster: Cluster, resource: Resource, manifest: Object) -> bool:
    """Whether the object was made; False when there is one of this name."""
    try:
        cluster.create(resource, str(manifest["metadata"]["namespace"]), manifest)
    except HttpFailure as error:
        if error.status == 409 and error.code == "AlreadyExists":
            return False
        raise
    return True


def _compare(existing: Object | None, outcome: PushOutcome, request: PushRequest) -> Sequence[str]:
    """Look at the version that is there: it must mean this content; the fields that it has otherwise."""
    kind, name = outcome.manifest["kind"], outcome.manifest["metadata"]["name"]
    if existing is None:
        raise CommandError(f"{kind} {name} was deleted during the push: push again")
    digest = dig(existing, "spec", "digest") or dig(existing, "status", "digest")
    if digest not in (None, outcome.digest):
        raise CommandError(f"{kind} {name} exists with the digest {digest}; this content is {outcome.digest}")
    return _differing(existing, request)


def _differing(version: Object, request: PushRequest) -> Sequence[str]:
    return sorted(key for key, value in request.description.items() if version["spec"].get(key) != value)


def not_taken_words(outcome: PushOutcome) -> str:
    """A sentence about what was said in vain; empty where nothing was."""
    if not outcome.not_taken:
        return ""
    name = outcome.manifest["metadata"]["name"]
    return (
        f"{name} has this content already, and a version never changes: {', '.join(outcome.not_taken)} of this push "
        f"{'was' if len(outcome.not_taken) == 1 else 'were'} not taken"
    )


def _kept(request: PushRequest, reserved: Reserved) -> Mapping[str, Any]:
    """What the version says of itself: what is on record, as a version's metadata never change."""
    return request.description if reserved.created or reserved.spec is None else reserved.spec


def _version_manifest(
    collection: Collection, namespace: str, reserved: Reserved, description: Mapping[str, Any]
) -> Object:
    return {
        "apiVersion": names.API_VERSION,
        "kind": FAMILY_OF[collection.family].versions.kind,
        "metadata": {"name": object_name(collection.name, reserved.version), "namespace": namespace},
        "spec": {
            collection.field: collection.name,
            "version": reserved.version,
            "digest": reserved.digest,
            "source": {"pushed": {}},
            **description,
        },
    }


def _collection_manifest(request: PushRequest, namespace: str, versioning: str) -> Object:
    return {
        "apiVersion": names.API_VERSION,
        "kind": FAMILY_OF[request.collection.family].collections.kind,
        "metadata": {"name": request.collection.name, "namespace": namespace},
        "spec": {"versioning": versioning} if request.collection.family == "models" else {},
    }
