"""The operator's process on the real API server: start, election, outages, watches that lose something, an end without a trace.

The kinds are the chart's; every test has a namespace of its own, which the operator is told to watch alone.
"""

import contextlib
import json
import signal
from urllib.parse import urlsplit

import httpx
import pytest
from minio import Minio

from tests.cluster.api_server import Api, RefusedError
from tests.cluster.installed import admission, api
from tests.cluster.operator_process import eventually, operator

__all__ = ["admission", "api"]

ARTIFACT = {"apiVersion": "modelberth.io/v1alpha1", "kind": "ModelArtifact", "spec": {"type": "model"}}
FIRST_REPORT = "status.observedGeneration of the artifact"


@pytest.fixture
def running(control_plane, api: Api, tmp_path):
    """Starts operators for the test's namespace."""

    def start(identity="operator-0", **variables):
        watched = {"MODELBERTH_WATCH_NAMESPACES": api.namespace, **variables}
        return operator(control_plane, tmp_path, identity=identity, namespace=api.namespace, **watched)

    return start


def make_artifact(api: Api, name="mnist"):
    return api.create({**ARTIFACT, "metadata": {"name": name}})


def reported(api: Api, name="mnist"):
    """Whether the operator has written a status of this artifact."""
    return api.get("ModelArtifact", name).get("status", {}).get("observedGeneration", -1) >= 1


def lease_holder(cluster, namespace) -> str:
    holder = "jsonpath={.spec.holderIdentity}"
    return cluster.kubectl("get", "lease", "modelberth-operator", "-n", namespace, "-o", holder, check=False).stdout


@contextlib.contextmanager
def api_server_away(cluster, api: Api):
    """The API server is gone in here, and answers the test again afterwards."""
    cluster.stop("kube-apiserver")
    try:
        yield
    finally:
        cluster.start("kube-apiserver")
        eventually(lambda: answers(api), "the API server")


def answers(api: Api) -> bool:
    """Whether the API server serves the kinds, and its admission policies have found their parameters again."""
    content = {"artifact": "probe", "version": "v0", "digest": f"sha256:{'0' * 64}", "source": {"pushed": {}}}
    version = {"apiVersion": "modelberth.io/v1alpha1", "kind": "ModelVersion", "metadata": {"name": "probe-v0"}}
    with contextlib.suppress(RefusedError, httpx.HTTPError):
        for obj in ({**ARTIFACT, "metadata": {"name": "probe"}}, {**version, "spec": content}):
            if obj["metadata"]["name"] not in api.names(obj["kind"]):
                api.create(obj)
        api.delete("ModelVersion", "probe-v0")
        api.delete("ModelArtifact", "probe")
        return True
    return False


class TestOneOperator:
    def test_it_makes_the_certificates_gets_ready_and_reconciles(self, control_plane, api, running):
        """From an empty namespace: Lease, both Secrets, readiness, and a status on what is created."""
        with running() as it:
            it.wait_ready()
            make_artifact(api)
            eventually(lambda: reported(api), FIRST_REPORT)
            names = control_plane.kubectl("get", "secrets", "-n", api.namespace, "-o", "name").stdout.split()
            assert {"secret/modelberth-ca", "secret/modelberth-registry-tls"} <= set(names)
            assert it.ask("/healthz") == (200, "ok")
            assert it.metric("controller_runtime_reconcile_total") >= 1
            assert it.metric("rest_client_requests_total") >= 1

    def test_a_signal_ends_it_and_gives_the_lease_back(self, control_plane, api, running):
        """Exit status 0, and nobody has to wait for the Lease to end."""
        with running() as it:
            it.wait_ready()
            eventually(it.is_leading, "leading")
            assert it.stop() == 0
            assert lease_holder(control_plane, api.namespace) == ""

    def test_its_log_is_json_and_holds_no_secret(self, control_plane, running, tmp_path):
        """Every line is a record; neither the store's key nor a private key is in any."""
        with running(MODELBERTH_LOG_LEVEL="DEBUG") as it:
            it.wait_ready()
            text = it.log_file.read_text()
            assert len(it.log()) == len(text.splitlines())
            assert control_plane.minio.secret_key not in text
            assert "PRIVATE KEY" not in text

    def test_wrong_settings_end_it_with_all_of_them_named(self, running):
        """Status 2, before anything is sent."""
        with running(MODELBERTH_WORKERS="none", MODELBERTH_LOADER_IMAGE="") as it:
            assert it.process.wait(20) == 2
            text = it.log_file.read_text()
            assert "MODELBERTH_WORKERS" in text
            assert "MODELBERTH_LOADER_IMAGE" in text


class TestTwoOperators:
    def test_one_acts_and_the_other_takes_over_when_it_is_killed(self, control_plane, api, running):
        """The standby is ready all the time; after a SIGKILL it acts as soon as the Lease ends, on a warm cache."""
        with running("a") as a, running("b") as b:
            a.wait_ready()
            b.wait_ready()
            eventually(lambda: a.is_leading() or b.is_leading(), "a leader")
            leader, standby = (a, b) if a.is_leading() else (b, a)
            assert not standby.is_leading()
            make_artifact(api)
            eventually(lambda: reported(api), FIRST_REPORT)
            leader.kill()
            make_artifact(api, "digits")
            eventually(standby.is_leading, "the take-over")
            eventually(lambda: reported(api, "digits"), FIRST_REPORT)
            assert lease_holder(control_plane, api.namespace) == standby.identity

    def test_a_killed_operator_that_comes_back_goes_on_with_its_lease(self, api, running):
        """The kubelet restarts a container under the same name: no Lease has to end first."""
        with running("a") as first:
            first.wait_ready()
            eventually(first.is_leading, "leading")
            first.kill()
        with running("a") as second:
            eventually(second.is_leading, "leading again", seconds=10)
            second.wait_ready()


class TestOutages:
    def test_it_starts_while_the_api_server_is_away(self, control_plane, api, running):
        """It lives, it is not ready, and it begins when the API server comes."""
        with contextlib.ExitStack() as stack:
            with api_server_away(control_plane, api):
                it = stack.enter_context(running())
                eventually(lambda: it.said("the API server does not answer (yet)"), "the first try")
                assert it.ask("/healthz") == (200, "ok")
            it.wait_ready()

    def test_an_api_server_that_restarts_ends_nothing(self, control_plane, api, running):
        """The process goes on, stays alive, leads again, and acts on what is created afterwards."""
        with running() as it:
            it.wait_ready()
            eventually(it.is_leading, "leading")
            with api_server_away(control_plane, api):
                eventually(lambda: not it.is_leading(), "the lease is lost")
                assert it.ask("/healthz") == (200, "ok")
            make_artifact(api)
            eventually(lambda: reported(api), FIRST_REPORT)
            assert it.is_leading()
            assert it.process.poll() is None

    def test_a_kind_that_goes_and_comes_back_is_watched_again(self, control_plane, api, running):
        """Its end is kopf's end; kopf is started again, once all kinds are served."""
        crd = "crd/transfersessions.modelberth.io"
        manifest = json.loads(control_plane.kubectl("get", crd, "-o", "json").stdout)
        del manifest["status"]
        manifest["metadata"] = {"name": manifest["metadata"]["name"]}
        with running() as it:
            it.wait_ready()
            try:
                control_plane.kubectl("delete", crd)
                eventually(
                    lambda: it.said("the API server does not serve what is to be watched"), "the watches' end", 120
                )
            finally:
                control_plane.kubectl("apply", "--server-side", "-f", "-", input=json.dumps(manifest))
                eventually(lambda: answers(api), "the API server")
            make_artifact(api)
            eventually(lambda: reported(api), FIRST_REPORT)
            assert it.metric("modelberth_watch_restarts_total") >= 1


def test_a_lost_delete_is_found_when_the_watches_begin_again(control_plane, api, running):
    """The artifact's status counts its versions, and follows one that was deleted while the operator stood still."""
    version = {
        "apiVersion": "modelberth.io/v1alpha1",
        "kind": "ModelVersion",
        "metadata": {"name": "mnist-v1"},
        "spec": {"artifact": "mnist", "version": "v1", "source": {"inline": {"files": {"a.txt": {"text": "a"}}}}},
    }
    store = urlsplit(control_plane.minio.endpoint)
    minio = Minio(
        store.netloc,
        access_key=control_plane.minio.access_key,
        secret_key=control_plane.minio.secret_key,
        secure=store.scheme == "https",
    )
    if not minio.bucket_exists("modelberth"):
        minio.make_bucket("modelberth")
    with running() as it:
        it.wait_ready()
        make_artifact(api)
        api.create(version)

        def count():
            return api.get("ModelArtifact", "mnist").get("status", {}).get("versionCount")

        eventually(lambda: count() == 1, "one version")
        it.process.send_signal(signal.SIGSTOP)
        api.delete("ModelVersion", "mnist-v1")
        with api_server_away(control_plane, api):
            pass  # every watch is torn down
        it.process.send_signal(signal.SIGCONT)
        eventually(lambda: count() == 0, "no version")
