"""What people do with data: push datasets, alias and drop them, and name data as if it were a model.

The one dataset has the name of an artifact, so that whatever mixes the two up is found out.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from modelberth.content import collections
from modelberth.runtime.resources import DATASET_VERSIONS, DATASETS, Object
from tests.simulation.bucket import digest_of

if TYPE_CHECKING:
    from tests.simulation.users import Choice, Users

DATASET = "cats"


def dataset(users: "Users") -> bool:
    return users.create(DATASETS, DATASET, {})


def push_data(users: "Users", number: str) -> bool:
    """What `modelberth push --dataset` does: content, record, object."""
    users.store(collections.dataset(DATASET), number, _digest(number))
    return _version(users, number, _digest(number))


def declare_data(users: "Users", number: str) -> bool:
    """A version from Git whose content may not be there (yet)."""
    return _version(users, number, _digest(number))


def inline_data(users: "Users", number: str) -> bool:
    spec = {"dataset": DATASET, "version": number, "source": {"inline": {"files": {"rows.csv": {"text": number}}}}}
    return users.create(DATASET_VERSIONS, f"{DATASET}-{number}", spec)


def borrow(users: "Users", artifact: str, number: str) -> bool:
    """Somebody who knows a dataset's digest names it as a model's content."""
    spec = {"artifact": artifact, "version": number, "source": {"pushed": {}}, "digest": _digest(number)}
    return users.version_object(artifact, number, spec)


def review(users: "Users", number: str) -> bool:
    return users.alias_own(DATASETS, DATASET, "reviewed", f"{DATASET}-{number}")


def unpublish_data(users: "Users", number: str) -> bool:
    return users.delete(DATASET_VERSIONS, f"{DATASET}-{number}")


def drop_dataset(users: "Users") -> bool:
    return users.delete(DATASETS, DATASET)


def _digest(number: str) -> str:
    return digest_of(f"dataset {DATASET} {number}")


def _version(users: "Users", number: str, digest: str) -> bool:
    spec: Object = {"dataset": DATASET, "version": number, "source": {"pushed": {}}, "digest": digest}
    return users.create(DATASET_VERSIONS, f"{DATASET}-{number}", spec)


HABITS: "dict[str, tuple[int, Callable[[Choice], tuple[str, ...]], Callable[..., bool]]]" = {
    "dataset": (2, lambda _: (), dataset),
    "push-data": (4, lambda some: (some.number(),), push_data),
    "declare-data": (1, lambda some: (some.number(),), declare_data),
    "inline-data": (1, lambda some: (some.number(),), inline_data),
    "borrow": (1, lambda some: (some.artifact(), some.number()), borrow),
    "review": (2, lambda some: (some.number(),), review),
    "unpublish-data": (2, lambda some: (some.number(),), unpublish_data),
    "drop-dataset": (1, lambda _: (), drop_dataset),
}
