"""From a process to a registry that answers: cluster, keys, store, each tried until it is there.

Requests are refused with the reasons meanwhile. Once proven, a store that goes away only makes requests fail for as
long; what it *is* is looked at again from time to time, and a store that has become unsafe is not used any more.
"""

import asyncio
import logging

from modelberth.registry.lineage_indexes import MEMORY, LineageIndexes
from modelberth.registry.namespaces import SYSTEM_NAMESPACE, Namespaces, uid_of
from modelberth.registry.resolve import Resolver
from modelberth.registry.services import Backend, Services, State
from modelberth.registry.tokens import TokenVerifier
from modelberth.runtime.errors import ApiError
from modelberth.runtime.kube import KubeApi
from modelberth.store.bucket import Bucket
from modelberth.store.content_store import ContentStore
from modelberth.store.errors import StoreError, StoreUnavailable
from modelberth.store.probe import Report, probe

AGAIN_SECONDS = 600.0
_FIRST_WAIT = 0.5
_LONGEST_WAIT = 15.0

log = logging.getLogger(__name__)


class Startup:
    """Brings the services up and keeps an eye on the store.

    Args:
        services: told what was found.
        kube: the API server.
        verifier: of pods' tokens.
        bucket: the store.
        lineage_memory: for the indexes of lineage, in bytes.
    """

    def __init__(
        self,
        services: Services,
        *,
        kube: KubeApi,
        verifier: TokenVerifier,
        bucket: Bucket,
        lineage_memory: int = MEMORY,
    ) -> None:
        self._lineage_memory = lineage_memory
        self._services = services
        self._kube = kube
        self._verifier = verifier
        self._bucket = bucket
        self._reading: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Go on until cancelled."""
        wait = _FIRST_WAIT
        while True:
            await self.look()
            is_ready = self._services.state.is_ready
            backend = self._services.backend
            if is_ready and backend is not None and self._reading is None:
                self._reading = asyncio.create_task(_read_ahead(backend))
            wait = AGAIN_SECONDS if is_ready else min(wait * 2, _LONGEST_WAIT)
            await asyncio.sleep(wait)
            if is_ready:
                wait = _FIRST_WAIT

    async def look(self) -> None:
        """Try everything once."""
        services = self._services
        try:
            if services.backend is None:
                services.backend = await self._connect()
            report = await probe(self._bucket)
        except StoreUnavailable as error:
            self._say(is_ready=services.state.is_ready, problems=(str(error),))
        except StoreError as error:
            self._say(is_ready=False, problems=(str(error),))
        except ApiError as error:
            self._say(is_ready=False, problems=(f"the API server does not answer the registry: {error.message}",))
        except Exception as error:  # a bug, or keys of a kind nobody knows: ending here would be seen by nobody
            log.exception("the start-up failed and is tried again")
            self._say(
                is_ready=services.state.is_ready,
                problems=(f"the start-up failed ({type(error).__name__}); see the log",),
            )
        else:
            self._judge(report)

    async def _connect(self) -> Backend:
        await self._verifier.refresh()
        uid = await uid_of(self._kube, SYSTEM_NAMESPACE)
        if uid is None:
            raise StoreError(f"there is no namespace {SYSTEM_NAMESPACE}: its uid is the cluster's name in the store")
        store = ContentStore(self._bucket, uid)
        lineage = LineageIndexes(store, memory=self._lineage_memory)
        return Backend(store, Namespaces(self._kube, store), Resolver(self._kube, store), lineage)

    def _judge(self, report: Report) -> None:
        self._say(is_ready=report.usable, problems=report.problems)

    def _say(self, *, is_ready: bool, problems: tuple[str, ...]) -> None:
        before = self._services.state
        if (before.is_ready, tuple(before.problems)) != (is_ready, problems):
            level = logging.INFO if is_ready and not problems else logging.WARNING
            log.log(level, "ready" if is_ready else "not ready", extra={"problems": list(problems)})
        self._services.state = State(is_ready, problems)
        self._services.metrics.ready.set(1 if is_ready else 0)


async def _read_ahead(backend: Backend) -> None:
    """Have lineage ready before somebody asks, however often store or API server go away meanwhile."""
    wait = _LONGEST_WAIT
    while True:
        try:
            await backend.lineage.read_ahead(backend.namespaces.with_space())
        except (StoreError, ApiError) as error:
            log.info("lineage is not read ahead yet", extra={"why": str(error), "seconds": wait})
        else:
            return
        await asyncio.sleep(wait)
        wait = min(wait * 2, AGAIN_SECONDS)
