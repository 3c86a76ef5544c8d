"""The cluster tier: a real API server and a real MinIO, shared by the run."""

from tests.cluster.installed import admission, api
from tests.localkind.fixture import control_plane

__all__ = ["admission", "api", "control_plane"]
