"""Quiet logs: schedules make thousands of requests fail on purpose."""

import logging
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def quiet_logs() -> Iterator[None]:
    """Tell nothing of reconciles that failed."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)
