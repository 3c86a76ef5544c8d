"""How a run is shared out among pytest's processes: real pods are waited for while the other tiers compute.

A file stays in one process, whose fixtures of module scope it needs; the tier of real pods stays in one, since it has
one cluster. What takes longest comes first.
"""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

# No test claims anything about time: a machine that is busy is no failure.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

_TESTS = Path(__file__).parent
_FIRST = ("e2e", "simulation", "cluster", "unit")


class ByTierAndFile(LoadScopeScheduling):  # type: ignore[misc]
    """Hands out whole files, and the tier of real pods in one piece."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return "e2e" if file.startswith("tests/e2e/") else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """Called in the process that hands the tests out."""
    return ByTierAndFile(config, log)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tiers in the order of what they take."""
    items.sort(key=lambda item: _FIRST.index(item.path.relative_to(_TESTS).parts[0]))
