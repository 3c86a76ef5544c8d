"""A store over the S3 double."""

import pytest

from modelberth.store.content_store import ContentStore
from modelberth.store.types import Space
from tests.unit.store.s3_double import running_double


@pytest.fixture
def s3():
    """The service."""
    with running_double() as double:
        yield double


@pytest.fixture
def bucket(s3):
    """Its bucket."""
    opened = s3.bucket()
    yield opened
    opened.close()


@pytest.fixture
def store(bucket):
    """A store in it."""
    return ContentStore(bucket, "cluster")


@pytest.fixture
def space():
    """A space that was never entered."""
    return Space("s" * 26, "team", "uid")
