"""The small parts: caches, limits, settings, TLS, replicas, start-up, logs."""

import asyncio
import io
import json
import logging
import ssl
from datetime import UTC, datetime

import pytest
from aiohttp import web

from modelberth.registry import bootstrap, commit_jobs, main
from modelberth.registry.api_server import fetch
from modelberth.registry.caches import AgingCache
from modelberth.registry.callers import PodCaller
from modelberth.registry.commit_jobs import CommitJobs
from modelberth.registry.limits import RateLimit
from modelberth.registry.models import ProgressEntry
from modelberth.registry.namespaces import SYSTEM_NAMESPACE
from modelberth.registry.peers import Peers
from modelberth.registry.problems import Problem
from modelberth.registry.progress import merged
from modelberth.registry.services import Endpoints, State
from modelberth.registry.settings import RegistrySettings
from modelberth.registry.startup import Startup
from modelberth.registry.tls import ServingCertificate
from modelberth.registry.tokens import TokenVerifier
from modelberth.runtime.certificates import new_authority, new_serving
from modelberth.runtime.connection import Connection
from modelberth.runtime.errors import ApiUnavailable, NotFound
from modelberth.runtime.logging import configure_logging
from modelberth.runtime.settings import SettingsError
from modelberth.store.connection import Endpoint
from modelberth.store.errors import StoreUnavailable
from modelberth.store.lifecycle import ExpiryRule, expiry_rules, touching
from modelberth.store.probe import Finding, Report
from modelberth.store.types import Space
from tests.unit.registry.test_access import add_session

ENVIRONMENT = {
    "MODELBERTH_STORE_ENDPOINT": "http://minio:9000",
    "MODELBERTH_STORE_ACCESS_KEY_FILE": "/a",
    "MODELBERTH_STORE_SECRET_KEY_FILE": "/s",
    "MODELBERTH_TLS_CERT_FILE": "/tls.crt",
    "MODELBERTH_TLS_KEY_FILE": "/tls.key",
}


@pytest.fixture
def space():
    """Any space."""
    return Space("s" * 26, "team", "uid")


class TestAgingCache:
    def test_age(self):
        """A value is good for its time, or for a shorter one given with it."""
        now = [0.0]
        cache = AgingCache(seconds=30, weight=10, monotonic=lambda: now[0])
        cache.put("long", 1)
        cache.put("short", 2, seconds=5)
        cache.put("longer", 3, seconds=500)
        now[0] = 5.0
        assert (cache.get("long"), cache.get("short")) == (1, None)
        now[0] = 30.0
        assert (cache.get("long"), cache.get("longer")) == (None, None)

    def test_weight(self):
        """The values not used for longest go first; one that is too heavy alone is not kept."""
        cache = AgingCache(seconds=30, weight=10, weigh=len)
        cache.put("a", b"12345")
        cache.put("b", b"12345")
        cache.get("a")
        cache.put("c", b"1")
        assert (cache.get("a"), cache.get("b"), cache.get("c")) == (b"12345", None, b"1")
        cache.put("d", b"12345678901")
        assert (cache.get("d"), cache.get("a")) == (None, b"12345")
        cache.put("a", b"1")
        cache.put("e", b"12345678")
        assert (cache.get("a"), cache.get("c"), cache.get("e")) == (b"1", b"1", b"12345678")


class TestRateLimit:
    def test_burst_and_rate(self):
        """A namespace may go beyond its rate for a moment, and then only by its rate; it is told how long to wait."""
        now = [0.0]
        limit = RateLimit(per_second=2, burst=3, monotonic=lambda: now[0])
        for _ in range(3):
            limit.take("a")
        with pytest.raises(Problem) as refused:
            limit.take("a")
        assert (refused.value.status, refused.value.headers) == (429, {"Retry-After": "1"})
        limit.take("b")
        now[0] = 0.5
        limit.take("a")
        with pytest.raises(Problem):
            limit.check("a")
        now[0] = 100.0
        for _ in range(3):
            limit.take("a")
        with pytest.raises(Problem):
            limit.take("a")


class TestCommitJobs:
    async def test_no_more_than_memory_holds(self, space, monkeypatch):
        """Layouts beyond what may wait are answered 429; one alone is always taken, and an outcome makes room."""
        monkeypatch.setattr(commit_jobs, "PATIENCE_SECONDS", 0.01)
        monkeypatch.setattr(commit_jobs, "_WAITING_BYTES", 10)
        jobs, gate = CommitJobs(), asyncio.Event()

        async def commit():
            await gate.wait()
            return "done"

        assert await jobs.run(space, "a", b"x" * 20, commit) is None
        with pytest.raises(Problem, match="429"):
            await jobs.run(space, "b", b"x", commit)
        assert await jobs.run(space, "a", b"x" * 20, commit) is None
        gate.set()
        monkeypatch.setattr(commit_jobs, "PATIENCE_SECONDS", 10.0)
        assert await jobs.run(space, "a", b"x" * 20, commit) == "done"
        assert await jobs.run(space, "b", b"x", commit) == "done"
        await jobs.close()

    async def test_what_is_broken_off(self, space):
        """Ending the process breaks commits off without a complaint."""
        jobs = CommitJobs()

        async def never():
            await asyncio.Event().wait()

        asking = asyncio.create_task(jobs.run(space, "a", b"", never))
        await asyncio.sleep(0)
        await jobs.close()
        with pytest.raises(asyncio.CancelledError):
            await asking


class TestSettings:
    def test_defaults(self):
        """With the store's address, credentials and certificate everything else has a default."""
        settings = RegistrySettings.from_environment(ENVIRONMENT)
        assert (settings.port, settings.peers, settings.store.bucket) == (8443, None, "modelberth")
        assert settings.server_name == "modelberth-registry.modelberth.svc"

    def test_tls_has_to_be_turned_off(self):
        """Without a certificate the registry serves only where plain HTTP is asked for by name."""
        bare = {name: value for name, value in ENVIRONMENT.items() if "TLS" not in name}
        with pytest.raises(SettingsError, match="MODELBERTH_TLS_CERT_FILE"):
            RegistrySettings.from_environment(bare)
        assert RegistrySettings.from_environment({**bare, "MODELBERTH_TLS": "off"}).cert_file is None

    def test_a_process_without_settings(self, monkeypatch, capsys):
        """The process ends with 2 and names each variable that is missing."""
        monkeypatch.setattr("os.environ", {})
        assert main.main() == 2
        assert "MODELBERTH_STORE_ENDPOINT" in capsys.readouterr().err
        assert bootstrap.main() == 2
        assert "MODELBERTH_STORE_ROOT_ACCESS_KEY_FILE" in capsys.readouterr().err


class TestEndpoints:
    POD = PodCaller("system:serviceaccount:team:default", "", (), {})

    def test_external_has_to_be_configured(self):
        """An endpoint that is not configured is refused where it is asked for, and not chosen otherwise."""
        endpoints = Endpoints(Endpoint("http://inside:9000"))
        assert endpoints.choose(self.POD, None).url == "http://inside:9000"
        with pytest.raises(Problem, match=r"s3\.externalEndpoint"):
            endpoints.choose(self.POD, "external")


class TestCertificate:
    def write(self, folder, pair):
        (folder / "tls.crt").write_bytes(pair.certificate)
        (folder / "tls.key").write_bytes(pair.key)

    def test_only_whole_pairs_are_taken(self, tmp_path):
        """A certificate beside the wrong key, or a file that is gone, leaves the old pair; the next whole one is taken."""
        authority = new_authority(datetime.now(UTC))
        first, second = (new_serving(authority, ["a"], datetime.now(UTC)) for _ in range(2))
        self.write(tmp_path, first)
        serving = ServingCertificate(tmp_path / "tls.crt", tmp_path / "tls.key")
        assert not serving.refresh()
        (tmp_path / "tls.crt").write_bytes(second.certificate)
        assert not serving.refresh()
        (tmp_path / "tls.key").unlink()
        assert not serving.refresh()
        self.write(tmp_path, second)
        assert serving.refresh()
        assert not serving.refresh()

    def test_a_pair_that_never_fits(self, tmp_path):
        """A process does not start with a certificate and a key that do not belong together."""
        authority = new_authority(datetime.now(UTC))
        self.write(tmp_path, authority)
        (tmp_path / "tls.key").write_bytes(new_authority(datetime.now(UTC)).key)
        with pytest.raises(ssl.SSLError):
            ServingCertificate(tmp_path / "tls.crt", tmp_path / "tls.key")


def entry(pod, done, idle):
    return ProgressEntry(namespace="team", pod=pod, pod_uid=pod, digest="d", bytes=done, total=9, idle_seconds=idle)


class TestReplicas:
    def test_the_one_that_heard_last(self):
        """Of several replicas' reports about a pod the one counts that heard it get on last."""
        found = merged([[entry("a", 5, 60.0), entry("b", 1, 0.0)], [entry("a", 7, 2.0)], []])
        assert [(item.pod, item.bytes) for item in found] == [("a", 7), ("b", 1)]

    async def test_asked_with_the_callers_token(self, unused_tcp_port):
        """Every address behind the name is asked what it was told itself, with the caller's own token."""
        seen = []

        async def answer(request):
            seen.append((request.query_string, request.headers["Authorization"]))
            return web.json_response([entry("a", 1, 0.0).model_dump(mode="json")])

        async with served(answer, unused_tcp_port):
            peers = Peers("localhost", port=unused_tcp_port, server_name="registry", ca_file=None)
            replies = await peers.progress("Bearer token")
        assert [entry("a", 1, 0.0)] in replies
        assert seen == [("scope=replica", "Bearer token")]

    @pytest.mark.parametrize("text", ["no json", "{}", '[{"pod": 1}]'])
    async def test_nonsense_is_passed_over(self, text, unused_tcp_port):
        """A replica of another version, or none at all, is passed over."""

        async def answer(_):
            return web.Response(text=text)

        async with served(answer, unused_tcp_port):
            peers = Peers("localhost", port=unused_tcp_port, server_name="registry", ca_file=None)
            assert not any(await peers.progress("Bearer token"))

    async def test_nobody_behind_the_name(self):
        """A name that does not resolve leaves the replica with what it knows."""
        peers = Peers("nobody.invalid", port=1, server_name="registry", ca_file=None)
        assert await peers.progress("Bearer token") == []


class TestFetch:
    async def test_documents(self, unused_tcp_port):
        """A document is decoded; a refusal keeps the server's words; what is no document is an outage."""

        async def answer(request):
            match request.path:
                case "/good":
                    return web.json_response({"issuer": "x"})
                case "/refused":
                    return web.json_response({"reason": "NotFound", "message": "no such path"}, status=404)
            return web.Response(text="[]")

        async with served(answer, unused_tcp_port):
            connection = Connection(f"http://127.0.0.1:{unused_tcp_port}")
            assert await fetch(connection, "/good") == {"issuer": "x"}
            with pytest.raises(NotFound):
                await fetch(connection, "/refused")
            with pytest.raises(ApiUnavailable, match="no JSON object"):
                await fetch(connection, "/list")
        with pytest.raises(ApiUnavailable):
            await fetch(connection, "/gone")


class TestStartup:
    @pytest.fixture
    def startup(self, world):
        """A start-up that nothing was done of yet."""
        world.services.backend, world.services.state = None, State()
        return Startup(
            world.services, kube=world.kube, verifier=TokenVerifier(world.issuer), bucket=world.store.contents.bucket
        )

    def finds(self, monkeypatch, *findings, error=None):
        async def probe(_):
            if error is not None:
                raise error
            return Report(findings)

        monkeypatch.setattr("modelberth.registry.startup.probe", probe)

    async def test_a_failure_of_its_own_is_said_and_tried_again(self, world, startup, monkeypatch):
        """A start-up that ended would leave a registry that starts for ever and says nothing."""
        world.kube.add_namespace(SYSTEM_NAMESPACE)
        self.finds(monkeypatch, error=ZeroDivisionError())
        await startup.look()
        assert not world.services.state.is_ready
        assert world.services.state.problems == ("the start-up failed (ZeroDivisionError); see the log",)
        self.finds(monkeypatch)
        await startup.look()
        assert world.services.state.is_ready

    async def test_ready(self, world, startup, monkeypatch):
        """With keys, cluster and a good store it is ready; what is only advised is shown."""
        world.kube.add_namespace(SYSTEM_NAMESPACE)
        self.finds(monkeypatch, Finding("A", holds=True, message="a"), Finding("B", False, "tidy up", required=False))
        await startup.look()
        assert (world.services.state.is_ready, world.services.state.problems) == (True, ("tidy up",))
        assert world.services.ready_backend().store is not None

    async def test_an_unsafe_store(self, world, startup, monkeypatch):
        """A store that lets an attack through is not used, and not used any more once it does."""
        world.kube.add_namespace(SYSTEM_NAMESPACE)
        self.finds(monkeypatch)
        await startup.look()
        self.finds(monkeypatch, Finding("NoUnsignedCopy", holds=False, message="copies: use another"))
        await startup.look()
        assert (world.services.state.is_ready, world.services.state.problems) == (False, ("copies: use another",))

    async def test_an_outage_takes_nothing_away(self, world, startup, monkeypatch):
        """A store that was proven and does not answer for a while leaves the registry ready, and says so."""
        world.kube.add_namespace(SYSTEM_NAMESPACE)
        self.finds(monkeypatch, error=StoreUnavailable("away"))
        await startup.look()
        assert not world.services.state.is_ready
        self.finds(monkeypatch)
        await startup.look()
        self.finds(monkeypatch, error=StoreUnavailable("away"))
        await startup.look()
        assert (world.services.state.is_ready, world.services.state.problems) == (True, ("away",))

    async def test_without_a_cluster(self, world, startup):
        """Without the API server, or without its name, it is not ready and says why."""
        await startup.look()
        assert "kube-system" in world.services.state.problems[0]
        world.kube.is_away = True
        await startup.look()
        assert "nobody listens" in world.services.state.problems[0]


class TestLog:
    async def test_no_secrets(self, world):
        """Neither a token, nor a session's secret, nor an address' query is in the log."""
        stream = io.StringIO()
        root, ours = logging.getLogger(), logging.getLogger("modelberth")
        before = root.handlers[:], root.level, ours.level
        configure_logging("INFO", stream=stream)
        try:
            pod, session = world.pod(), add_session(world, "Push")
            async with world.client(**pod) as http:
                await http.get("/v1/namespaces/team/resolve", params={"address": "nothing:private-alias"})
                await http.post("/v1/namespaces/team/artifacts/a/versions", json={})
            async with world.client(**session) as http:
                await http.put("/v1/namespaces/team/trees/sha256:" + "0" * 64, content=b"x")
        finally:
            root.handlers[:], root.level = before[0], before[1]
            ours.setLevel(before[2])
            logging.captureWarnings(capture=False)
        text = stream.getvalue()
        records = [json.loads(line) for line in text.splitlines()]
        routes = {record["route"] for record in records if record["message"] == "request"}
        assert "/v1/namespaces/{ns}/resolve" in routes
        assert {record.get("caller") for record in records} >= {"alice", "system:serviceaccount:team:default"}
        secrets = [pod["Authorization"].removeprefix("Bearer "), session["Modelberth-Session"], "private-alias"]
        assert [secret for secret in secrets if secret in text] == []


class TestLifecycle:
    def test_what_touches_content(self):
        """Only enabled rules that expire or archive current objects count, by where they apply."""

        class Part:
            def __init__(self, **fields):
                self.__dict__.update(fields)

        def rule(name, *, status="Enabled", days=None, date=None, transition=None, prefix="", none=False):
            expiration = None if none else Part(days=days, date=date, expired_object_delete_marker=None)
            where = Part(prefix=prefix, and_operator=None) if prefix else None
            return Part(rule_id=name, status=status, expiration=expiration, transition=transition, rule_filter=where)

        rules = [
            rule("all", days=1),
            rule("off", status="Disabled", days=1),
            rule("dated", date="tomorrow", prefix="spaces/abc"),
            rule("archive", none=True, transition=object(), prefix="space"),
            rule("markers"),
            rule("elsewhere", days=1, prefix="logs/"),
        ]
        found = expiry_rules(rules)
        assert found == [
            ExpiryRule("all", ""),
            ExpiryRule("dated", "spaces/abc"),
            ExpiryRule("archive", "space"),
            ExpiryRule("elsewhere", "logs/"),
        ]
        assert [kept.id for kept in touching(found, "spaces/")] == ["all", "dated", "archive"]


class served:  # noqa: N801 - reads as a verb where it is used
    """A small HTTP server on localhost."""

    def __init__(self, handler, port):
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", handler)
        self.runner, self.port = web.AppRunner(app), port

    async def __aenter__(self):
        await self.runner.setup()
        await web.TCPSite(self.runner, "localhost", self.port).start()
        await asyncio.sleep(0)

    async def __aexit__(self, *_):
        await self.runner.cleanup()
