"""What a request needs: built once per process, handed to routes by FastAPI's dependencies."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from modelberth.content.collections import Family
from modelberth.content.layout import StoredObject
from modelberth.registry.caches import AgingCache
from modelberth.registry.callers import Caller, SessionCaller
from modelberth.registry.commit_jobs import CommitJobs
from modelberth.registry.limits import RateLimit
from modelberth.registry.lineage_indexes import LineageIndexes
from modelberth.registry.metrics import RegistryMetrics
from modelberth.registry.namespaces import Namespaces
from modelberth.registry.peers import Peers
from modelberth.registry.pods import Pods
from modelberth.registry.problems import Problem, unavailable
from modelberth.registry.progress import ProgressBoard
from modelberth.registry.resolve import Resolver
from modelberth.registry.run_callers import RunPods
from modelberth.registry.sessions import Sessions
from modelberth.store.connection import Endpoint
from modelberth.store.content_store import ContentStore

TEXT_CACHE_BYTES = 64 * 1024 * 1024
OBJECT_CACHE_ENTRIES = 200_000
MARK_CACHE_ENTRIES = 20_000
_CACHE_SECONDS = 30.0
_PER_SECOND = 200.0
_BURST = 2000.0
_TEXTS_AT_ONCE = 3


@dataclass(frozen=True, slots=True)
class Endpoints:
    """The addresses of the store, as pods and as clients outside the cluster reach it."""

    internal: Endpoint
    external: Endpoint | None = None

    def choose(self, caller: Caller, wanted: str | None) -> Endpoint:
        """The address to sign for.

        Raises:
            Problem: 422 where the one asked for is not configured.
        """
        if wanted == "internal" or (wanted is None and not isinstance(caller, SessionCaller)):
            return self.internal
        if wanted == "external" and self.external is None:
            raise Problem(
                422,
                "NoSuchEndpoint",
                "endpoint: external is not configured; ask for internal or set s3.externalEndpoint",
            )
        return self.external or self.internal


@dataclass(slots=True)
class State:
    """Whether the registry answers, and what is wrong: written by the start-up, read by every request.

    Attributes:
        is_ready: everything needed was proven once.
        problems: sentences for people; may be there although it is ready.
    """

    is_ready: bool = False
    problems: Sequence[str] = ("starting",)


@dataclass(frozen=True, slots=True)
class Backend:
    """What is known only once API server and store have answered: the cluster's uid goes into every space."""

    store: ContentStore
    namespaces: Namespaces
    resolver: Resolver
    lineage: LineageIndexes


def _texts() -> AgingCache[tuple[str, str, str], bytes]:
    return AgingCache(seconds=_CACHE_SECONDS, weight=TEXT_CACHE_BYTES, weigh=len)


def _marks() -> AgingCache[tuple[str, Family, str], bool]:
    return AgingCache(seconds=_CACHE_SECONDS, weight=MARK_CACHE_ENTRIES)


def _objects() -> AgingCache[tuple[str, str], tuple[StoredObject, ...]]:
    return AgingCache(seconds=_CACHE_SECONDS, weight=OBJECT_CACHE_ENTRIES, weigh=len)


@dataclass(slots=True)
class Services:
    """The collaborators of all routes.

    Attributes:
        pods: authenticates pods and asks what they may do.
        sessions: authenticates users.
        runs: tells which run a pod is of.
        endpoints: the store's addresses.
        peers: the other replicas; None for a registry that stands alone.
        backend: None until the start-up is through.
        rate: of requests for content and records, by namespace.
        progress_rate: of reports of progress, which must not keep anybody from loading.
        marks: which families are known to have which content.
        receiving: how many trees and layouts are taken at a time; each may have tens of megabytes.
    """

    pods: Pods
    sessions: Sessions
    runs: RunPods
    endpoints: Endpoints
    metrics: RegistryMetrics
    peers: Peers | None = None
    backend: Backend | None = None
    state: State = field(default_factory=State)
    rate: RateLimit = field(default_factory=lambda: RateLimit(per_second=_PER_SECOND, burst=_BURST))
    progress_rate: RateLimit = field(default_factory=lambda: RateLimit(per_second=_PER_SECOND, burst=_BURST))
    progress: ProgressBoard = field(default_factory=ProgressBoard)
    jobs: CommitJobs = field(default_factory=CommitJobs)
    receiving: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_TEXTS_AT_ONCE))
    marks: AgingCache[tuple[str, Family, str], bool] = field(default_factory=_marks)
    texts: AgingCache[tuple[str, str, str], bytes] = field(default_factory=_texts)
    objects: AgingCache[tuple[str, str], tuple[StoredObject, ...]] = field(default_factory=_objects)

    def ready_backend(self) -> Backend:
        """The backend, while the store is proven to keep its rules.

        Raises:
            Problem: 503, saying what is missing.
        """
        if self.backend is None or not self.state.is_ready:
            raise unavailable("NotReady", "the registry is not ready: " + "; ".join(self.state.problems))
        return self.backend
