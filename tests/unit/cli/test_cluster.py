"""The command line's own calls of the API server."""

import pytest

from modelberth.cli.cluster import Cluster
from modelberth.cli.errors import CommandError
from modelberth.runtime.connection import Connection
from modelberth.runtime.credentials import CredentialsError, StaticCredentials
from modelberth.runtime.resources import MODEL_ARTIFACTS
from tests.unit.cli.fake_cluster import PROXY


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


def test_credentials_that_are_not_taken(cluster, run):
    """Are told with what to do, not as a bare 401."""
    cluster.token = "another"
    code, _, err = run("get")
    assert code == 1
    assert "does not accept the kubeconfig's credentials: log in again" in err


def test_a_cluster_that_does_not_know_the_kinds(cluster, run):
    """Is one without Modelberth."""
    cluster.refusals["GET", "/modelartifacts"] = (404, "NotFound", "the server could not find the requested resource")
    code, _, err = run("get")
    assert (code, err) == (
        1,
        "modelberth get: this cluster knows no modelartifacts: is Modelberth installed in it, and is it the right one?\n",
    )


def test_a_registry_that_is_not_where_it_is_looked_for(cluster, run, monkeypatch):
    """The API server knows no such Service: the message has the option that says where it is."""
    refusal = (404, {"kind": "Status", "reason": "NotFound", "message": 'services "modelberth-registry" not found'})
    monkeypatch.setattr("tests.unit.cli.fake_cluster._Handler._proxy", lambda handler, _: handler._answer(*refusal))
    code, _, err = run("history", "digits:production")
    assert code == 1
    assert "there is no registry in namespace modelberth" in err
    assert "--registry-namespace" in err
    assert PROXY not in err


def test_an_answer_that_is_no_json(cluster, run, monkeypatch):
    """Comes from something that is no API server: a sentence, no traceback."""
    monkeypatch.setattr(
        "tests.unit.cli.fake_cluster._Handler._get", lambda handler, *_: handler._answer(200, b"<html>")
    )
    code, _, err = run("get")
    assert (code, "the answer is not JSON: is this the right address?" in err) == (1, True)
