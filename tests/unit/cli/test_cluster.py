"""The command line's own calls of the API server."""

import pytest

from modelberth.cli.cluster import Cluster
from modelberth.cli.errors import CommandError
from modelberth.runtime.connection import Connection
from modelberth.runtime.credentials import CredentialsError, StaticCredentials
from modelberth.runtime.resources import MODEL_ARTIFACTS


class Expired(StaticCredentials):
    """A token that the API server takes no more, of a plugin that gives no other."""

    def refresh(self):
        raise CredentialsError("users[me].exec: login ended with status 3: no network")


def test_a_plugin_that_fails_after_a_401_is_told_in_a_sentence(cluster):
    """The token ran out while the program ran; what the user reads is what the plugin said."""
    with (
        Cluster(Connection(cluster.url, credentials=Expired())) as opened,
        pytest.raises(CommandError, match=r"users\[me\]\.exec: login ended with status 3: no network"),
    ):
        opened.get(MODEL_ARTIFACTS, "ns", "mnist")
