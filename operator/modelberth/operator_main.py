"""The operator's process: everything is put together in here, and nothing is decided.

What runs, from the start to the end of the process, in one event loop:

| part        | does                                                                        | in the standby too |
|-------------|-----------------------------------------------------------------------------|--------------------|
| endpoints   | metrics and health                                                          | yes                |
| watcher     | feeds the cache (kopf, in a thread of its own)                              | yes                |
| comparer    | compares the cache with complete lists                                      | yes                |
| recorder    | sends events                                                                | yes                |
| election    | takes the Lease, and while it has it lets the workers run                   | it waits           |
| workers     | take keys from the queue and reconcile them                                 | no                 |

Neither an API server nor a store that is away ends it: what needs them is tried again.
"""

import asyncio
import logging
import signal
import sys
from collections.abc import Awaitable, Coroutine, Iterator

from modelberth.api import names
from modelberth.domain.model_deployment import Surroundings
from modelberth.reconcile import mapping, wiring
from modelberth.runtime.cache import Cache
from modelberth.runtime.certificate_keeper import CONTROLLER as CERTIFICATES
from modelberth.runtime.certificate_keeper import CertificateKeeper
from modelberth.runtime.clock import Clock, SystemClock
from modelberth.runtime.connection import ConfigurationError, Connection
from modelberth.runtime.credentials import CredentialsError
from modelberth.runtime.endpoints import serve_endpoints
from modelberth.runtime.errors import ApiError
from modelberth.runtime.events import EventRecorder, recording
from modelberth.runtime.health import Health
from modelberth.runtime.kube import KubeApi
from modelberth.runtime.kube_client import KubeClient
from modelberth.runtime.kubeconfig import load_connection
from modelberth.runtime.lease import LeaderElection
from modelberth.runtime.loader_progress import LoaderProgressClient
from modelberth.runtime.logging import configure_logging
from modelberth.runtime.metrics import Item, Metrics
from modelberth.runtime.queue import WorkQueue
from modelberth.runtime.resources import (
    CONTROLLER_REVISIONS,
    DEPLOYMENTS,
    MODEL_DEPLOYMENTS,
    NAMESPACES,
    POD_TEMPLATES,
    PODS,
    REGISTERED_MODELS,
    REPLICA_SETS,
    SERVICES,
    TRAINING_RUNS,
    Key,
    Object,
    Resource,
)
from modelberth.runtime.settings import Settings, SettingsError, StoreSettings
from modelberth.runtime.watches import Comparer, Feed, MakeWatcher, Watch, WatchSinks
from modelberth.runtime.workers import Workers
from modelberth.store.bucket import Bucket
from modelberth.store.content_store import ContentStore, open_bucket
from modelberth.store.errors import StoreError

_RETRY_SECONDS = 2.0
_FLUSH_SECONDS = 2.0
_STORE_REST_SECONDS = 5.0
_MANAGED = {names.LABEL_MANAGED_BY: names.MANAGED_BY}
_LABELS = {
    DEPLOYMENTS: _MANAGED,
    REPLICA_SETS: _MANAGED,
    SERVICES: _MANAGED,
    CONTROLLER_REVISIONS: _MANAGED,
    PODS: {names.LABEL_COMPONENT: names.COMPONENT_TRAINING},
    POD_TEMPLATES: {names.LABEL_TEMPLATE: names.TEMPLATE_ALLOWED},
}
WATCHES = tuple(Watch(resource, _LABELS.get(resource, {})) for resource in wiring.WATCHED)
"""What the operator watches. Of what others make, only what carries our label: clusters are full of Deployments."""
_SERVING = (MODEL_DEPLOYMENTS, REGISTERED_MODELS)

log = logging.getLogger(__name__)


def run_operator(make_watcher: MakeWatcher) -> int:
    """Run until SIGTERM or SIGINT; the exit status: 0 after a signal, 2 for wrong settings, 1 for anything else."""
    try:
        settings = Settings.from_environment()
        configure_logging(settings.log_level)
        connection = load_connection()
        bucket = _bucket(settings.store)
    except (SettingsError, ConfigurationError, CredentialsError) as error:
        sys.stderr.write(f"modelberth operator: {error}\n")
        return 2
    return asyncio.run(_until_signalled(operate(settings, connection, bucket, make_watcher)))


def _bucket(store: StoreSettings) -> Bucket:
    try:
        return open_bucket(
            endpoint=store.endpoint,
            bucket=store.bucket,
            region=store.region,
            access_key_file=store.access_key_file,
            secret_key_file=store.secret_key_file,
            ca_file=store.ca_file,
            rest_seconds=_STORE_REST_SECONDS,
        )
    except ValueError as error:
        raise SettingsError(f"MODELBERTH_STORE_ENDPOINT: {error}") from error
    except OSError as error:
        raise SettingsError(f"MODELBERTH_STORE_CA_FILE: {store.ca_file}: {error.strerror}") from error


async def _until_signalled(operation: Coroutine[None, None, None]) -> int:
    operating = asyncio.ensure_future(operation)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, operating.cancel)
    try:
        await operating
    except asyncio.CancelledError:
        log.info("stopped by a signal")
        return 0
    except Exception:
        log.exception("the operator ends because one of its parts ended")
    return 1


async def operate(settings: Settings, connection: Connection, bucket: Bucket, make_watcher: MakeWatcher) -> None:
    """Run the operator until cancelled.

    Raises:
        Exception: a part that is to run for ever ended: a bug, or a port that is taken.
    """
    clock = SystemClock()
    metrics = Metrics(clock=clock)
    queue: WorkQueue[Item] = WorkQueue(clock=clock, hooks=metrics.queue)
    metrics.queue.watch(queue)
    async with KubeClient(connection, observe=metrics.request_done) as kube:
        election = LeaderElection(
            kube=kube,
            clock=clock,
            namespace=settings.namespace,
            name=settings.lease_name,
            identity=settings.identity,
        )
        metrics.leader.labels(settings.lease_name).set_function(lambda: float(election.leading))
        health = Health(clock=clock, queue=queue, leading=lambda: election.leading)
        async with serve_endpoints(port=settings.metrics_port, metrics=metrics, health=health) as port:
            log.info("serving metrics and health", extra={"port": port})
            operator = _Operator(
                settings=settings,
                kube=kube,
                clock=clock,
                metrics=metrics,
                queue=queue,
                health=health,
                bucket=bucket,
                cluster_uid=await _cluster_uid(kube),
            )
            await operator.run(connection, make_watcher, election)


async def _cluster_uid(kube: KubeApi) -> str:
    """The uid of the namespace kube-system, which names the cluster; waits for an API server that is away."""
    while True:
        try:
            namespace = await kube.get(NAMESPACES, None, "kube-system")
            if namespace is not None:
                return str(namespace["metadata"]["uid"])
            log.warning("the namespace kube-system is not there (yet)")
        except ApiError as error:
            log.warning("the API server does not answer (yet)", extra={"error": str(error)})
        await asyncio.sleep(_RETRY_SECONDS)


async def _as_part(sending: Awaitable[None]) -> None:
    """A part of the process: its end, whatever it is, ends the others."""
    await sending


class _Operator:
    """The parts of one process, once the API server has answered."""

    def __init__(
        self,
        *,
        settings: Settings,
        kube: KubeApi,
        clock: Clock,
        metrics: Metrics,
        queue: WorkQueue[Item],
        health: Health,
        bucket: Bucket,
        cluster_uid: str,
    ) -> None:
        self._settings = settings
        self._metrics = metrics
        self._queue = queue
        self._health = health
        self._cache = Cache()
        self._recorder = EventRecorder(kube=kube, clock=clock, instance=settings.identity)
        self._keeper = CertificateKeeper(
            kube=kube,
            clock=clock,
            namespace=settings.namespace,
            service=settings.registry_service,
            changed=self._trust_changed,
        )
        self._wiring = wiring.build(
            kube=kube,
            cache=self._cache,
            store=ContentStore(bucket, cluster_uid),
            recorder=self._recorder,
            clock=clock,
            progress=LoaderProgressClient(
                registry_url=settings.registry_url,
                token_file=settings.registry_token_file,
                ca_bundle=lambda: self._keeper.known_bundle,
                clock=clock,
            ),
            metrics=metrics.alias_moves,
            run_metrics=metrics.runs,
            surroundings=self._surroundings,
        )
        self._workers = Workers(
            queue=queue,
            reconcilers={**self._wiring.reconcilers, CERTIFICATES: self._keeper},
            metrics=metrics,
            clock=clock,
            count=settings.workers,
            expected=(ApiError, StoreError),
        )
        self._comparer = Comparer(
            kube=kube,
            cache=self._cache,
            watches=WATCHES,
            namespaces=settings.watch_namespaces,
            missed=lambda resource, count: metrics.missed_events.labels(resource).inc(count),
            compared=self._compared,
        )
        self._complete = asyncio.Event()
        self._cache.subscribe(self._changed)

    async def run(self, connection: Connection, make_watcher: MakeWatcher, election: LeaderElection) -> None:
        """Run all parts until cancelled; the first that ends, ends all."""
        for watch in WATCHES:
            for namespace in self._settings.watch_namespaces or (None,):
                self._health.expect_watch(watch.where(namespace))
        watcher = make_watcher(
            connection=connection,
            watches=WATCHES,
            namespaces=self._settings.watch_namespaces,
            sinks=self._sinks(),
            observe=self._metrics.request_done,
        )
        watcher.start()
        try:
            async with recording(self._recorder, flush_seconds=_FLUSH_SECONDS) as sending, asyncio.TaskGroup() as group:
                group.create_task(self._comparer.run(), name="comparer")
                group.create_task(election.run(self._act), name="election")
                group.create_task(_as_part(sending), name="recorder")
        finally:
            await watcher.stop()

    async def _act(self) -> None:
        """What the leader does: certificates first, then everything there is, then whatever changes."""
        await self._certify()
        await self._complete.wait()
        self._queue.add((CERTIFICATES, self._keeper.key))
        for item in self._everything():
            self._queue.add(item, background=True)
        await self._workers.run()

    async def _certify(self) -> None:
        """Have the certificates before anything else: the registry starts with them, and every roll needs them."""
        while True:
            try:
                await self._keeper.reconcile(self._keeper.key)
            except ApiError as error:
                log.warning("the registry's certificates are not there (yet)", extra={"error": str(error)})
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                return

    def _everything(self) -> Iterator[Item]:
        """All there is to look at, what serves before what lies in the store."""
        for resource in sorted(wiring.WATCHED, key=lambda each: each not in _SERVING):
            for obj in self._cache.list(resource):
                yield from self._wiring.keys_for(resource, None, obj)

    def _sinks(self) -> WatchSinks:
        feed = Feed(self._cache)

        def trying() -> None:
            for name in self._health.watch_ages():
                self._health.watch_alive(name)

        return WatchSinks(
            event=feed.take,
            alive=self._health.watch_alive,
            began=self._comparer.ask,
            trying=trying,
            restarted=self._metrics.watch_restarts.inc,
        )

    def _changed(self, resource: Resource, old: Object | None, new: Object | None) -> None:
        if not self._complete.is_set():  # rules that look things up would miss some; everything is looked at later
            return
        for item in self._wiring.keys_for(resource, old, new):
            self._queue.add(item)

    def _compared(self) -> None:
        if self._cache.synced(*wiring.WATCHED) and not self._complete.is_set():
            log.info("the cache is complete")
            self._health.ready()
            self._complete.set()

    def _surroundings(self) -> Surroundings:
        return Surroundings(
            loader_image=self._settings.loader_image,
            registry_url=self._settings.registry_url,
            ca_bundle=self._trusted_by_loaders(),
        )

    def _trusted_by_loaders(self) -> str:
        """The registry's CA and, where the store has one of its own, that too: loaders fetch from both."""
        store_ca = self._settings.store.ca_file
        return self._keeper.bundle + ("" if store_ca is None else f"\n{store_ca.read_text()}")

    def _trust_changed(self) -> None:
        """Every namespace with pods of ours gets the new bundle."""
        asking = (*self._cache.list(MODEL_DEPLOYMENTS), *self._cache.list(TRAINING_RUNS))
        for namespace in {obj["metadata"]["namespace"] for obj in asking}:
            self._queue.add((mapping.TRUST, Key(namespace, "")))
