"""A clock that stands still until a test moves it, and objects as the API server would store them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from modelberth.runtime.resources import Object, Resource


class FakeClock:
    """Both clocks in one; `advance` is the only thing that moves them."""

    def __init__(self) -> None:
        self.elapsed = 0.0

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.elapsed)

    def monotonic(self) -> float:
        return 1000.0 + self.elapsed

    def advance(self, seconds: float) -> None:
        self.elapsed += seconds


def stored(resource: Resource, namespace: str, name: str, *, version: int, **fields: Any) -> Object:
    """An object of this resource version, with the given top-level fields; `labels` go into its metadata."""
    metadata: Object = {"name": name, "resourceVersion": str(version), "uid": f"uid-of-{name}"}
    if namespace:
        metadata["namespace"] = namespace
    if "labels" in fields:
        metadata["labels"] = fields.pop("labels")
    return {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata, **fields}
