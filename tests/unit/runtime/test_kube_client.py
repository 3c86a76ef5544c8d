"""The client against a real HTTP server: what it sends, and what each answer becomes."""

import asyncio

import pytest

from modelberth.runtime.credentials import TokenFile
from modelberth.runtime.errors import (
    AlreadyExists,
    ApiError,
    ApiUnavailable,
    Conflict,
    Forbidden,
    Gone,
    Invalid,
    NotFound,
    TooManyRequests,
    Unauthorized,
)
from modelberth.runtime.kube_client import KubeClient
from modelberth.runtime.resources import DEPLOYMENTS, MODEL_VERSIONS, NAMESPACES, PODS, TOKEN_REVIEWS
from tests.unit.runtime.api_server import answering, ok, status, text
from tests.unit.runtime.fakes import FakeClock

POD = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "ns"}}


class TestReading:
    async def test_get_returns_the_object(self):
        """One GET on the object's own path."""
        async with answering(ok(POD)) as server, KubeClient(server.connection()) as kube:
            assert await kube.get(PODS, "ns", "p") == POD
        assert (server.asked[0].method, server.asked[0].path) == ("GET", "/api/v1/namespaces/ns/pods/p")

    async def test_get_of_nothing_is_none(self):
        """404 is an answer, not an error."""
        async with answering(status(404, "NotFound", "no")) as server, KubeClient(server.connection()) as kube:
            assert await kube.get(NAMESPACES, None, "gone") is None

    async def test_list_follows_the_pages_and_names_the_kind(self):
        """Items come without apiVersion and kind from the server, never from here."""
        pages = [
            ok({"metadata": {"continue": "next"}, "items": [{"metadata": {"name": "a"}}]}),
            ok({"metadata": {}, "items": [{"metadata": {"name": "b"}}]}),
        ]
        async with answering(*pages) as server, KubeClient(server.connection()) as kube:
            objects = await kube.list(DEPLOYMENTS, labels={"b": "2", "a": "1"}, fields="metadata.name!=x")
        assert [obj["metadata"]["name"] for obj in objects] == ["a", "b"]
        assert {(obj["apiVersion"], obj["kind"]) for obj in objects} == {("apps/v1", "Deployment")}
        assert server.asked[0].path == "/apis/apps/v1/deployments"
        assert server.asked[0].query == {
            "limit": "500",
            "labelSelector": "a=1,b=2",
            "fieldSelector": "metadata.name!=x",
        }
        assert server.asked[1].query["continue"] == "next"

    async def test_expired_pages_are_asked_for_at_once(self):
        """A list whose pages expired on the way starts over, unpaged, and holds nothing twice."""
        pages = [
            ok({"metadata": {"continue": "next"}, "items": [{"metadata": {"name": "a"}}]}),
            status(410, "Expired", "too old"),
            ok({"metadata": {}, "items": [{"metadata": {"name": "a"}}, {"metadata": {"name": "b"}}]}),
        ]
        async with answering(*pages) as server, KubeClient(server.connection()) as kube:
            objects = await kube.list(MODEL_VERSIONS, "ns")
        assert [obj["metadata"]["name"] for obj in objects] == ["a", "b"]
        assert server.asked[2].query == {}


class TestWriting:
    async def test_create_refuses_unknown_fields(self):
        """A misspelt field comes back as an error, never as an object that lacks it."""
        async with answering(ok(POD)) as server, KubeClient(server.connection()) as kube:
            await kube.create(PODS, "ns", {"metadata": {"name": "p"}}, dry_run=True)
        asked = server.asked[0]
        assert (asked.method, asked.path) == ("POST", "/api/v1/namespaces/ns/pods")
        assert asked.query == {"fieldValidation": "Strict", "dryRun": "All"}
        assert asked.body == POD

    async def test_create_of_a_review_needs_no_name(self):
        """Reviews are cluster-scoped and nameless."""
        async with answering(ok({"status": {}})) as server, KubeClient(server.connection()) as kube:
            await kube.create(TOKEN_REVIEWS, None, {"spec": {"token": "t"}})
        assert server.asked[0].path == "/apis/authentication.k8s.io/v1/tokenreviews"
        assert "metadata" not in server.asked[0].body

    async def test_apply_is_server_side(self):
        """The body goes out as an apply patch under the manager's name, with its preconditions and its identity."""
        async with answering(ok(POD)) as server, KubeClient(server.connection()) as kube:
            body = {"metadata": {"uid": "u", "resourceVersion": "7"}, "status": {"x": 1}}
            await kube.apply(MODEL_VERSIONS, "ns", "v1", body, manager="modelberth/x", subresource="status")
        asked = server.asked[0]
        assert (asked.method, asked.path) == (
            "PATCH",
            "/apis/modelberth.io/v1alpha1/namespaces/ns/modelversions/v1/status",
        )
        assert asked.headers["Content-Type"] == "application/apply-patch+yaml"
        assert asked.query == {"fieldValidation": "Strict", "fieldManager": "modelberth/x", "force": "true"}
        assert asked.body["metadata"] == {"name": "v1", "namespace": "ns", "uid": "u", "resourceVersion": "7"}
        assert (asked.body["apiVersion"], asked.body["kind"]) == ("modelberth.io/v1alpha1", "ModelVersion")

    async def test_delete_carries_what_was_observed(self):
        """Preconditions go into the options; that the object is gone is fine."""
        async with answering(status(404, "NotFound", "gone")) as server, KubeClient(server.connection()) as kube:
            await kube.delete(PODS, "ns", "p", uid="u", resource_version="7")
        assert server.asked[0].body["preconditions"] == {"uid": "u", "resourceVersion": "7"}


WORDS = "the server's own words"
REFUSALS = [
    (status(400, "BadRequest", WORDS), Invalid),
    (status(401, "Unauthorized", WORDS), Unauthorized),
    (status(403, "Forbidden", WORDS), Forbidden),
    (status(404, "NotFound", WORDS), NotFound),
    (status(409, "AlreadyExists", WORDS), AlreadyExists),
    (status(409, "Conflict", WORDS), Conflict),
    (status(410, "Expired", WORDS), Gone),
    (status(422, "Invalid", WORDS, causes=[{"field": "spec.x"}]), Invalid),
    (status(422, "Invalid", WORDS, causes=[{"field": "metadata.uid"}]), Conflict),
    (status(429, "TooManyRequests", WORDS, headers={"Retry-After": "7"}), TooManyRequests),
    (status(500, "InternalError", WORDS), ApiUnavailable),
    (status(503, "ServiceUnavailable", WORDS), ApiUnavailable),
    (text(502, WORDS), ApiUnavailable),
    (status(405, "MethodNotAllowed", WORDS), ApiError),
]


class TestRefusals:
    @pytest.mark.parametrize(("answer", "error"), REFUSALS)
    async def test_each_refusal_is_its_own_error_with_the_servers_words(self, answer, error):
        """Reconcilers tell refusals apart by type, users read the API server's own sentence."""
        async with answering(answer) as server, KubeClient(server.connection()) as kube:
            with pytest.raises(ApiError) as caught:
                await kube.create(PODS, "ns", POD)
        assert type(caught.value) is error
        assert caught.value.message == WORDS

    async def test_shed_load_says_when_to_come_back(self):
        """Retry-After counts in seconds; a date or none is one second."""
        for header, seconds in [({"Retry-After": "7"}, 7), ({}, 1), ({"Retry-After": "Wed, 21 Oct 2026"}, 1)]:
            answer = status(429, "TooManyRequests", WORDS, headers=header)
            async with answering(answer) as server, KubeClient(server.connection()) as kube:
                with pytest.raises(TooManyRequests) as caught:
                    await kube.get(PODS, "ns", "p")
            assert caught.value.retry_after == seconds

    async def test_no_server_is_unavailable(self):
        """A refused connection names the server, with status 0."""
        async with answering(ok({})) as server:
            connection = server.connection()
        async with KubeClient(connection) as kube:
            with pytest.raises(ApiUnavailable, match=connection.server) as caught:
                await kube.list(PODS)
        assert caught.value.status == 0

    async def test_no_answer_in_time_is_unavailable(self):
        """A server that accepts and says nothing does not hold a worker for ever."""
        async with answering(ok({})) as server, KubeClient(server.connection(), request_seconds=0.05) as kube:
            server.hang = asyncio.Event()
            with pytest.raises(ApiUnavailable, match="no answer in time"):
                await kube.get(PODS, "ns", "p")

    async def test_something_else_that_answers_is_unavailable(self):
        """A login page with status 200 is no object."""
        async with answering(text(200, "<html>")) as server, KubeClient(server.connection()) as kube:
            with pytest.raises(ApiUnavailable, match="no JSON object"):
                await kube.get(PODS, "ns", "p")


class TestIdentity:
    async def test_a_rotated_token_is_sent_after_a_refusal(self, tmp_path):
        """401 makes the client read the token again and ask once more, unseen by the caller."""
        file = tmp_path / "token"
        file.write_text("old\n")

        def only_new(asked):
            good = asked.headers.get("Authorization") == "Bearer new"
            return ok(POD)(asked) if good else status(401, "Unauthorized", "no")(asked)

        credentials = TokenFile(file, clock=FakeClock())
        async with answering(ok(POD), only_new) as server, KubeClient(server.connection(credentials)) as kube:
            await kube.get(PODS, "ns", "p")
            file.write_text("new\n")
            assert await kube.get(PODS, "ns", "p") == POD
        assert [asked.headers["Authorization"] for asked in server.asked] == ["Bearer old", "Bearer old", "Bearer new"]

    async def test_a_refusal_that_stays_is_told(self):
        """The second 401 is the caller's; there is no third try."""
        async with answering(status(401, "Unauthorized", "no")) as server, KubeClient(server.connection()) as kube:
            with pytest.raises(Unauthorized):
                await kube.get(PODS, "ns", "p")
        assert len(server.asked) == 2

    async def test_missing_credentials_are_an_error_of_their_own(self, tmp_path):
        """Without a token nothing is sent at all."""
        credentials = TokenFile(tmp_path / "missing")
        async with answering(ok(POD)) as server, KubeClient(server.connection(credentials)) as kube:
            with pytest.raises(Unauthorized, match="missing"):
                await kube.get(PODS, "ns", "p")
        assert server.asked == []

    async def test_every_answer_is_counted(self):
        """Method, host and code of each request reach the observer, also when there was no answer."""
        seen = []
        async with answering(ok(POD)) as server:
            async with KubeClient(server.connection(), observe=lambda *what: seen.append(what)) as kube:
                await kube.get(PODS, "ns", "p")
            connection = server.connection()
        async with KubeClient(connection, observe=lambda *what: seen.append(what)) as kube:
            with pytest.raises(ApiUnavailable):
                await kube.get(PODS, "ns", "p")
        assert seen == [("GET", "127.0.0.1", "200"), ("GET", "127.0.0.1", "<error>")]
