"""Prometheus metrics under controller-runtime's names, so that the dashboards and alerts people have just work.

Names: https://book.kubebuilder.io/reference/metrics-reference. No metric carries an object's name: there are too many.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from modelberth.domain.training import reasons
from modelberth.runtime.clock import Clock
from modelberth.runtime.resources import Key
from modelberth.training import HARNESS_REASONS

if TYPE_CHECKING:
    from modelberth.runtime.queue import WorkQueue

Item = tuple[str, Key]
"""What the work queue holds: the reconciler's name and the object's key."""

QUEUE_BUCKETS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300)
RECONCILE_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
PATCH_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
_REMEMBERED_MOVES = 10_000
_RUN_REASONS = frozenset(
    {"Succeeded", "Skipped"} | HARNESS_REASONS | {value for value in vars(reasons).values() if isinstance(value, str)}
)
"""A word of a pod's own would be a time series of its own for each run."""

prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]  # controller-runtime has no *_created


class Metrics:
    """All metrics of one operator process, in a registry of its own."""

    def __init__(self, *, clock: Clock) -> None:
        self.registry = CollectorRegistry()
        prometheus_client.ProcessCollector(registry=self.registry)
        prometheus_client.PlatformCollector(registry=self.registry)
        registry = self.registry
        self.requests = Counter(
            "rest_client_requests", "Answers of the API server", ["code", "host", "method"], registry=registry
        )
        self.leader = Gauge(
            "leader_election_master_status", "1 if this replica acts, by its Lease", ["name"], registry=registry
        )
        self.reconciles = Counter(
            "controller_runtime_reconcile", "Reconciles and how they ended", ["controller", "result"], registry=registry
        )
        self.reconcile_errors = Counter(
            "controller_runtime_reconcile_errors", "Reconciles that raised", ["controller"], registry=registry
        )
        self.reconcile_time = Histogram(
            "controller_runtime_reconcile_time_seconds",
            "How long a reconcile took",
            ["controller"],
            buckets=RECONCILE_BUCKETS,
            registry=registry,
        )
        self.active_workers = Gauge(
            "controller_runtime_active_workers", "Workers that hold a key", ["controller"], registry=registry
        )
        self.max_concurrent = Gauge(
            "controller_runtime_max_concurrent_reconciles",
            "How many keys may be reconciled at once",
            ["controller"],
            registry=registry,
        )
        self.watch_restarts = Counter(
            "modelberth_watch_restarts", "How often the watches died and were started again", registry=registry
        )
        self.missed_events = Counter(
            "modelberth_missed_events",
            "Changes that a periodic list found and no watch had told",
            ["resource"],
            registry=registry,
        )
        self.queue = QueueMetrics(registry)
        self.alias_moves = AliasMoves(registry, clock=clock)
        self.runs = Runs(registry)

    def request_done(self, method: str, host: str, code: str) -> None:
        """An answer of the API server; see `http_session.Observer`."""
        self.requests.labels(code=code, host=host, method=method).inc()

    def exposition(self) -> bytes:
        """Everything in Prometheus' text format."""
        return prometheus_client.generate_latest(self.registry)


class QueueMetrics:
    """The work queue's hooks, by controller."""

    def __init__(self, registry: CollectorRegistry) -> None:
        labels = ["name", "controller"]
        self._registry = registry
        self._depth = Gauge("workqueue_depth", "Keys that wait for a worker", labels, registry=registry)
        self._adds = Counter("workqueue_adds", "Keys that became ready", labels, registry=registry)
        self._retries = Counter("workqueue_retries", "Keys that failed and come again", labels, registry=registry)
        self._waited = Histogram(
            "workqueue_queue_duration_seconds",
            "How long a key waited for a worker",
            labels,
            buckets=QUEUE_BUCKETS,
            registry=registry,
        )
        self._worked = Histogram(
            "workqueue_work_duration_seconds",
            "How long a worker held a key",
            labels,
            buckets=QUEUE_BUCKETS,
            registry=registry,
        )

    def watch(self, queue: "WorkQueue[Item]") -> None:
        """Report what workers hold at the moment of each scrape."""
        self._registry.register(_HeldWork(queue))

    def added(self, key: Item) -> None:
        """A key became ready."""
        self._depth.labels(key[0], key[0]).inc()
        self._adds.labels(key[0], key[0]).inc()

    def started(self, key: Item, waited: float) -> None:
        """A worker took a key."""
        self._depth.labels(key[0], key[0]).dec()
        self._waited.labels(key[0], key[0]).observe(waited)

    def finished(self, key: Item, worked: float) -> None:
        """A worker gave a key back."""
        self._worked.labels(key[0], key[0]).observe(worked)

    def retried(self, key: Item) -> None:
        """A key failed."""
        self._retries.labels(key[0], key[0]).inc()


class _HeldWork(Collector):
    """What only a look at the queue can tell."""

    def __init__(self, queue: "WorkQueue[Item]") -> None:
        self._queue = queue

    def collect(self) -> Iterator[Metric]:
        labels = ["name", "controller"]
        unfinished = GaugeMetricFamily(
            "workqueue_unfinished_work_seconds", "Seconds put into keys still held", labels=labels
        )
        longest = GaugeMetricFamily(
            "workqueue_longest_running_processor_seconds",
            "Seconds that the slowest worker has held its key",
            labels=labels,
        )
        for controller, seconds in _by_controller(self._queue.held().items()):
            unfinished.add_metric([controller, controller], sum(seconds))
            longest.add_metric([controller, controller], max(seconds))
        yield unfinished
        yield longest


def _by_controller(held: Iterable[tuple[Item, float]]) -> Iterable[tuple[str, list[float]]]:
    grouped: dict[str, list[float]] = {}
    for (controller, _), seconds in held:
        grouped.setdefault(controller, []).append(seconds)
    return sorted(grouped.items())


class AliasMoves:
    """How long the operator's own share of an alias move takes: from hearing of it to the first Deployment patched."""

    def __init__(self, registry: CollectorRegistry, *, clock: Clock) -> None:
        self._clock = clock
        self._heard: OrderedDict[tuple[str, str, str], tuple[str, float]] = OrderedDict()
        self._seconds = Histogram(
            "modelberth_alias_observed_to_patched_seconds",
            "From an alias move heard of to a Deployment told to run its version",
            buckets=PATCH_BUCKETS,
            registry=registry,
        )

    def observed(self, namespace: str, model: str, alias: str, version: str) -> None:
        """An alias was moved to a version."""
        self._heard.pop((namespace, model, alias), None)
        self._heard[namespace, model, alias] = version, self._clock.monotonic()
        while len(self._heard) > _REMEMBERED_MOVES:
            self._heard.popitem(last=False)

    def patched(self, namespace: str, model: str, alias: str, version: str) -> None:
        """A Deployment was told to run a version; counted if that is what the alias was last moved to."""
        heard = self._heard.get((namespace, model, alias))
        if heard is not None and heard[0] == version:
            self._seconds.observe(self._clock.monotonic() - heard[1])


class Runs:
    """How many training runs ended, and how."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._ended = Counter(
            "modelberth_training_runs_ended_total", "Training runs that ended", ["status", "reason"], registry=registry
        )

    def ended(self, status: str, reason: str) -> None:
        """A run ended: Succeeded, Failed or Skipped, and why; words that are not ours count as Other."""
        self._ended.labels(status, reason if reason in _RUN_REASONS else "Other").inc()
