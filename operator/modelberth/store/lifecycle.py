"""Rules of a bucket that would remove or archive objects behind our back."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ExpiryRule:
    """An enabled lifecycle rule that removes or archives current objects under `prefix`."""

    id: str
    prefix: str


def expiry_rules(rules: Iterable[Any]) -> list[ExpiryRule]:
    """The rules, as the client gives them, that touch current objects.

    Rules about old versions, delete markers and broken-off uploads are none of our business: we overwrite nothing and
    send no parts.
    """
    return [ExpiryRule(rule.rule_id or "(unnamed)", _prefix(rule)) for rule in rules if _touches_current(rule)]


def touching(rules: Iterable[ExpiryRule], prefix: str) -> list[ExpiryRule]:
    """The rules that touch keys under `prefix`."""
    return [rule for rule in rules if rule.prefix.startswith(prefix) or prefix.startswith(rule.prefix)]


def _touches_current(rule: Any) -> bool:
    if str(rule.status) != "Enabled":
        return False
    expiration = rule.expiration
    expires = expiration is not None and (expiration.days is not None or expiration.date is not None)
    return expires or rule.transition is not None


def _prefix(rule: Any) -> str:
    where = rule.rule_filter
    if where is None:
        return ""
    return str(where.prefix or getattr(where.and_operator, "prefix", None) or "")
