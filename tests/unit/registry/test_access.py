"""Who is answered: tokens, sessions, rights, and what each costs the API server."""

import hashlib
from datetime import timedelta

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from modelberth.registry.callers import PodCaller
from modelberth.registry.pods import NEGATIVE_SECONDS
from modelberth.registry.problems import Problem
from modelberth.registry.tokens import TokenVerifier
from modelberth.runtime.errors import ApiUnavailable
from modelberth.runtime.resources import NAMESPACES, SUBJECT_ACCESS_REVIEWS, TOKEN_REVIEWS, TRANSFER_SESSIONS
from tests.unit.registry.fakes import Issuer, pod_user

DIGEST = "sha256:" + "0" * 64
TREE = f"/v1/namespaces/team/content/{DIGEST}/tree"
SECRET = "s" * 64


def add_session(world, operation="Pull", name="mine", namespace="team", **spec):
    complete = {
        "operation": operation,
        "secretHash": hashlib.sha256(SECRET.encode()).hexdigest(),
        "ttlSeconds": 600,
        "user": "alice",
        **spec,
    }
    world.kube.put(
        TRANSFER_SESSIONS, namespace, name, metadata={"creationTimestamp": "2026-11-21T09:00:00Z"}, spec=complete
    )
    return {"Modelberth-Session": f"{name}.{SECRET}"}


class TestVerifier:
    @pytest.mark.parametrize(
        "changed",
        [
            {"iss": "https://elsewhere"},
            {"aud": ["other"]},
            {"aud": ["modelberth", "https://kubernetes.default.svc"]},
            {"aud": None},
            {"exp": 1},
            {"exp": None},
            {"sub": None},
        ],
        ids=str,
    )
    async def test_claims(self, changed):
        """Another issuer, another or a second audience, no or a passed expiry, nobody named: each is refused."""
        issuer = Issuer()
        with pytest.raises(Problem, match="401"):
            await TokenVerifier(issuer).claims(issuer.token(**changed))

    async def test_a_good_one(self):
        """The cluster's own token for our audience is good, whether the audience is a list or a string."""
        issuer = Issuer()
        verifier = TokenVerifier(issuer)
        for audience in (["modelberth"], "modelberth"):
            assert (await verifier.claims(issuer.token(aud=audience)))["iss"] == "https://issuer.example"

    async def test_other_keys_and_algorithms(self):
        """A token of another key, without a signature, with a symmetric one, or that is none at all, is refused."""
        issuer = Issuer()
        verifier = TokenVerifier(issuer)
        unsigned = jwt.encode({"aud": "modelberth"}, "", algorithm="none", headers={"kid": "k1"})
        for token in (
            issuer.token(key=ec.generate_private_key(ec.SECP256R1())),
            issuer.token(key="k" * 32, algorithm="HS256"),
            unsigned,
            "no token",
            "a.b.c",
            "x" * 100_000,
        ):
            with pytest.raises(Problem, match="401"):
                await verifier.claims(token)

    async def test_rotated_keys(self):
        """A new key is found by reading the documents again; forged key names make that happen once in a while only."""
        now = [0.0]
        issuer = Issuer()
        verifier = TokenVerifier(issuer, monotonic=lambda: now[0])
        await verifier.claims(issuer.token())
        for number in range(20):
            with pytest.raises(Problem):
                await verifier.claims(issuer.token(kid=f"forged-{number}"))
        assert issuer.reads == 1
        issuer.key, issuer.kid = ec.generate_private_key(ec.SECP256R1()), "k2"
        now[0] = 11.0
        await verifier.claims(issuer.token())
        assert issuer.reads == 2

    async def test_documents_away(self):
        """While the documents cannot be read, known keys go on counting and unknown ones are an outage, not a 401."""
        now = [0.0]
        issuer = Issuer()
        verifier = TokenVerifier(issuer, monotonic=lambda: now[0])
        await verifier.claims(issuer.token())
        issuer.error = ApiUnavailable(0, "NoAnswer", "away")
        now[0] = 10_000.0
        await verifier.claims(issuer.token())
        with pytest.raises(ApiUnavailable):
            await verifier.claims(issuer.token(kid="new"))


class TestPods:
    async def test_nobody(self, world):
        """Without any proof, or with another scheme, the answer is 401 and nothing is asked of the API server."""
        for headers in (
            {},
            {"Authorization": "Basic abc"},
            {"Authorization": "Bearer "},
            {"Authorization": "Bearer x"},
        ):
            async with world.client(**headers) as http:
                answer = await http.get(TREE)
            assert (answer.status_code, answer.json()["error"]["code"]) == (401, "Unauthorized")
        assert world.kube.asked == []

    async def test_reviews_are_remembered(self, world):
        """A yes counts for thirty seconds: a hundred requests of a pod cost one review of each kind."""
        async with world.client(**world.pod()) as http:
            for _ in range(100):
                assert (await http.get(TREE)).status_code == 404
        assert world.kube.count(TOKEN_REVIEWS) == world.kube.count(SUBJECT_ACCESS_REVIEWS) == 1

    async def test_a_no_is_remembered_for_seconds(self, world):
        """Who is refused and asks again and again costs one review; a right that is given takes effect soon."""
        world.kube.allowed = lambda spec: False
        async with world.client(**world.pod()) as http:
            for _ in range(20):
                assert (await http.get(TREE)).status_code == 403
            assert world.kube.count(SUBJECT_ACCESS_REVIEWS) == 1
            world.kube.allowed = lambda spec: True
            world.elapsed += NEGATIVE_SECONDS
            assert (await http.get(TREE)).status_code == 404

    async def test_asking_for_every_namespace_ends(self, world):
        """A pod that is refused everywhere is told to wait; its neighbours are not held up."""
        world.kube.allowed = lambda spec: spec["resourceAttributes"]["namespace"] == "team"
        prober, neighbour = world.pod(pod="prober"), world.pod(pod="neighbour")
        async with world.client(**prober) as http:
            answers = [await http.get(TREE.replace("team", f"team-{number}")) for number in range(60)]
        assert [answer.status_code for answer in answers] == [403] * 50 + [429] * 10
        assert int(answers[-1].headers["Retry-After"]) >= 1
        async with world.client(**neighbour) as http:
            assert (await http.get(TREE)).status_code == 404

    async def test_unauthenticated_by_the_api_server(self, world):
        """A well-signed token that the API server does not vouch for (its pod is gone) is refused."""
        async with world.client(Authorization=f"Bearer {world.issuer.token()}") as http:
            assert (await http.get(TREE)).status_code == 401

    async def test_what_is_asked(self, world):
        """The review asks for get on modelversions/content, with the group of the namespace's own pods for them only."""
        specs = []
        world.kube.allowed = lambda spec: specs.append(spec) or True
        world.kube.add_namespace("other")
        for user in ({}, {"namespace": "other"}, {"pod": ""}):
            async with world.client(**world.pod(**user)) as http:
                await http.get(TREE)
        attributes = {
            "group": "modelberth.io",
            "resource": "modelversions",
            "subresource": "content",
            "verb": "get",
            "namespace": "team",
        }
        assert [spec["resourceAttributes"] for spec in specs] == [attributes] * 3
        synthetic = ["modelberth.io:namespace-pods" in spec["groups"] for spec in specs]
        assert synthetic == [True, False, False]

    async def test_the_namespace_is_not_told(self, world):
        """Who may not read in a namespace is not told whether it exists."""
        world.kube.allowed = lambda spec: False
        async with world.client(**world.pod()) as http:
            answers = [await http.get(TREE.replace("team", name)) for name in ("team", "nope")]
        assert {answer.status_code for answer in answers} == {403}
        assert answers[0].text.replace("'team'", "'nope'") == answers[1].text

    async def test_pods_do_not_push(self, world):
        """A pod's token reserves nothing: that needs a session."""
        async with world.client(**world.pod()) as http:
            answer = await http.post("/v1/namespaces/team/artifacts/a/versions", json={"digest": DIGEST})
        assert (answer.status_code, "TransferSession" in answer.text) == (403, True)

    async def test_the_api_server_is_away(self, world):
        """While the API server does not answer the answer is 503 with a time to wait; remembered pods go on."""
        known, unknown = world.pod(), world.pod()
        async with world.client(**known) as http:
            await http.get(TREE)
            world.kube.is_away = True
            assert (await http.get(TREE)).status_code == 404
        async with world.client(**unknown) as http:
            answer = await http.get(TREE)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")

    def test_who_is_no_account(self):
        """A user that is no service account has no namespace, so no pods of it."""
        caller = PodCaller.from_review({**pod_user(), "username": "team:default"})
        assert caller.namespace == ""


class TestSessions:
    async def test_good(self, world):
        """A Pull session reads; what it costs is one object read, remembered."""
        async with world.client(**add_session(world)) as http:
            for _ in range(20):
                assert (await http.get(TREE)).status_code == 404
        assert world.kube.count(TRANSFER_SESSIONS) == 1

    @pytest.mark.parametrize(
        "header", ["mine", "mine.", ".secret", "mine.wrong", "other." + SECRET, "../x." + SECRET, "mine." + "x" * 600]
    )
    async def test_wrong(self, world, header):
        """No, another or an oversized secret, another name, a name that climbs: all get the same 401."""
        add_session(world)
        async with world.client(**{"Modelberth-Session": header}) as http:
            answer = await http.get(TREE)
        async with world.client() as http:
            assert (answer.status_code, answer.text) == (401, (await http.get(TREE)).text)

    async def test_over(self, world):
        """A session counts until its time is up, however it was remembered; a deleted one does not count."""
        header = add_session(world)
        world.now += timedelta(seconds=600)
        async with world.client(**header) as http:
            assert (await http.get(TREE)).status_code == 401
        world.now -= timedelta(seconds=1)
        world.kube.objects[("transfersessions", "team", "mine")]["metadata"]["deletionTimestamp"] = "now"
        async with world.client(**header) as http:
            assert (await http.get(TREE)).status_code == 401

    async def test_elsewhere(self, world):
        """A session of another namespace is unknown here."""
        world.kube.add_namespace("other")
        async with world.client(**add_session(world, namespace="other")) as http:
            assert (await http.get(TREE)).status_code == 401

    async def test_of_a_newer_program(self, world):
        """A session with fields that we do not know is not counted: it may forbid what we would allow."""
        async with world.client(**add_session(world, onlyOnSundays=True)) as http:
            assert (await http.get(TREE)).status_code == 401

    async def test_guessing_is_slowed_down(self, world):
        """After some wrong sessions a namespace's unknown sessions are answered 429 without asking the API server."""
        good = add_session(world)
        async with world.client(**good) as http:
            await http.get(TREE)
        statuses = []
        for number in range(60):
            async with world.client(**{"Modelberth-Session": f"guess{number}.{SECRET}"}) as http:
                statuses.append((await http.get(TREE)).status_code)
        assert statuses == [401] * 50 + [429] * 10
        async with world.client(**good) as http:
            assert (await http.get(TREE)).status_code == 404

    async def test_for_the_registry_only(self, world):
        """A session does not open what belongs to no namespace."""
        async with world.client(**add_session(world)) as http:
            assert (await http.get("/v1/progress")).status_code == 401


class TestNamespaces:
    async def test_made_again(self, world, monkeypatch):
        """A namespace with another uid is another space: old content is not there."""
        now = [0.0]
        world.services.backend.namespaces._uids._monotonic = lambda: now[0]
        space = await world.services.backend.namespaces.space("team")
        summary = await world.store.put_inline(space, {"old": b"old"})
        await world.store.mark_content(space, "models", summary.digest)
        path = TREE.replace(DIGEST, summary.digest)
        async with world.client(**world.pod()) as http:
            assert (await http.get(path)).status_code == 200
            world.kube.add_namespace("team", uid="another")
            now[0] = 2.0
            assert (await http.get(path)).status_code == 404

    async def test_none(self, world):
        """Who may read in a namespace that is not there is told so."""
        world.kube.objects.pop((NAMESPACES.plural, None, "team"))
        async with world.client(**world.pod()) as http:
            answer = await http.get(TREE)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "NamespaceNotFound")

    async def test_a_namespace_that_asks_too_much(self, world, monkeypatch):
        """Beyond its rate a namespace is answered 429 with the time to wait; others are not affected."""
        world.kube.add_namespace("other")
        monkeypatch.setattr(world.services.rate, "_burst", 3.0)
        monkeypatch.setattr(world.services.rate, "_per_second", 0.001)
        async with world.client(**world.pod()) as http:
            statuses = [(await http.get(TREE)).status_code for _ in range(4)]
            assert statuses == [404, 404, 404, 429]
            assert (await http.get(TREE.replace("team", "other"))).status_code == 404
