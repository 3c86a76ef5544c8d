"""load, verify, get, history, wait, version: what people see and scripts get."""

import json

import pytest

from modelberth.transfer.patience import Patience
from tests.unit.cli.fake_cluster import sessions_left
from tests.unit.transfer.conftest import content, fill

HISTORY = [
    {
        "sequence": 1,
        "at": "2026-11-21T11:00:00.123+01:00",
        "event": "Moved",
        "version": "mnist-v0",
        "previous": "",
        "movedBy": "jane",
    },
    {
        "sequence": 2,
        "at": "2026-11-21T10:00:09Z",
        "event": "Served",
        "version": "mnist-v0",
        "previous": "",
        "movedBy": "jane",
    },
]


@pytest.fixture
def model(tmp_path):
    return fill(tmp_path / "model", {"model.bin": b"weights", "sub/config.json": b"{}"})


@pytest.fixture
def pushed(cluster, run, model):
    """A pushed model: its digest."""
    return run("push", model, "--artifact", "mnist", "--alias", "best", "-q")[1].split()[1]


def test_load_by_version_and_by_digest(cluster, run, pushed, model, tmp_path):
    """Both addresses give the same folder; the second start finds it intact."""
    code, _, err = run("load", "mnist:v0", tmp_path / "a")
    assert code == 0, err
    assert content(tmp_path / "a") == content(model)
    assert run("load", f"mnist@{pushed}", tmp_path / "b")[0] == 0
    assert "intact, nothing fetched" in run("load", "mnist:v0", tmp_path / "a")[2]
    assert sessions_left(cluster) == []
    assert cluster.sessions_seen[-1]["spec"]["operation"] == "Pull"


def test_a_folder_that_holds_something_else_is_kept_unless_replaced(run, pushed, model, tmp_path):
    """The refusal names a difference and the mend."""
    fill(tmp_path / "a", {"mine": b"precious"})
    code, _, err = run("load", "mnist:v0", tmp_path / "a")
    assert code == 1
    assert "--replace" in err
    assert content(tmp_path / "a") == {"mine": b"precious"}
    assert run("load", "mnist:v0", tmp_path / "a", "--replace")[0] == 0
    assert content(tmp_path / "a") == content(model)


def test_an_unknown_address_is_told_in_the_registrys_words(run, pushed, tmp_path):
    """404 becomes one line."""
    code, _, err = run("load", "mnist:v7", tmp_path / "a")
    assert code == 1
    assert err == "modelberth load: mnist:v7 is not known (HTTP 404 NameNotFound)\n"


def test_a_wrong_address_is_told_with_the_form(run, tmp_path):
    """Before anything is asked."""
    code, _, err = run("load", "Mnist", tmp_path / "a")
    assert code == 2
    assert "[namespace/]name" in err


def test_a_tampered_object_is_refused_with_its_name(registry, run, pushed, tmp_path):
    """The loader's last line, which Kubernetes shows as the reason, names object and damage."""
    key = next(iter(registry.objects))
    registry.objects[key] = b"X" + registry.objects[key][1:]
    code, _, err = run("load", "mnist:v0", tmp_path / "a")
    assert code == 1
    last = err.splitlines()[-1]
    assert last.startswith(f"modelberth load: refused: object {key.partition('/')[0]} of spaces/")
    assert " is tampered: " in last
    assert not (tmp_path / "a").exists()


def test_verify_reads_the_store_or_compares_a_folder(registry, run, pushed, model, tmp_path):
    """Intact: 0. Other bytes in the folder, or in the store: 1 with the name."""
    code, _, err = run("verify", "mnist:v0")
    assert code == 0
    assert f"{pushed} is intact: 2 files of 9 B, in 1 object of the store with 9 B" in err
    assert run("verify", "mnist:v0", model)[0] == 0
    (model / "sub" / "config.json").write_bytes(b"[]")
    (model / "more").write_bytes(b"")
    code, _, err = run("verify", "mnist:v0", model)
    assert code == 1
    assert "'sub/config.json' has other bytes" in err
    assert "'more' is not part of the version" in err
    key = next(iter(registry.objects))
    registry.objects[key] = registry.objects[key][:-1]
    code, _, err = run("verify", "mnist:v0")
    assert code == 1
    assert "is truncated" in err


def test_get_shows_versions_drafts_and_aliases(cluster, run, pushed, model):
    """Records and objects in one table."""
    (model / "model.bin").write_bytes(b"other")
    run("push", model, "--artifact", "mnist", "--draft", "-q")
    cluster.get("modelversions", "mnist-v0")["status"] = {
        "sizeBytes": 2048,
        "conditions": [{"type": "Ready", "status": "True"}],
    }
    cluster.get("modelversions", "mnist-v0")["spec"]["metrics"] = {"loss": 0.5, "accuracy": 0.97}
    cluster.get("modelartifacts", "mnist")["status"] = {
        "aliases": {"best": {"desired": "mnist-v0", "current": "mnist-v0", "state": "Served"}},
        "latestVersion": "mnist-v0",
    }
    code, out, err = run("get", "mnist")
    assert code == 0, err
    rows = [line.split() for line in out.splitlines()]
    assert rows[0] == ["VERSION", "STATE", "DIGEST", "SIZE", "CREATED", "BY", "ALIASES", "METRICS"]
    assert rows[1][:5] == ["mnist-v0", "Ready", pushed[:19], "2.0", "KiB"]
    assert rows[1][-2:] == ["best,latest", "accuracy=0.97,loss=0.5"]
    assert rows[2][:2] == ["mnist-v1", "Draft"]
    first, second = json.loads(run("get", "mnist", "-o", "json")[1])["versions"]
    assert (first["digest"], first["metrics"]) == (pushed, {"loss": 0.5, "accuracy": 0.97})
    assert second["state"] == "Draft"


@pytest.fixture
def two_versions(cluster, run, pushed, model):
    """mnist-v0, which best and latest stand for, and the draft mnist-v1."""
    (model / "model.bin").write_bytes(b"other")
    run("push", model, "--artifact", "mnist", "--draft", "-q")
    cluster.get("modelartifacts", "mnist")["status"] = {"latestVersion": "mnist-v0"}


@pytest.mark.usefixtures("two_versions")
@pytest.mark.parametrize(
    ("tag", "versions", "aliases"),
    [
        (":v0", ["mnist-v0"], []),
        (":v1", ["mnist-v1"], []),
        (":best", ["mnist-v0"], ["best"]),
        (":latest", ["mnist-v0"], []),
    ],
)
def test_get_of_an_address_shows_what_it_means(run, tag, versions, aliases):
    """One version, or an alias and the version that it stands for."""
    found = json.loads(run("get", f"ns/mnist{tag}", "-o", "json")[1])
    assert [row["version"] for row in found["versions"]] == versions
    assert [row["alias"] for row in found["aliases"]] == aliases


@pytest.mark.usefixtures("two_versions")
def test_get_of_a_digest(run, pushed):
    """The version that has it."""
    found = json.loads(run("get", f"mnist@{pushed}", "-o", "json")[1])
    assert [row["version"] for row in found["versions"]] == ["mnist-v0"]


@pytest.mark.usefixtures("two_versions")
@pytest.mark.parametrize(
    ("tag", "asked"), [(":1.0", "version 1.0"), (":worst", "alias worst"), (f"@sha256:{7:064x}", "such content")]
)
def test_get_of_what_there_is_not_says_what_there_is(run, tag, asked):
    """Numbers that this artifact does not count by are no different."""
    code, _, err = run("get", f"mnist{tag}")
    assert code == 1
    assert f"mnist has no {asked}; it has the versions v0, v1 and the aliases best, latest" in err


@pytest.mark.usefixtures("two_versions")
def test_get_of_an_objects_name_says_the_address(run):
    """Who writes mnist-v0 means mnist:v0; and a folder is for --zip only."""
    assert "is mnist:v0 meant?" in run("get", "mnist-v0")[2]
    assert run("get", "mnist:v0#sub")[0] == 2
    assert run("get", "mnist:v0", "--zip", "file", "-o", "json")[0] == 2
    assert run("get", "Mnist")[0] == 2


def test_get_without_a_name_lists_artifacts_and_models(cluster, run):
    """One line per artifact, one per alias of a model; an empty namespace says so."""
    assert run("get")[1] == "nothing in namespace ns\n"
    cluster.put("modelartifacts", "mnist", {}, {"versionCount": 2, "latestVersion": "mnist-v1"})
    cluster.put(
        "registeredmodels",
        "digits",
        {"aliases": {"production": {"version": "mnist-v1"}}},
        {
            "aliases": {
                "production": {
                    "desired": "mnist-v1",
                    "current": "mnist-v0",
                    "state": "Progressing",
                    "message": "1 of 2",
                }
            }
        },
    )
    lines = run("get")[1].splitlines()
    assert lines[1].split() == ["mnist", "2", "mnist-v1", "-"]
    assert lines[4].split() == ["digits", "production", "mnist-v1", "mnist-v0", "Progressing", "1", "of", "2"]
    assert run("get", "digits")[1].splitlines()[1].split()[0] == "production"
    assert run("get", "nothing")[0] == 1


def test_get_without_the_right_to_pull_shows_the_objects(cluster, run):
    """Who may look at objects but not open a session sees them, and why drafts are missing."""
    cluster.put("modelversions", "mnist-v0", {"artifact": "mnist", "version": "v0"})
    cluster.put("modelartifacts", "mnist", {})
    cluster.refusals["POST", "/transfersessions"] = (403, "Forbidden", "get modelversions/content is needed")
    code, out, err = run("get", "mnist")
    assert code == 0
    assert "mnist-v0" in out
    assert err == "drafts are not shown: get modelversions/content is needed\n"


def test_get_while_the_registry_is_away(cluster, registry, run, monkeypatch):
    """Shows the objects, and says what is missing; where there is no object either, nothing is known."""
    monkeypatch.setattr("modelberth.cli.session.Patience", lambda **_: Patience(seconds=0))
    registry.faults = lambda method, kind, path: 503 if kind == "versions" else None
    cluster.put("modelversions", "mnist-v0", {"artifact": "mnist", "version": "v0"})
    cluster.put("modelartifacts", "mnist", {})
    code, out, err = run("get", "mnist")
    assert (code, "mnist-v0" in out, "drafts are not shown: " in err) == (0, True, True)
    assert run("get", "nothing")[0] == 1


def test_an_objects_name_is_no_address(cluster, run, tmp_path):
    """Who writes mnist-v0 is told what to write."""
    for words in (["load", "mnist-v0", tmp_path / "a"], ["verify", "mnist-v0"], ["get", "mnist-v0", "--zip", "file"]):
        code, _, err = run(*words)
        assert (code, "is mnist:v0 meant?" in err) == (1, True)
    assert "meant" not in run("load", "mnist", tmp_path / "a")[2]


def test_history_is_a_table_or_json(registry, cluster, run):
    """Oldest first, with who moved it, times in the one form; nothing recorded says so."""
    registry.histories = {("digits", "production"): HISTORY}
    lines = run("history", "digits:production")[1].splitlines()
    assert lines[0].split() == ["SEQ", "AT", "EVENT", "VERSION", "PREVIOUS", "BY"]
    assert lines[1].split() == ["1", "2026-11-21T10:00:00Z", "Moved", "mnist-v0", "-", "jane"]
    assert json.loads(run("history", "digits:production", "-o", "json")[1]) == HISTORY
    cluster.put("registeredmodels", "digits", {"aliases": {"canary": {"version": "mnist-v0"}}})
    assert run("history", "digits:canary")[:2] == (0, "nothing is recorded for digits:canary\n")
    assert run("history", "digits")[0] == 2


def test_the_history_of_what_does_not_exist(cluster, run):
    """Is no empty history: a name that was written wrongly is told, unless the user may not see which there are."""
    cluster.put("registeredmodels", "digits", {"aliases": {"production": {"version": "mnist-v0"}}})
    code, out, err = run("history", "digits:prod", "-o", "json")
    assert (code, out) == (1, "")
    assert "RegisteredModel digits has no alias prod, and nothing is recorded for it; it has production" in err
    code, _, err = run("history", "nope:prod")
    assert (code, "there is no RegisteredModel nope in namespace ns" in err) == (1, True)
    cluster.refusals["GET", "/registeredmodels/"] = (403, "Forbidden", "no models for you")
    assert run("history", "nope:prod")[0] == 0


def test_a_namespace_that_does_not_exist(cluster, run):
    """Has no objects either, but that is not what was asked; who may not look at namespaces gets the empty answer."""
    for words in (["get"], ["run", "list"]):
        code, out, err = run(*words, "-n", "nonexist")
        assert (code, out, "namespace nonexist does not exist" in err) == (1, "", True)
        cluster.refusals["GET", "/api/v1/namespaces/nonexist"] = (403, "Forbidden", "no namespaces for you")
        assert run(*words, "-n", "nonexist")[0] == 0
        cluster.refusals.clear()


def aliases(desired, current, **more):
    return {"aliases": {"production": {"desired": desired, "current": current, **more}}}


def test_wait_ends_when_the_version_is_served(cluster, run):
    """What is current counts."""
    cluster.put(
        "registeredmodels",
        "digits",
        {"aliases": {"production": {"version": "mnist-v1"}}},
        aliases("mnist-v1", "mnist-v1"),
    )
    assert run("wait", "digits:production", "--version", "mnist-v1")[:2] == (0, "digits:production is mnist-v1\n")
    assert run("wait", "digits:production")[0] == 0


@pytest.fixture
def namesakes(cluster):
    """Says which aliases (alias → version, all served) a RegisteredModel and a ModelArtifact of one name have."""

    def put(model, artifact):
        for plural, owned in (("registeredmodels", model), ("modelartifacts", artifact)):
            spec = {alias: {"version": version} for alias, version in owned.items()}
            status = {alias: {"desired": version, "current": version} for alias, version in owned.items()}
            cluster.put(plural, "mnist", {"aliases": spec}, {"aliases": status})

    return put


def test_wait_finds_the_alias_where_it_is(namesakes, run):
    """A RegisteredModel of the same name does not hide the artifact's alias."""
    namesakes({"production": "mnist-v0"}, {"stable": "mnist-v1"})
    assert run("wait", "mnist:stable")[:2] == (0, "mnist:stable is mnist-v1\n")
    assert run("wait", "mnist:production")[:2] == (0, "mnist:production is mnist-v0\n")


def test_wait_does_not_choose_between_two_aliases(namesakes, run):
    """As the registry resolves it: an error that names both."""
    namesakes({"stable": "mnist-v0"}, {"stable": "mnist-v1"})
    code, _, err = run("wait", "mnist:stable")
    assert code == 1
    assert "an alias of RegisteredModel mnist and of ModelArtifact mnist" in err


@pytest.mark.parametrize(
    "case",
    [
        ("mnist-v0", aliases("mnist-v0", "mnist-v0"), "spec.aliases.production.version is mnist-v0, not mnist-v1"),
        ("mnist-v1", aliases("mnist-v0", "mnist-v0"), "has not seen the change"),
        ("mnist-v1", {}, "has not seen the change"),
        (
            "mnist-v1",
            aliases(
                "mnist-v1", "mnist-v0", state="Waiting", reason="VersionNotFound", message="mnist-v1 does not exist"
            ),
            "is Waiting (VersionNotFound: mnist-v1 does not exist)",
        ),
    ],
)
def test_wait_says_why_and_ends_with_1(cluster, run, monkeypatch, case):
    """When the time is over the last reason is the message."""
    asked, status, why = case
    clock = iter([0.0, 0.5, 100.0])
    monkeypatch.setattr(
        "modelberth.cli.wait.time", type("Time", (), {"monotonic": lambda: next(clock), "sleep": lambda _: None})
    )
    cluster.put("registeredmodels", "digits", {"aliases": {"production": {"version": asked}}}, status)
    code, out, err = run("wait", "digits:production", "--version", "mnist-v1", "--timeout", "60")
    assert (code, out) == (1, "")
    assert err.count(why) == 2  # when it began, and at the end
    assert "after 60 s" in err


def test_wait_wants_an_alias_and_an_object_name(cluster, run):
    """Wrong usage is told at once."""
    assert run("wait", "digits")[0] == 2
    code, _, err = run("wait", "digits:production", "--version", "v1")
    assert code == 2
    assert "such as mnist-v4" in err
    assert "the name is missing" in run("wait", ":production")[2]
    assert run("wait", "digits:production")[0] == 1


@pytest.mark.parametrize("words", [[], ["--version", "mnist-v1"]])
def test_wait_for_an_alias_that_there_is_not(cluster, run, monkeypatch, words):
    """Somebody may make it yet; until then it is said which ones there are."""
    clock = iter([0.0, 100.0])
    monkeypatch.setattr("modelberth.cli.wait.time", type("Time", (), {"monotonic": lambda: next(clock)}))
    cluster.put("registeredmodels", "digits", {"aliases": {"production": {"version": "mnist-v1"}}})
    code, _, err = run("wait", "digits:nope", *words, "--timeout", "60")
    assert code == 1
    assert "digits:nope is no alias yet: nobody has set spec.aliases.nope.version; there is production" in err


def test_wait_for_latest(cluster, run, monkeypatch):
    """Which moves by itself; of a dataset as well."""
    cluster.put("datasets", "housing", {}, {"latestVersion": "housing-v1"})
    assert run("wait", "housing:latest")[:2] == (0, "housing:latest is housing-v1\n")
    clock = iter([0.0, 100.0])
    monkeypatch.setattr("modelberth.cli.wait.time", type("Time", (), {"monotonic": lambda: next(clock)}))
    code, _, err = run("wait", "housing:latest", "--version", "housing-v2", "--timeout", "60")
    assert code == 1
    assert "housing:latest moves by itself, and is housing-v1" in err


def test_version_asks_the_registry_when_told_to(registry, cluster, run):
    """Alone it needs no cluster."""
    assert run("version")[1].startswith("modelberth ")
    registry.info = {"version": "0.1.0", "formats": {"tree": 1}, "mode": "direct", "problems": ["no STS"]}
    out = run("version", "--registry")[1]
    assert "registry 0.1.0 (formats: tree 1; mode: direct)\n  no STS" in out
