"""What the routes answer, over a store whose faults can be turned."""

import asyncio

import pytest

from modelberth.content.collections import artifact
from modelberth.registry import commit_jobs
from modelberth.registry.problems import from_store
from modelberth.registry.services import State
from modelberth.runtime.resources import MODEL_ARTIFACTS, REGISTERED_MODELS
from modelberth.store.errors import StoreDenied, StoreUnavailable, VersionTaken
from modelberth.store.inline import pack_inline
from modelberth.store.types import NewVersion
from tests.unit.registry.test_access import add_session

TEAM = "/v1/namespaces/team"
UNKNOWN = "sha256:" + "f" * 64


@pytest.fixture
async def space(world):
    """The space of the namespace."""
    return await world.services.backend.namespaces.space("team")


@pytest.fixture
async def reader(world):
    """A pod of the namespace."""
    async with world.client(**world.pod()) as http:
        yield http


@pytest.fixture
async def pusher(world):
    """A user who pushes."""
    async with world.client(**add_session(world, "Push")) as http:
        yield http


class TestContent:
    async def test_urls(self, world, space, reader):
        """URLs are signed for where the caller is: pods inside, sessions outside, each for what it asks."""
        summary = await world.store.put_inline(space, {"a": b"a"})
        await world.store.mark_content(space, "models", summary.digest)
        path = f"{TEAM}/content/{summary.digest}/urls"
        inside = (await reader.post(path, json={"objects": [0]})).json()
        assert inside["urls"]["0"].startswith("http://inside:9000/bucket/spaces/")
        async with world.client(**add_session(world, "Pull")) as http:
            outside = (await http.post(path, json={"objects": [0]})).json()
            asked = (await http.post(path, json={"objects": [0], "endpoint": "internal"})).json()
        assert outside["urls"]["0"].startswith("https://outside.example/bucket/")
        assert asked["urls"]["0"].startswith("http://inside:9000/")
        assert inside["expiresAt"].endswith("Z")

    @pytest.mark.parametrize("numbers", [[1], [0, 99], [-1], [], list(range(1001)), ["x"]], ids=str)
    async def test_numbers_that_are_not_there(self, world, space, reader, numbers):
        """Object numbers beyond the layout, none, or too many are refused with the field's name."""
        summary = await world.store.put_inline(space, {"a": b"a"})
        await world.store.mark_content(space, "models", summary.digest)
        answer = await reader.post(f"{TEAM}/content/{summary.digest}/urls", json={"objects": numbers})
        assert (answer.status_code, "objects" in answer.json()["error"]["message"]) == (422, True)

    async def test_texts_are_read_once(self, world, space, reader, s3):
        """A rollout of many pods reads a tree from the bucket once."""
        summary = await world.store.put_inline(space, {"a": b"a"})
        await world.store.mark_content(space, "models", summary.digest)
        before = len(s3.requests)
        for _ in range(10):
            assert (await reader.get(f"{TEAM}/content/{summary.digest}/tree")).status_code == 200
        assert [method for method, _ in s3.requests[before:]] == ["HEAD", "GET"]  # the family's mark, and the tree

    async def test_bad_digests(self, reader):
        """A path that is no digest is refused before anything is looked for."""
        for digest in ("sha256:x", "md5:" + "0" * 32, UNKNOWN.upper()):
            assert (await reader.get(f"{TEAM}/content/{digest}/tree")).status_code == 422

    async def test_the_store_is_away(self, reader, s3):
        """While the store does not answer the answer is 503 with a time to wait."""
        s3.answer(503, "SlowDown", method="HEAD", times=2)
        answer = await reader.get(f"{TEAM}/content/{UNKNOWN}/tree")
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "StoreUnavailable")
        assert int(answer.headers["Retry-After"]) > 0

    async def test_not_ready(self, world, reader):
        """A store that is not proven is not used, and the refusal says what is wrong."""
        world.services.state = State(is_ready=False, problems=("the store has no STS",))
        answer = await reader.get(f"{TEAM}/content/{UNKNOWN}/tree")
        assert (answer.status_code, "no STS" in answer.text) == (503, True)
        ready = await reader.get("/readyz")
        assert (ready.status_code, ready.json()) == (503, {"ready": False, "problems": ["the store has no STS"]})
        assert (await reader.get("/v1/info")).json()["problems"] == ["the store has no STS"]
        assert (await reader.get("/healthz")).status_code == 200


class TestResolve:
    @pytest.fixture
    async def versions(self, world, space):
        """mnist-v0 and mnist-v1."""
        for number in range(2):
            await world.store.reserve_version(space, NewVersion(artifact("mnist"), f"sha256:{number:064x}", "me"))

    def model(self, world, **status):
        world.kube.put(
            REGISTERED_MODELS,
            "team",
            "digits",
            spec={"aliases": {"production": {"version": "mnist-v1"}}},
            status={"aliases": {"production": {"desired": "mnist-v1", **status}}},
        )

    async def ask(self, http, address, **more):
        return await http.get(f"{TEAM}/resolve", params={"address": address, **more})

    @pytest.mark.usefixtures("versions")
    async def test_an_alias_means_what_is_current(self, world, reader):
        """An alias stands for its current version; with desired for its wish."""
        self.model(world, current="mnist-v0")
        now = (await self.ask(reader, "digits:production")).json()
        assert (now["artifact"], now["version"], now["digest"], now["via"]) == (
            "mnist",
            "v0",
            f"sha256:{0:064x}",
            "alias",
        )
        assert (await self.ask(reader, "digits:production", desired="true")).json()["version"] == "v1"
        assert (await self.ask(reader, "team/digits:production")).json() == now

    @pytest.mark.usefixtures("versions")
    async def test_an_alias_that_stands_for_nothing_yet(self, world, reader):
        """An alias without a current version is 404 and says how to ask for the wish."""
        self.model(world)
        answer = await self.ask(reader, "digits:production")
        assert (answer.status_code, "desired=true" in answer.text) == (404, True)

    @pytest.mark.usefixtures("versions")
    async def test_artifacts(self, world, reader):
        """Versions, digests, artifact aliases, latest and the bare name resolve in artifacts."""
        world.kube.put(
            MODEL_ARTIFACTS,
            "team",
            "mnist",
            spec={"aliases": {"best": {"version": "mnist-v0"}}},
            status={"latestVersion": "mnist-v1", "aliases": {"best": {"current": "mnist-v0"}}},
        )
        found = {}
        for address in ("mnist", "mnist:latest", "mnist:best", "mnist:v0", f"mnist@sha256:{1:064x}"):
            answer = (await self.ask(reader, address)).json()
            found[address] = (answer["version"], answer["via"])
        assert list(found.values()) == [
            ("v1", "alias"),
            ("v1", "alias"),
            ("v0", "alias"),
            ("v0", "version"),
            ("v1", "digest"),
        ]

    @pytest.mark.usefixtures("versions")
    async def test_a_hit_in_both(self, world, reader):
        """An alias name that a model and an artifact of one name have is an error naming both."""
        self.model(world, current="mnist-v0")
        world.kube.put(MODEL_ARTIFACTS, "team", "digits", spec={"aliases": {"production": {"version": "digits-v0"}}})
        answer = await self.ask(reader, "digits:production")
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "AmbiguousAlias")
        assert "RegisteredModel digits" in answer.text
        assert "ModelArtifact digits" in answer.text

    @pytest.mark.parametrize(
        ("address", "status", "code"),
        [
            ("nothing", 404, "NameNotFound"),
            ("nothing:best", 404, "NameNotFound"),
            ("mnist:v7", 404, "VersionNotFound"),
            (f"mnist@{UNKNOWN}", 404, "VersionNotFound"),
            ("other/mnist:v0", 400, "OtherNamespace"),
            ("mnist:", 400, "Invalid"),
            ("MNIST", 400, "Invalid"),
            ("mnist:v0@" + UNKNOWN, 400, "Invalid"),
        ],
    )
    async def test_what_is_not_there(self, reader, address, status, code):
        """Unknown names, versions and digests are 404 each with its reason; what is no address is 400."""
        answer = await self.ask(reader, address)
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)

    async def test_unknown_alias_and_empty_artifact(self, world, reader):
        """An alias nobody has, and an artifact without a version, say so."""
        world.kube.put(MODEL_ARTIFACTS, "team", "mnist", spec={})
        assert (await self.ask(reader, "mnist:best")).json()["error"]["code"] == "AliasNotFound"
        assert "push one" in (await self.ask(reader, "mnist")).text

    async def test_a_session_for_another_artifact(self, world, versions):
        """A session for one artifact resolves nothing else."""
        async with world.client(**add_session(world, "Pull", artifact="other")) as http:
            assert (await self.ask(http, "mnist:v0")).status_code == 403


class TestCommits:
    async def prepare(self, world, pusher, files):
        content = pack_inline(files)
        await pusher.put(f"{TEAM}/trees/{content.tree.digest}", content=content.tree.to_bytes())
        space = await world.services.backend.namespaces.space("team")
        for stored in content.layout.objects:
            await world.store.contents.bucket.put(
                space.prefix + stored.key, content.objects[stored.digest], sha256=stored.digest
            )
        return f"{TEAM}/commits/{content.tree.digest}", content.layout.to_bytes()

    async def test_asking_again_is_the_way_to_wait(self, world, pusher, monkeypatch):
        """A commit that takes long is answered 202, goes on, and the same request gets its outcome, done once."""
        monkeypatch.setattr(commit_jobs, "PATIENCE_SECONDS", 0.01)
        path, body = await self.prepare(world, pusher, {"a": b"a"})
        gate, calls, real = asyncio.Event(), [], type(world.store.commits).commit

        async def slow(self, *arguments):
            calls.append(arguments)
            await gate.wait()
            return await real(self, *arguments)

        monkeypatch.setattr(type(world.store.commits), "commit", slow)
        for _ in range(3):
            answer = await pusher.post(path, content=body)
            assert (answer.status_code, answer.headers["Retry-After"]) == (202, "1")
        gate.set()
        monkeypatch.setattr(commit_jobs, "PATIENCE_SECONDS", 30.0)
        assert (await pusher.post(path, content=body)).json()["fileCount"] == 1
        assert len(calls) == 1

    async def test_a_failed_commit_can_be_tried_again(self, world, pusher, s3):
        """After an outage in the middle the same request starts over."""
        path, body = await self.prepare(world, pusher, {"a": b"a"})
        s3.answer(503, "SlowDown", method="GET", times=2)
        assert (await pusher.post(path, content=body)).status_code == 503
        assert (await pusher.post(path, content=body)).status_code == 200

    @pytest.mark.parametrize("body", [b"", b"nonsense", b"modelberth-layout/1\no x 1 y\n"])
    async def test_what_is_no_layout(self, pusher, body):
        """A body that is no layout is refused by the line that breaks a rule."""
        answer = await pusher.post(f"{TEAM}/commits/{UNKNOWN}", content=body)
        assert (answer.status_code, "layout" in answer.text) == (400, True)

    async def test_a_mended_layout_is_served_at_once(self, world, pusher, reader, s3):
        """After a commit the layout that is handed out is the one that counts, whatever was remembered."""
        path, body = await self.prepare(world, pusher, {"a": b"a"})
        await pusher.post(path, content=body)
        served = path.replace("commits", "content") + "/layout"
        assert (await reader.get(served)).content == body
        lost = next(key for key in s3.objects if "/data/" in key)
        del s3.objects[lost]
        path, again = await self.prepare(world, pusher, {"a": b"a"})
        await pusher.post(path, content=again)
        assert (await reader.get(served)).content == again != body


class TestRecords:
    async def test_reserving(self, world, pusher, reader):
        """A reservation is answered with what holds; the record keeps its author and what was known."""
        spec = {"metrics": {"accuracy": 0.97}, "lineage": {"run": {"uri": "https://runs/1"}}, "format": "onnx"}
        asked = {"digest": UNKNOWN, "spec": spec}
        answer = await pusher.post(f"{TEAM}/artifacts/mnist/versions", json=asked)
        held = {"version": "v0", "digest": UNKNOWN, "committed": False, "spec": spec}
        assert answer.json() == {**held, "created": True}
        again = await pusher.post(f"{TEAM}/artifacts/mnist/versions", json={**asked, "spec": {"format": "other"}})
        assert again.json() == {**held, "created": False}
        space = await world.services.backend.namespaces.space("team")
        record = await world.store.version_record(space, artifact("mnist"), "v0")
        assert (record.created_by, record.spec) == ("alice", spec)
        listed = (await reader.get(f"{TEAM}/artifacts/mnist/versions")).json()
        assert [(entry["version"], entry["createdBy"], entry["committed"]) for entry in listed] == [
            ("v0", "alice", False)
        ]

    @pytest.mark.parametrize(
        "changed",
        [
            {"digest": "x"},
            {"version": "latest"},
            {"versioning": "Random"},
            {"spec": {"metrics": {"a": "x"}}},
            {"spec": {"unknown": 1}},
            {"other": 1},
        ],
        ids=str,
    )
    async def test_bad_requests(self, pusher, changed):
        """A field that is wrong or unknown is refused by its name."""
        answer = await pusher.post(f"{TEAM}/artifacts/mnist/versions", json={"digest": UNKNOWN, **changed})
        assert (answer.status_code, next(iter(changed)) in answer.text) == (422, True)

    @pytest.mark.parametrize(("kind", "name"), [("artifacts", "mnist"), ("datasets", "housing")])
    async def test_nobody_says_that_a_run_made_it(self, world, kind, name):
        """By the uid of a TrainingRun; its name, and the uid of a step, which is none, may be told."""
        family = "models" if kind == "artifacts" else "datasets"
        async with world.client(**add_session(world, "Push", family=family)) as pusher:
            answers = [
                await pusher.post(
                    f"{TEAM}/{kind}/{name}/versions",
                    json={"digest": UNKNOWN, "spec": {"lineage": {"run": {"trainingRun": "fit", **uid}}}},
                )
                for uid in ({"uid": "0b5b"}, {"uid": "step-" + "0" * 32}, {})
            ]
        assert [answer.status_code for answer in answers] == [403, 200, 200]
        assert "spec.lineage.run.uid" in answers[0].text

    async def test_the_wrong_kind_of_number(self, pusher):
        """A number of the other versioning is refused with the form that is right."""
        asked = {"digest": UNKNOWN, "versioning": "Sequence", "version": "1.0"}
        answer = await pusher.post(f"{TEAM}/artifacts/mnist/versions", json=asked)
        assert (answer.status_code, "v<number>" in answer.text) == (400, True)

    async def test_history(self, reader):
        """The history of an alias that nothing happened to is empty."""
        assert (await reader.get(f"{TEAM}/models/digits/aliases/production/history")).json() == []


SAID = {"digest": UNKNOWN, "bytes": 1, "total": 2}


class TestProgress:
    async def test_by_pods_of_the_namespace_only(self, world, pusher):
        """Neither sessions, nor accounts without a pod, nor pods of other namespaces tell progress."""
        assert (await pusher.post(f"{TEAM}/progress", json=SAID)).status_code == 403
        for user in ({"pod": ""}, {"namespace": "other"}):
            async with world.client(**world.pod(**user)) as http:
                assert (await http.post(f"{TEAM}/progress", json=SAID)).status_code == 403

    async def test_idle_counts_from_the_last_byte(self, world, reader):
        """A loader that reports the same bytes again is idle since it last got on."""
        now = [0.0]
        world.services.progress._monotonic = lambda: now[0]
        await reader.post(f"{TEAM}/progress", json=SAID)
        now[0] = 40.0
        await reader.post(f"{TEAM}/progress", json=SAID)
        now[0] = 60.0
        (entry,) = (await reader.get("/v1/progress")).json()
        assert entry == {
            "namespace": "team",
            "pod": "pod-1",
            "podUID": "uid-of-pod-1",
            "digest": UNKNOWN,
            "bytes": 1,
            "total": 2,
            "idleSeconds": 60.0,
            "phase": "",
            "phases": [],
        }
        await reader.post(f"{TEAM}/progress", json={**SAID, "bytes": 2})
        assert (await reader.get("/v1/progress")).json()[0]["idleSeconds"] == 0.0


class TestLimits:
    async def test_bodies(self, pusher):
        """A body over its limit is refused, announced or not."""

        async def endless():
            for _ in range(3):
                yield b" " * (512 * 1024)

        path = f"{TEAM}/uploads"
        announced = await pusher.post(path, content=b" " * (1024 * 1024 + 1))
        streamed = await pusher.post(path, content=endless())
        for answer in (announced, streamed):
            assert (answer.status_code, answer.json()["error"]["code"]) == (413, "TooLarge")
            assert answer.headers["Connection"] == "close"

    async def test_refused_bodies(self, world, pusher):
        """A refused body of known size is drained, so that its sender reads the answer; an endless one is cut off."""

        async def endless():
            while True:
                yield b"nonsense" * 10_000

        path = f"{TEAM}/trees/{UNKNOWN}"
        known = await pusher.put(path, content=b"nonsense\n" * 10_000)
        unknown = await pusher.put(path, content=endless())
        assert (known.status_code, known.headers.get("Connection")) == (400, None)
        assert (unknown.status_code, unknown.headers["Connection"]) == (413, "close")

    async def test_unknown_paths_and_methods(self, reader):
        """What is no route is refused in the same form as everything else."""
        for method, path, status in (("GET", "/v2", 404), ("DELETE", "/v1/info", 405)):
            answer = await reader.request(method, path)
            assert answer.status_code == status
            assert set(answer.json()["error"]) == {"code", "message"}

    async def test_requests_are_counted_by_route(self, world, reader):
        """Metrics carry routes, never names or digests that somebody chose."""
        await reader.get(f"{TEAM}/content/{UNKNOWN}/tree")
        await reader.get("/nonsense/" + "x" * 50)
        text = (await reader.get("/metrics")).text
        assert 'route="/v1/namespaces/{ns}/content/{digest}/tree"' in text
        assert "nonsense" not in text
        assert UNKNOWN not in text


@pytest.mark.parametrize(
    ("error", "status"),
    [(StoreUnavailable("x"), 503), (StoreDenied("x"), 503), (VersionTaken(artifact("a"), "v1", UNKNOWN), 409)],
)
def test_errors_of_the_store(error, status):
    """What waiting mends is 503, what another number mends is 409."""
    assert from_store(error).status == status
