"""The program's frame: exit codes, lazy imports, and the loader in a pod."""

import json
import os
import subprocess
import sys

import pytest

from modelberth.cli import pod
from modelberth.cli.main import COMMANDS, PROCESSES
from tests.unit.cli.fake_cluster import sessions_left
from tests.unit.transfer.conftest import content, fill

STANDARD = "import sys, json; before = set(sys.modules); {code}; print(json.dumps(sorted(set(sys.modules) - before)))"


def modules_of(code):
    """The modules that a fresh interpreter imports for some code."""
    done = subprocess.run(
        [sys.executable, "-c", STANDARD.format(code=code)], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def foreign(modules):
    own = {"modelberth"}
    return {name.partition(".")[0] for name in modules} - set(sys.stdlib_module_names) - own


def test_importing_the_package_imports_nothing_else():
    """`import modelberth` costs next to nothing."""
    modules = modules_of("import modelberth")
    assert foreign(modules) == set()
    assert [name for name in modules if name.startswith("modelberth.")] == []


def test_the_loader_needs_the_standard_library_only(tmp_path):
    """`python -m modelberth load` in a pod imports no pydantic, no yaml, nothing that is not Python's own."""
    code = (
        "from modelberth.cli import pod; pod.TOKEN_FILE = sys.executable; from modelberth.cli.main import main; "
        f"main(['load', 'mnist:v0', {str(tmp_path / 'm')!r}])"
    )
    modules = modules_of(code)
    assert "modelberth.transfer.load" in modules
    assert foreign(modules) == set()
    assert not any(name.startswith(("modelberth.runtime", "modelberth.api")) for name in modules)


def test_the_functions_of_the_package_are_there():
    """The functions push and load are imported when they are first used, and an unknown name is an AttributeError."""
    import modelberth

    assert callable(modelberth.push)
    assert callable(modelberth.load)
    assert set(modelberth.__all__) <= set(dir(modelberth))
    with pytest.raises(AttributeError, match="nonsense"):
        _ = modelberth.nonsense


def test_help_names_every_command(run):
    """Commands and processes."""
    code, out, _ = run("--help")
    assert code == 0
    assert all(name in out for name in COMMANDS | PROCESSES)


@pytest.mark.parametrize("words", [(), ("help",)])
def test_without_a_command_the_help_is_shown(run, words):
    """As kubectl does."""
    assert run(*words) == run("--help")


def test_help_of_a_command_and_version_are_where_they_are_looked_for(run):
    """Both spellings of each."""
    assert run("help", "train") == run("train", "--help")
    assert run("--version") == run("version")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["pusch"], "there is no command 'pusch'"),
        (["help", "pusch"], "there is no command 'pusch'"),
        (["--nosuch"], "there is no command '--nosuch'"),
        (["run-report", "--help"], "run-report takes a FOLDER, in its pod"),
        (["operator", "now"], "operator takes no arguments, in its pod"),
    ],
)
def test_what_is_no_command_is_wrong_usage(run, words, says):
    """It says what is wrong, and where the commands are."""
    code, _, error = run(*words)
    assert code == 2
    assert says in error
    assert "usage" in error


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(run, name):
    """Each explains itself."""
    code, out, _ = run(name, "--help")
    assert code == 0
    assert f"modelberth {name}" in out


def test_as_a_kubectl_plugin_it_says_so(run, monkeypatch):
    """The plugin is run as `kubectl-modelberth`."""
    monkeypatch.setattr(sys, "argv", ["/usr/bin/kubectl-modelberth"])
    assert "usage: kubectl modelberth" in run("--help")[1]


@pytest.fixture
def loader(registry, run, cluster, tmp_path, monkeypatch):
    """This process as a loader in a pod, for a model that is pushed: (address, source folder)."""
    source = fill(tmp_path / "source", {"model.bin": b"weights"})
    digest = run("push", source, "--artifact", "mnist", "-q")[1].split()[1]
    mounted = fill(tmp_path / "mounted", {"token": b"pod-token\n", "url": registry.url.encode() + b"\n", "ca.crt": b""})
    monkeypatch.setattr(pod, "TOKEN_FILE", str(mounted / "token"))
    monkeypatch.setattr(pod, "REGISTRY_FOLDER", str(mounted))
    monkeypatch.setenv("MODELBERTH_NAMESPACE", "ns")
    registry.seen_headers.clear()
    cluster.requests.clear()
    return f"mnist@{digest}", source


def test_a_loader_shows_its_pods_token_and_asks_no_api_server(loader, registry, cluster, run, tmp_path):
    """The projected token proves the pod to the registry; the store gets the signed URL alone."""
    address, source = loader
    code, _, err = run("load", address, tmp_path / "volume" / "model")
    assert code == 0, err
    assert content(tmp_path / "volume" / "model") == content(source)
    assert {headers.get("Authorization") for kind, headers in registry.seen_headers if kind != "object"} == {
        "Bearer pod-token"
    }
    assert {headers.get("Authorization") for kind, headers in registry.seen_headers if kind == "object"} == {None}
    assert cluster.requests == []


def test_a_loader_posts_its_progress(loader, registry, run, tmp_path):
    """At its end at the latest."""
    address, _ = loader
    run("load", address, tmp_path / "model")
    assert registry.progress[-1] == {"digest": address.partition("@")[2], "bytes": 7, "total": 7}


def test_a_failing_progress_post_does_not_fail_the_load(loader, registry, run, tmp_path):
    """Progress is a courtesy."""
    registry.faults = lambda method, kind, path: 500 if kind == "progress" else None
    assert run("load", loader[0], tmp_path / "model")[0] == 0


def test_a_loader_mends_its_own_volume(loader, run, tmp_path):
    """A second start that finds damage does not ask for --replace."""
    address, source = loader
    run("load", address, tmp_path / "model")
    (tmp_path / "model" / "model.bin").write_bytes(b"damaged")
    assert run("load", address, tmp_path / "model")[0] == 0
    assert content(tmp_path / "model") == content(source)


@pytest.mark.parametrize("missing", [("url", "url: No such file"), ("namespace", "MODELBERTH_NAMESPACE")])
def test_a_loader_names_what_was_not_mounted(loader, run, tmp_path, monkeypatch, missing):
    """One sentence for the pod's status."""
    name, why = missing
    if name == "namespace":
        monkeypatch.delenv("MODELBERTH_NAMESPACE")
    else:
        (tmp_path / "mounted" / name).unlink()
    code, _, err = run("load", loader[0], tmp_path / "model")
    assert code == 1
    assert why in err


def test_a_cancelled_command_ends_its_session(cluster, registry, tmp_path):
    """SIGTERM in the middle of a push: exit code 1, one sentence, and no session is left."""
    source = fill(tmp_path / "source", {"model.bin": b"weights"})
    command = [sys.executable, "-m", "modelberth", "push", str(source), "--artifact", "mnist", "-q"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": "operator"})

    def terminate(method, kind, path):
        if kind == "uploads":
            process.terminate()
            return 503
        return None

    registry.faults = terminate
    _, err = process.communicate()
    assert process.returncode == 1
    assert err == "modelberth push: stopped; run the same command again to go on\n"
    assert cluster.sessions_seen
    assert sessions_left(cluster) == []


def test_no_secret_is_printed_when_everything_fails(loader, registry, run, tmp_path):
    """Neither token nor signed query is in the output of a failed load."""
    registry.faults = lambda method, kind, path: 400 if kind == "object" else None
    code, out, err = run("load", loader[0], tmp_path / "model")
    assert code == 1
    assert "pod-token" not in out + err
    assert "Signature" not in out + err
