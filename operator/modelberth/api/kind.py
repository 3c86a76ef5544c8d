"""What a kind is: its names, its models, what `kubectl get` shows of it, and the rules over an object as a whole."""

from dataclasses import dataclass
from typing import Final

from pydantic import BaseModel

from modelberth.api.common import LABEL_PATTERN, ObjectStatus, SpecModel, rule


@dataclass(frozen=True, slots=True)
class Column:
    """One column of `kubectl get`; those of priority 1 are shown with `-o wide` only."""

    name: str
    path: str
    type: str = "string"
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Kind:
    """One custom resource."""

    name: str
    plural: str
    short_name: str
    description: str
    spec: type[SpecModel]
    status: type[ObjectStatus]
    columns: tuple[Column, ...]
    rules: tuple[dict[str, str], ...] = ()
    selectable: tuple[str, ...] = ()
    scales: bool = False

    @property
    def singular(self) -> str:
        """The name for one, as in `kubectl get modelversion`."""
        return self.name.lower()

    @property
    def parts(self) -> tuple[type[BaseModel], type[BaseModel]]:
        """The models of spec and status."""
        return self.spec, self.status


READY_COLUMN: Final = Column("Ready", '.status.conditions[?(@.type=="Ready")].status')
AGE_COLUMN: Final = Column("Age", ".metadata.creationTimestamp", "date")
MESSAGE_COLUMN: Final = Column("Message", '.status.conditions[?(@.type=="Ready")].message')


def short_name_rule(kind: str, limit: int) -> dict[str, str]:
    """The rule for names that other names are built from."""
    return rule(
        f"size(self.metadata.name) <= {limit} && self.metadata.name.matches('{LABEL_PATTERN}')",
        f"metadata.name of a {kind} is 1 to {limit} lower case letters, digits and '-', because other names are built "
        "from it; choose another name",
    )
