"""The cluster tier: a real API server and a real MinIO, shared by the run."""

from collections.abc import Generator

import pytest

from tests.cluster.installed import admission, api
from tests.localkind.fixture import control_plane

__all__ = ["admission", "api", "control_plane"]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Say with a failed test which components of its cluster have ended: then the fault is not the test's."""
    report = yield
    cluster = getattr(item, "funcargs", {}).get("control_plane")
    if report.failed and cluster is not None:
        report.sections += [("a component of the cluster has ended", said) for said in cluster.ended()]
    return report
