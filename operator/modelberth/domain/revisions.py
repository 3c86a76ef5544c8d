"""Revisions: what is rolled, recorded and returned to.

A revision is a digest, a delivery and a pod template *as rendered once*, kept as a ControllerRevision named after a
hash of its inputs. While the inputs stay the same the stored rendering is used, whatever a newer operator would add:
an upgrade of the operator changes no pod template. Moving an alias back finds the old revision, and with it the old
ReplicaSet.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from modelberth.api import names
from modelberth.domain.objects import Object, annotation, controller_reference, dig, name_of, namespace_of
from modelberth.domain.targets import Target

HISTORY_LIMIT = 10
"""Revisions kept beside those in use; as many as a Deployment keeps ReplicaSets by default."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """All that a user decides about a pod. Nothing of the operator's own settings belongs here."""

    target: Target
    artifact: str
    delivery: str
    template: Object
    container: str | None
    mount_path: str
    loader_image: str | None
    loader_resources: Object | None

    @property
    def hash(self) -> str:
        """SHA-256 over the inputs as sorted JSON, in hex. Written down in every revision: never change the form."""
        said = {
            "model": self.target.model,
            "alias": self.target.alias,
            "version": self.target.version,
            "digest": self.target.digest,
            "delivery": self.delivery,
            "template": self.template,
            "container": self.container,
            "mountPath": self.mount_path,
            "loaderImage": self.loader_image,
            "loaderResources": self.loader_resources,
        }
        text = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Revision:
    """One rendering. ``number`` grows with each new revision of a ModelDeployment, from 1."""

    name: str
    number: int
    input_hash: str
    version: str
    digest: str
    template: Object


def revision_name(deployment: str, input_hash: str) -> str:
    """The ControllerRevision's name: the same inputs can only ever make the same object."""
    return f"{deployment}-{input_hash[:10]}"


def read(obj: Object) -> Revision:
    """A revision as stored."""
    data = obj["data"]
    return Revision(
        name=name_of(obj),
        number=int(obj["revision"]),
        input_hash=str(data["inputHash"]),
        version=str(data["version"]),
        digest=str(data["digest"]),
        template=data["template"],
    )


def find(stored: Iterable[Object], *, input_hash: str) -> Revision | None:
    """The stored revision made from these inputs."""
    return next((read(obj) for obj in stored if dig(obj, "data", "inputHash") == input_hash), None)


def running(stored: Iterable[Object], workload: Object | None) -> Revision | None:
    """The stored revision that a Deployment's template was applied from."""
    name = annotation(workload, names.ANNOTATION_REVISION)
    return next((read(obj) for obj in stored if name_of(obj) == name), None)


def next_number(stored: Sequence[Object]) -> int:
    """One more than the largest that is stored."""
    return max((int(obj["revision"]) for obj in stored), default=0) + 1


def manifest(owner: Object, revision: Revision) -> Object:
    """The ControllerRevision that keeps a revision."""
    return {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": {
            "name": revision.name,
            "namespace": namespace_of(owner),
            "labels": {
                names.LABEL_MANAGED_BY: names.MANAGED_BY,
                names.LABEL_DEPLOYMENT: name_of(owner),
            },
            "ownerReferences": [controller_reference(owner)],
        },
        "revision": revision.number,
        "data": {
            "inputHash": revision.input_hash,
            "version": revision.version,
            "digest": revision.digest,
            "template": revision.template,
        },
    }


def superfluous(stored: Sequence[Object], *, in_use: Iterable[str]) -> list[Object]:
    """The revisions beyond the history limit, oldest first; never one whose name is in use."""
    kept = set(in_use)
    idle = sorted((obj for obj in stored if name_of(obj) not in kept), key=lambda obj: int(obj["revision"]))
    return idle[: max(0, len(idle) - HISTORY_LIMIT)]
