"""An API server's answers, and a registry over it and the S3 double."""

from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric import ec

from modelberth.api.names import AUDIENCE
from modelberth.registry.app import create_app
from modelberth.registry.lineage_indexes import LineageIndexes
from modelberth.registry.metrics import RegistryMetrics
from modelberth.registry.namespaces import Namespaces
from modelberth.registry.pods import Pods
from modelberth.registry.resolve import Resolver
from modelberth.registry.run_callers import RunPods
from modelberth.registry.services import Backend, Endpoints, Services, State
from modelberth.registry.sessions import Sessions
from modelberth.registry.tokens import TokenVerifier
from modelberth.runtime.errors import ApiUnavailable
from modelberth.runtime.resources import NAMESPACES, SUBJECT_ACCESS_REVIEWS, TOKEN_REVIEWS
from modelberth.store.connection import Endpoint
from modelberth.store.content_store import ContentStore

ISSUER = "https://issuer.example"
START = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


class FakeKube:
    """Objects by (plural, namespace, name); reviews by a function of their spec."""

    def __init__(self):
        self.objects = {}
        self.asked = []
        self.is_away = False
        self.users = {}
        self.allowed = lambda spec: True

    def put(self, resource, namespace, name, **parts):
        metadata = {"name": name, "namespace": namespace, "uid": f"uid-of-{name}", **parts.pop("metadata", {})}
        self.objects[(resource.plural, namespace, name)] = {"metadata": metadata, **parts}

    def add_namespace(self, name, uid=None):
        self.put(NAMESPACES, None, name, metadata={"uid": uid or f"uid-of-{name}"})

    async def get(self, resource, namespace, name):
        self.asked.append((resource.plural, namespace, name))
        if self.is_away:
            raise ApiUnavailable(0, "NoAnswer", "nobody listens")
        return self.objects.get((resource.plural, namespace, name))

    async def create(self, resource, namespace, body, *, dry_run=False):
        self.asked.append((resource.plural, body["spec"]))
        if self.is_away:
            raise ApiUnavailable(0, "NoAnswer", "nobody listens")
        if resource == TOKEN_REVIEWS:
            user = self.users.get(body["spec"]["token"])
            status = {"authenticated": user is not None, "user": user or {}, "audiences": body["spec"]["audiences"]}
            return {"status": status}
        assert resource == SUBJECT_ACCESS_REVIEWS
        return {"status": {"allowed": self.allowed(body["spec"])}}

    def count(self, resource):
        return sum(asked[0] == resource.plural for asked in self.asked)


class Issuer:
    """The cluster's tokens: a key, its documents, and tokens made with it."""

    def __init__(self):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.kid = "k1"
        self.reads = 0
        self.error = None

    async def issuer(self):
        if self.error:
            raise self.error
        return ISSUER

    async def key_set(self):
        self.reads += 1
        document = jwt.algorithms.ECAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        return {"keys": [{**document, "kid": self.kid, "alg": "ES256", "use": "sig"}]}

    def token(self, *, key=None, kid=None, algorithm="ES256", **claims):
        standard = {
            "iss": ISSUER,
            "aud": [AUDIENCE],
            "sub": "system:serviceaccount:team:default",
            "exp": datetime.now(UTC) + timedelta(hours=1),
        }
        merged = {name: value for name, value in {**standard, **claims}.items() if value is not None}
        return jwt.encode(merged, key or self.key, algorithm=algorithm, headers={"kid": kid or self.kid})


def pod_user(namespace="team", pod="pod-1", account="default"):
    """What a TokenReview says of a pod's token."""
    extra = {
        "authentication.kubernetes.io/pod-name": [pod],
        "authentication.kubernetes.io/pod-uid": [f"uid-of-{pod}"],
    }
    return {
        "username": f"system:serviceaccount:{namespace}:{account}",
        "uid": "account-uid",
        "groups": ["system:serviceaccounts"],
        "extra": extra if pod else {},
    }


class World:
    """A registry with everything around it that a test may turn."""

    def __init__(self, bucket):
        self.kube = FakeKube()
        self.kube.add_namespace("team")
        self.issuer = Issuer()
        self.now = START
        self.elapsed = 0.0
        self.store = ContentStore(bucket, "cluster")
        self.services = Services(
            pods=Pods(self.kube, TokenVerifier(self.issuer), monotonic=lambda: self.elapsed),
            sessions=Sessions(self.kube, now=lambda: self.now, monotonic=lambda: self.elapsed),
            runs=RunPods(self.kube, monotonic=lambda: self.elapsed),
            endpoints=Endpoints(Endpoint("http://inside:9000"), Endpoint("https://outside.example")),
            metrics=RegistryMetrics(),
            backend=Backend(
                self.store,
                Namespaces(self.kube, self.store),
                Resolver(self.kube, self.store),
                LineageIndexes(self.store),
            ),
            state=State(is_ready=True, problems=()),
        )
        self.app = create_app(self.services)

    def pod(self, **user):
        """A pod's Authorization header."""
        token = self.issuer.token(jti=str(len(self.kube.users)))
        self.kube.users[token] = pod_user(**user)
        return {"Authorization": f"Bearer {token}"}

    def client(self, **headers):
        """An HTTP client of the registry."""
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url="http://registry", headers=headers)


@asynccontextmanager
async def world_over(s3):
    """A registry over an S3 double."""
    bucket = s3.bucket()
    world = World(bucket)
    try:
        yield world
    finally:
        await world.services.jobs.close()
        bucket.close()
