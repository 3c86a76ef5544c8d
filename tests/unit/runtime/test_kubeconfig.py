"""kubeconfig files as kubectl reads them: found, merged, refused with the file and the field."""

import base64
import json
import os
import stat
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from modelberth.runtime.connection import ConfigurationError, in_cluster_connection, proxy_from_environment
from modelberth.runtime.credentials import CredentialsError, ExecPlugin, TokenFile
from modelberth.runtime.kubeconfig import load_connection
from tests.unit.runtime.fakes import FakeClock

CLUSTER = {"server": "https://api.example.org:6443/"}


def config(cluster=None, user=None, context=None, name="here", current="here"):
    """One cluster, one user, one context, all of the same name."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": current,
        "clusters": [{"name": name, "cluster": CLUSTER if cluster is None else cluster}],
        "users": [{"name": name, "user": user or {}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name, **(context or {})}}],
    }


@pytest.fixture
def written(tmp_path):
    """Writes a kubeconfig and returns its path."""

    def write(content, name="config") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
        return path

    return write


class TestFinding:
    def test_an_explicit_file_counts_alone(self, written):
        """$KUBECONFIG is not looked at."""
        path = written(config())
        other = written(config({"server": "https://other"}), "other")
        connection = load_connection(path, environment={"KUBECONFIG": str(other)})
        assert connection.server == "https://api.example.org:6443"
        assert connection.namespace == "default"

    def test_the_first_file_that_names_a_thing_wins(self, written):
        """Several files are one; missing ones are passed over."""
        first = written({**config(name="a", current=""), "current-context": ""}, "one/first")
        second = written({**config({"server": "https://b"}, name="b"), "current-context": "a"}, "two/second")
        both = os.pathsep.join(["/does/not/exist", str(first), str(second)])
        assert load_connection(environment={"KUBECONFIG": both}).server == "https://api.example.org:6443"
        assert load_connection(context="b", environment={"KUBECONFIG": both}).server == "https://b"

    def test_without_a_variable_the_home_folder_is_looked_into(self, written, tmp_path):
        """~/.kube/config, as kubectl does."""
        written(config(context={"namespace": "models"}), ".kube/config")
        assert load_connection(environment={"HOME": str(tmp_path)}).namespace == "models"

    def test_a_pod_uses_its_service_account(self, tmp_path):
        """Without any kubeconfig the mounted token, CA and namespace are used."""
        for name, content in [("token", "t"), ("ca.crt", "pem"), ("namespace", "models\n")]:
            (tmp_path / name).write_text(content)
        environment = {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"}
        connection = in_cluster_connection(environment, folder=tmp_path)
        assert connection.server == "https://[fd00::1]:443"
        assert (connection.namespace, connection.ca) == ("models", b"pem")
        assert connection.headers() == [("Authorization", "Bearer t")]

    def test_a_pod_without_a_token_is_told_what_to_do(self, tmp_path):
        """The message names the file and the field of the pod."""
        environment = {"KUBERNETES_SERVICE_HOST": "h", "KUBERNETES_SERVICE_PORT": "443"}
        with pytest.raises(ConfigurationError, match=r"ca\.crt.*automountServiceAccountToken"):
            in_cluster_connection(environment, folder=tmp_path)


REFUSED = [
    ("clusters: [", "cannot be read"),
    ("- a list", "no mapping"),
    ({}, "no current context"),
    (config(current="elsewhere"), "context elsewhere is not in .*; there: here"),
    ({**config(), "clusters": []}, r"contexts\[here\]\.cluster: no cluster is called 'here'"),
    ({**config(), "users": []}, r"contexts\[here\]\.user: no user is called 'here'"),
    (config({"server": "api.example.org"}), r"clusters\[here\]\.server: .* is no http or https address"),
    (config({**CLUSTER, "certificate-authority-data": "%"}), "certificate-authority-data is no base64"),
    (config({**CLUSTER, "certificate-authority": "gone.pem"}), "certificate-authority: .*gone.pem: No such file"),
    (config({**CLUSTER, "proxy-url": "socks5://p"}), "proxy-url: only http and https"),
    (config(user={"client-certificate-data": base64.b64encode(b"x").decode()}), "client-key: give both or none"),
    (config(user={"auth-provider": {"name": "gcp"}}), "auth-provider is gone .* use an exec plugin"),
]


class TestRefusals:
    @pytest.mark.parametrize(("content", "words"), REFUSED)
    def test_each_mistake_is_named_with_its_place(self, written, content, words):
        """The message names the file and the field."""
        path = written(content)
        with pytest.raises(ConfigurationError, match=words) as caught:
            load_connection(path, environment={})
        assert str(path) in str(caught.value)

    def test_a_missing_file_is_an_error_when_it_was_asked_for(self, tmp_path):
        """Only $KUBECONFIG may name files that are not there."""
        with pytest.raises(ConfigurationError, match="no such file"):
            load_connection(tmp_path / "gone")


class TestUsers:
    def headers(self, written, user):
        return load_connection(written(config(user=user)), environment={}).headers()

    def test_a_token_is_a_bearer_token(self, written):
        """RFC 6750."""
        assert self.headers(written, {"token": "t"}) == [("Authorization", "Bearer t")]

    def test_a_token_file_counts_before_a_token_and_is_relative_to_its_kubeconfig(self, written, tmp_path):
        """As in client-go."""
        (tmp_path / "token").write_text("from-file\n")
        assert self.headers(written, {"token": "t", "tokenFile": "token"}) == [("Authorization", "Bearer from-file")]

    def test_a_name_and_a_password_are_basic(self, written):
        """RFC 7617."""
        user = {"username": "me", "password": "hush"}
        assert self.headers(written, user) == [("Authorization", "Basic bWU6aHVzaA==")]

    def test_impersonation_is_passed_on(self, written):
        """Groups come one header each."""
        user = {"token": "t", "as": "bob", "as-groups": ["a", "b"], "as-user-extra": {"scopes": ["s"]}}
        assert self.headers(written, user)[1:] == [
            ("Impersonate-User", "bob"),
            ("Impersonate-Group", "a"),
            ("Impersonate-Group", "b"),
            ("Impersonate-Extra-scopes", "s"),
        ]

    def test_secrets_do_not_show(self, written):
        """A connection that ends up in a log or a traceback gives nothing away."""
        user = {"token": "hush-hush"}
        assert "hush-hush" not in repr(load_connection(written(config(user=user)), environment={}))


class TestTokenFile:
    def test_a_rotated_token_is_noticed(self, tmp_path):
        """At the latest after some seconds, at once when the server refused the old one."""
        clock, file = FakeClock(), tmp_path / "token"
        file.write_text("one")
        source = TokenFile(file, clock=clock)
        assert source.headers() == [("Authorization", "Bearer one")]
        file.write_text("two")
        clock.advance(10)
        assert source.headers() == [("Authorization", "Bearer two")]
        file.write_text("three")
        source.refresh()
        assert source.headers() == [("Authorization", "Bearer three")]

    def test_an_empty_file_is_refused(self, tmp_path):
        """Sending no token at all would make us anonymous."""
        (tmp_path / "token").write_text("\n")
        with pytest.raises(CredentialsError, match="is empty"):
            TokenFile(tmp_path / "token").headers()


@pytest.fixture
def plugin(tmp_path):
    """Makes an exec plugin of a script that counts its runs and prints what it is told to."""

    def make(status=None, *, text=None, code=0, clock=None, api_version="client.authentication.k8s.io/v1", **spec):
        answer = json.dumps({"apiVersion": api_version, "kind": "ExecCredential", "status": status or {}})
        script = tmp_path / "plugin"
        script.write_text(
            f"#!{sys.executable}\n"
            "import os, pathlib, sys\n"
            f"runs = pathlib.Path({str(tmp_path / 'runs')!r})\n"
            "runs.write_text(runs.read_text() + 'x' if runs.exists() else 'x')\n"
            f"pathlib.Path({str(tmp_path / 'info')!r}).write_text(os.environ['KUBERNETES_EXEC_INFO'])\n"
            "print(' '.join(sys.argv[1:]) + os.environ.get('EXTRA', ''), file=sys.stderr)\n"
            f"print({(answer if text is None else text)!r})\n"
            f"sys.exit({code})\n"
        )
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
        description = {"apiVersion": api_version, "command": "./plugin", "interactiveMode": "Never", **spec}
        return ExecPlugin(description, where="users[me].exec", folder=tmp_path, cluster=CLUSTER, clock=clock)

    return make


def runs(tmp_path) -> int:
    return len((tmp_path / "runs").read_text())


class TestExecPlugin:
    def test_its_token_is_used_until_it_expires(self, plugin, tmp_path):
        """One run serves all requests; shortly before the expiry it runs again."""
        clock = FakeClock()
        expires = (datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=100)).isoformat()
        source = plugin({"token": "t", "expirationTimestamp": expires}, clock=clock)
        assert not source.ready()
        assert source.headers() == [("Authorization", "Bearer t")]
        source.headers()
        assert source.ready()
        assert runs(tmp_path) == 1
        clock.advance(80)
        assert not source.ready()
        source.headers()
        assert runs(tmp_path) == 2

    def test_it_runs_again_after_a_refusal(self, plugin, tmp_path):
        """The server knows better than the expiry."""
        source = plugin({"token": "t"})
        source.headers()
        source.refresh()
        source.headers()
        assert runs(tmp_path) == 2

    def test_it_is_told_the_cluster_if_it_wants(self, plugin, tmp_path):
        """KUBERNETES_EXEC_INFO, as the protocol says."""
        plugin({"token": "t"}, provideClusterInfo=True).headers()
        info = json.loads((tmp_path / "info").read_text())
        assert info["spec"] == {"interactive": False, "cluster": CLUSTER}
        assert info["kind"] == "ExecCredential"

    def test_it_may_give_a_certificate(self, plugin):
        """Then there is no header."""
        source = plugin({"clientCertificateData": "chain", "clientKeyData": "key"})
        assert source.headers() == []
        assert (source.certificate().chain, source.certificate().key) == (b"chain", b"key")

    def test_the_older_protocol_is_spoken_too(self, plugin):
        """Version v1beta1 differs in nothing that is used here."""
        assert plugin({"token": "t"}, api_version="client.authentication.k8s.io/v1beta1").headers()

    def test_its_failure_is_told_in_its_own_words(self, plugin):
        """Arguments and environment of the kubeconfig reach it; its last words reach the user."""
        source = plugin(code=3, args=["login", "expired"], env=[{"name": "EXTRA", "value": "!"}])
        with pytest.raises(CredentialsError, match=r"users\[me\]\.exec: .* ended with status 3: login expired!"):
            source.headers()

    @pytest.mark.parametrize(
        ("made", "words"),
        [
            ({"text": "token-that-leaked"}, "printed no ExecCredential"),
            ({"text": "[1]"}, "printed no ExecCredential"),
            ({"text": '{"apiVersion": "client.authentication.k8s.io/v1beta1"}'}, "answered with apiVersion"),
            ({"status": {}}, "neither a token nor a certificate"),
            ({"status": {"token": "t", "expirationTimestamp": "soon"}}, "printed no ExecCredential"),
            ({"status": {"token": "t"}, "interactiveMode": "Always"}, "needs a terminal"),
            (
                {"status": {"token": "t"}, "command": "./gone", "installHint": "install it"},
                "No such file.*; install it",
            ),
        ],
    )
    def test_each_wrong_answer_is_refused_and_never_repeated(self, plugin, made, words):
        """What it printed may be a secret: it stays out of the message."""
        with pytest.raises(CredentialsError, match=words) as caught:
            plugin(**made).headers()
        assert "leaked" not in str(caught.value)

    @pytest.mark.parametrize(
        ("spec", "words"),
        [
            ({"apiVersion": "client.authentication.k8s.io/v1alpha1"}, "use one of"),
            ({"command": ""}, "name the program"),
        ],
    )
    def test_a_wrong_description_is_refused_before_anything_runs(self, plugin, spec, words):
        """When the kubeconfig is read, not when the first request is sent."""
        with pytest.raises(CredentialsError, match=words):
            plugin({"token": "t"}, **spec)


class TestProxies:
    @pytest.fixture(autouse=True)
    def _environment(self, monkeypatch):
        for name in list(os.environ):
            if name.lower().endswith("_proxy"):
                monkeypatch.delenv(name)
        monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
        monkeypatch.setenv("NO_PROXY", ".svc")

    @pytest.mark.parametrize(
        ("server", "proxy"),
        [
            ("https://api.example.org", "http://proxy:3128"),
            ("https://127.0.0.1:6443", None),
            ("https://[::1]:6443", None),
            ("https://localhost:6443", None),
            ("https://kubernetes.default.svc", None),
            ("http://api.example.org", None),
        ],
    )
    def test_the_environment_names_a_proxy_for_what_is_outside(self, server, proxy):
        """As in Go: never for this machine, never for what NO_PROXY names."""
        assert proxy_from_environment(server) == proxy

    def test_the_kubeconfig_knows_better(self, written):
        """`proxy-url` counts before the environment."""
        path = written(config({**CLUSTER, "proxy-url": "http://other:1"}))
        assert load_connection(path).proxy == "http://other:1"
