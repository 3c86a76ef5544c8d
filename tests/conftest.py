"""How a run is shared out among pytest's processes: real pods are waited for while the other tiers compute.

Used with `--dist loadgroup`. A file stays in one process, whose fixtures of module scope it needs; the tier of real
pods stays in one, since it has one cluster. What takes longest comes first.
"""

from collections.abc import Generator
from pathlib import Path

import pytest

_TESTS = Path(__file__).parent
_FIRST = ("e2e", "simulation", "cluster", "unit")


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Generator[None, None, None]:
    """Order the tiers and say which tests belong together, before xdist looks at it: a wrapper comes first."""
    items.sort(key=lambda item: _FIRST.index(_tier(item)))
    for item in items:
        tier = _tier(item)
        item.add_marker(pytest.mark.xdist_group(tier if tier == "e2e" else str(item.path.relative_to(_TESTS))))
    yield


def _tier(item: pytest.Item) -> str:
    return item.path.relative_to(_TESTS).parts[0]
