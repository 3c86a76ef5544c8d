"""A registry in this process."""

import pytest

from tests.unit.registry.fakes import world_over
from tests.unit.store.s3_double import running_double


@pytest.fixture
def s3():
    """The store's S3 service."""
    with running_double() as double:
        yield double


@pytest.fixture
async def world(s3):
    """The registry."""
    async with world_over(s3) as made:
        yield made
