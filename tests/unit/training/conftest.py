import pytest

from tests.unit.training.pod_folder import GOOD, PodFolder


@pytest.fixture
def pod(tmp_path):
    """Makes the folder of a pod, with a train.py in it."""

    def make(train=GOOD, **options):
        return PodFolder(tmp_path / "modelberth", train, **options)

    return make
