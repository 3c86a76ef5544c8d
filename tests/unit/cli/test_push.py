"""`modelberth push`: what it makes, with whose rights, and what it prints."""

import json

import pytest
import yaml

from modelberth.transfer.answers import Reserved
from tests.unit.cli.fake_cluster import sessions_left
from tests.unit.transfer.conftest import fill


@pytest.fixture
def model(tmp_path):
    return fill(tmp_path / "model", {"model.bin": b"weights", "config.json": b"{}"})


def test_a_first_push_makes_artifact_and_version(cluster, registry, run, model):
    """The version is v0, its object pins the digest, and stdout is one line for scripts."""
    code, out, err = run("push", model, "--artifact", "mnist")
    assert code == 0, err
    name, digest = out.split()
    assert name == "mnist-v0"
    assert digest in registry.layouts
    assert cluster.get("modelartifacts", "mnist")["spec"] == {"versioning": "Sequence"}
    assert cluster.get("modelversions", "mnist-v0")["spec"] == {
        "artifact": "mnist",
        "version": "v0",
        "digest": digest,
        "source": {"pushed": {}},
    }
    assert "modelversion/mnist-v0 created" in err


def test_the_session_is_the_users_own_and_ends_with_the_push(cluster, run, model):
    """It names the user, the operation and the artifact, holds only a hash, and is deleted at the end."""
    run("push", model, "--artifact", "mnist")
    (session,) = cluster.sessions_seen
    assert session["spec"]["operation"] == "Push"
    assert session["spec"]["user"] == "jane"
    assert session["spec"]["artifact"] == "mnist"
    assert len(session["spec"]["secretHash"]) == 64
    assert sessions_left(cluster) == []


def test_a_session_whose_creation_nobody_answered_is_used(cluster, run, model):
    """The repeated creation is told that it exists: nobody else could have made that name."""
    cluster.lost_answers.add("transfersessions")
    code, _, err = run("push", model, "--artifact", "mnist")
    assert code == 0, err
    assert len(cluster.sessions_seen) == 1
    assert sessions_left(cluster) == []


def test_the_users_token_does_not_reach_the_registry(cluster, registry, run, model):
    """Only the session's own header passes the API server's proxy, and the secret is in no object."""
    run("push", model, "--artifact", "mnist")
    api = [headers for kind, headers in registry.seen_headers if kind != "object"]
    assert api
    assert all("Authorization" not in headers for headers in api)
    secrets = {headers["Modelberth-Session"].rpartition(".")[2] for headers in api}
    assert len(secrets) == 1
    assert secrets.pop() not in json.dumps([cluster.requests, cluster.objects])
    assert all("Modelberth-Session" not in headers for kind, headers in registry.seen_headers if kind == "object")


def test_the_same_content_again_is_the_version_that_exists(cluster, run, model):
    """Nothing is sent, nothing is made, and the same line is printed."""
    first = run("push", model, "--artifact", "mnist")
    code, out, err = run("push", model, "--artifact", "mnist")
    assert (code, out) == (0, first[1])
    assert "is mnist-v0 already" in err
    assert "0 B sent" in err


def test_content_that_another_artifact_has(cluster, run, model):
    """Only its bytes are known: the version is a new one, and nobody is told that it was there."""
    run("push", model, "--artifact", "mnist")
    code, _, err = run("push", model, "--artifact", "digits")
    assert code == 0, err
    assert "digits-v0 is reserved" in err
    assert "already" not in err


def test_other_content_is_the_next_version(cluster, run, model):
    """v1 follows v0."""
    run("push", model, "--artifact", "mnist")
    (model / "config.json").write_bytes(b"{1}")
    assert run("push", model, "--artifact", "mnist")[1].startswith("mnist-v1 ")


def test_an_alias_is_moved_by_a_merge_patch(cluster, run, model):
    """Only the alias's own entry is written: entries of others stay."""
    cluster.put("modelartifacts", "mnist", {"versioning": "Sequence", "aliases": {"old": {"version": "mnist-v9"}}})
    code, _, err = run("push", model, "--artifact", "mnist", "--alias", "best")
    assert code == 0, err
    assert cluster.get("modelartifacts", "mnist")["spec"]["aliases"] == {
        "old": {"version": "mnist-v9"},
        "best": {"version": "mnist-v0"},
    }
    assert "alias mnist:best asks for mnist-v0" in err


def test_what_is_known_goes_into_the_version(cluster, run, model):
    """Every describing argument ends up in its field of the spec."""
    digest = "sha256:" + "0a" * 32
    words = (
        f"--format onnx --metric accuracy=0.97 --metric loss=1e-3 --parameter lr=0.1 --parent mnist-v1 "
        f"--trained-on s3://d/train,role=train,digest={digest} --run https://mlflow/1 --code-repository https://git/x "
        f"--code-revision abc --code-path train.py --code-dirty --image r/x@{digest} --python 3.11.7"
    )
    code, _, err = run("push", model, "--artifact", "mnist", "--description", "a b", *words.split())
    assert code == 0, err
    spec = cluster.get("modelversions", "mnist-v0")["spec"]
    assert {key: spec[key] for key in ("format", "metrics", "parameters", "description", "lineage")} == {
        "format": "onnx",
        "metrics": {"accuracy": 0.97, "loss": 0.001},
        "parameters": {"lr": "0.1"},
        "description": "a b",
        "lineage": {
            "run": {"uri": "https://mlflow/1"},
            "datasets": [{"uri": "s3://d/train", "role": "train", "digest": digest}],
            "parents": ["mnist-v1"],
            "code": {"repository": "https://git/x", "revision": "abc", "path": "train.py", "dirty": True},
            "environment": {"image": f"r/x@{digest}", "python": "3.11.7"},
        },
    }


def test_yaml_for_git_makes_no_objects(cluster, registry, run, model):
    """The content is there, the manifests are printed and nothing but the session was created."""
    code, out, _ = run("push", model, "--artifact", "mnist", "-o", "yaml")
    assert code == 0
    artifact, version = yaml.safe_load_all(out)
    assert (artifact["kind"], version["kind"]) == ("ModelArtifact", "ModelVersion")
    assert version["spec"]["digest"] in registry.layouts
    assert cluster.objects == {}
    assert json.loads(run("push", model, "--artifact", "mnist", "-o", "json")[1])["kind"] == "List"


def test_a_draft_makes_no_object(cluster, registry, run, model):
    """Content and number are kept."""
    code, out, _ = run("push", model, "--artifact", "mnist", "--draft")
    assert (code, out.split()[0]) == (0, "mnist-v0")
    assert cluster.objects == {}
    assert registry.records["mnist"]


def test_semantic_versions_are_asked_for(cluster, run, model):
    """A new artifact counts as its first explicit version does."""
    code, out, err = run("push", model, "--artifact", "mnist", "--version", "2.0")
    assert code == 0, err
    assert out.startswith("mnist-2.0 ")
    assert cluster.get("modelartifacts", "mnist")["spec"] == {"versioning": "Semantic"}


def test_a_version_object_of_other_content_is_an_error(cluster, run, model):
    """An object of that name with another digest is never passed over."""
    cluster.put("modelversions", "mnist-v0", {"artifact": "mnist", "version": "v0", "digest": "sha256:" + "0" * 64})
    code, _, err = run("push", model, "--artifact", "mnist")
    assert code == 1
    assert "ModelVersion mnist-v0 exists with the digest" in err


def test_what_is_said_about_an_existing_version_is_not_silently_dropped(cluster, run, model):
    """A warning names the version and what of the push has no effect, also where no object is made."""
    run("push", model, "--artifact", "mnist", "--format", "onnx")
    more = ["--metric", "a=1", "--parent", "x-v1", "--format", "onnx"]
    for words in (more, [*more, "-o", "yaml"], [*more, "--draft"]):
        code, _, err = run("push", model, "--artifact", "mnist", *words)
        assert code == 0
        assert (
            "warning: mnist-v0 has this content already, and a version never changes: lineage, metrics of this push "
            "were not taken" in err
        )
    assert "warning" not in run("push", model, "--artifact", "mnist", "--format", "onnx")[2]


def test_a_deleted_object_comes_back_as_it_was(cluster, run, model):
    """A version's metadata never changes: the object is made from the record, and what was said now is told of."""
    run("push", model, "--artifact", "mnist", "--metric", "a=1", "--format", "onnx", "--parameter", "lr=0.1")
    before = cluster.get("modelversions", "mnist-v0")["spec"]
    for words, lost in (([], ""), (["--metric", "a=2", "--parent", "x-v1"], "lineage, metrics")):
        del cluster.objects["/apis/modelberth.io/v1alpha1/namespaces/ns/modelversions/mnist-v0"]
        code, _, err = run("push", model, "--artifact", "mnist", *words)
        assert code == 0, err
        assert cluster.get("modelversions", "mnist-v0")["spec"] == before
        assert (f"{lost} of this push were not taken" in err) if lost else ("warning" not in err)


def test_a_draft_becomes_the_object_that_it_was_to_be(cluster, run, model):
    """What was said of it is on record, and need not be said again."""
    run("push", model, "--artifact", "mnist", "--draft", "--metric", "a=1")
    assert run("push", model, "--artifact", "mnist")[0] == 0
    assert cluster.get("modelversions", "mnist-v0")["spec"]["metrics"] == {"a": 1.0}


def test_a_registry_that_does_not_tell_what_is_on_record(cluster, registry, run, model, monkeypatch):
    """One from before: the object is made of what is said now."""
    monkeypatch.setattr(
        "modelberth.transfer.registry_client.Reserved", lambda **told: Reserved(**{**told, "spec": None})
    )
    run("push", model, "--artifact", "mnist", "--draft")
    run("push", model, "--artifact", "mnist", "--format", "onnx")
    assert cluster.get("modelversions", "mnist-v0")["spec"]["format"] == "onnx"


def test_who_may_not_see_a_version_needs_not(cluster, run, model):
    """A draft of content that is known needs no right to look at objects: what is on record is compared."""
    run("push", model, "--artifact", "mnist")
    cluster.refusals["GET", "/modelversions/"] = (403, "Forbidden", "jane cannot get modelversions")
    code, _, err = run("push", model, "--artifact", "mnist", "--draft", "--metric", "a=1")
    assert (code, "metrics of this push was not taken" in err) == (0, True), err
    assert "warning" not in run("push", model, "--artifact", "mnist", "--draft")[2]


def test_a_number_of_threads_in_the_environment_that_is_none(cluster, run, model, monkeypatch):
    """Is as wrong as on the command line."""
    monkeypatch.setenv("MODELBERTH_WORKERS", "many")
    code, _, err = run("push", model, "--artifact", "mnist")
    assert (code, "'many' is not a whole number" in err) == (2, True)
    monkeypatch.setenv("MODELBERTH_WORKERS", "2")
    assert run("push", model, "--artifact", "mnist")[0] == 0


@pytest.mark.parametrize(
    "case",
    [
        (["--alias", "latest"], "latest"),
        (["--alias", "v4"], "not like a version"),
        (["--alias", "best", "--draft"], "--alias needs"),
        (["--alias", "best", "-o", "yaml"], "--alias needs"),
        (["--artifact", "a" * 51], "1 to 50 lower case letters"),
        (["--artifact", "Mnist"], "1 to 50 lower case letters"),
        (["--artifact", "../x"], "1 to 50 lower case letters"),
        (["--version", "4"], "v<number>"),
        (["--version", "v123456789012"], "at most 12 characters"),
        (["--metric", "a=much"], "finite"),
        (["--metric", "a=nan"], "finite"),
        (["--metric", "a"], "NAME=VALUE"),
        (["--parameter", "a=1", "--parameter", "a=2"], "twice"),
        (["--trained-on", "x,size=3"], "neither role"),
        (["--trained-on", "x,role=play"], "role is one of"),
        (["--trained-on", "x,digest=abc"], "digest is"),
        (["--workers", "0"], "at least 1"),
        (["--versioning", "Daily"], "invalid choice"),
    ],
)
def test_wrong_usage_ends_with_2_and_does_nothing(cluster, registry, run, model, case):
    """Each contradiction is told before anything is made or sent."""
    words, why = case
    code, out, err = run("push", model, "--artifact", "mnist", *words)
    assert (code, out) == (2, "")
    assert why in err
    assert cluster.objects == {}
    assert not registry.requests


@pytest.mark.parametrize(
    "case",
    [
        ("Semantic", ["--versioning", "Sequence"], "has spec.versioning Semantic, not Sequence, and never changes it"),
        ("Semantic", ["--version", "v4"], "which never changes: write a number such as 1.1, or push to another"),
        ("Sequence", ["--version", "1.0"], "does not fit spec.versioning Sequence"),
        ("Sequence", ["--versioning", "Semantic"], "push to another artifact, or leave --versioning away"),
    ],
)
def test_a_wish_against_the_artifacts_own_counting_is_refused(cluster, run, model, case):
    """The artifact decides how it counts."""
    versioning, words, why = case
    cluster.put("modelartifacts", "mnist", {"versioning": versioning})
    code, _, err = run("push", model, "--artifact", "mnist", *words)
    assert code == 1
    assert why in err


def test_a_refusal_of_the_api_server_is_told_in_its_own_words(cluster, registry, run, model):
    """Admission said no: its sentence is printed, and no version object is claimed."""
    words = "create modelversions is needed for a Push session"
    cluster.refusals["POST", "/transfersessions"] = (403, "Forbidden", words)
    code, out, err = run("push", model, "--artifact", "mnist")
    assert (code, out) == (1, "")
    assert words in err
    assert not registry.requests


def test_the_session_ends_when_the_push_fails_too(cluster, registry, run, model):
    """A refused push leaves no session behind."""
    registry.faults = lambda method, kind, path: 400 if kind == "uploads" else None
    code, _, err = run("push", model, "--artifact", "mnist")
    assert code == 1
    assert "as the test asked" in err
    assert cluster.sessions_seen
    assert sessions_left(cluster) == []


def test_a_cluster_without_modelberth_is_told(cluster, run, model):
    """404 for the session's kind means: not installed, or no such namespace."""
    cluster.refusals["POST", "/transfersessions"] = (404, "NotFound", "the server could not find the resource")
    code, _, err = run("push", model, "--artifact", "mnist")
    assert code == 1
    assert "not installed" in err


def test_a_link_that_leaves_the_folder_is_refused_before_anything_is_made(cluster, registry, run, model, tmp_path):
    """The message names the link; no session, no reservation."""
    (tmp_path / "token").write_text("secret")
    (model / "token").symlink_to(tmp_path / "token")
    code, _, err = run("push", model, "--artifact", "mnist")
    assert code == 1
    assert "'token' is a link that leaves the pushed folder" in err
    assert cluster.sessions_seen == []
    assert not registry.requests


def test_a_registry_address_is_used_directly(cluster, registry, run, model, monkeypatch):
    """With an address of its own the registry is not reached through the API server."""
    monkeypatch.setenv("MODELBERTH_REGISTRY_URL", registry.url)
    code, _, err = run("push", model, "--artifact", "mnist", "-q")
    assert code == 0, err
    assert all("proxy" not in path for _, path, _, _ in cluster.requests)


def test_an_unusable_kubeconfig_is_one_sentence(run, model, monkeypatch, tmp_path):
    """No traceback, exit code 1."""
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "missing"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    code, _, err = run("push", model, "--artifact", "mnist")
    assert code == 1
    assert err.startswith("modelberth push: no kubeconfig: ")
    assert "set KUBECONFIG" in err
    assert len(err.splitlines()) == 1
