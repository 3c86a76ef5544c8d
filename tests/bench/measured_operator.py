"""The real operator as a process of this machine, and what its own metrics and the kernel say of it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from tests.bench.processes import BenchError, resident
from tests.cluster.operator_process import OperatorProcess, operator
from tests.cluster.registry_process import RELEASE_NAMESPACE, StoreAccess, account_kubeconfig
from tests.localkind.fixture import RunningCluster

_LOOK_SECONDS = 0.1
_QUIET_LOOKS = 4
_PATIENCE = 600.0


@dataclass
class MeasuredOperator:
    """An operator that runs.

    Attributes:
        process: the operator.
        began: when it was started, on `time.perf_counter`.
    """

    process: OperatorProcess
    began: float
    _adds: float = field(default=-1.0)

    def wait_ready(self) -> float:
        """Seconds from the start until it says that it is ready."""
        return self._wait(self._is_ready, "ready")

    def wait_quiet(self) -> float:
        """Seconds from the start until it was ready, led, and had nothing to do, for several looks in a row."""
        first_look = 0.0
        looks = 0
        adds = -1.0

        def is_quiet() -> bool:
            nonlocal first_look, looks, adds
            metrics = self._metrics() if self._is_ready() else {}
            if not metrics or _is_busy(metrics) or metrics["workqueue_adds_total"] != adds:
                first_look, looks = time.perf_counter() - self.began, 0
                adds = -1.0 if not metrics or _is_busy(metrics) else metrics["workqueue_adds_total"]
            looks += 1
            return adds >= 0 and looks >= _QUIET_LOOKS

        self._wait(is_quiet, "quiet")
        return first_look

    def cpu_seconds(self) -> float:
        """What it has used on all cores."""
        return self._metrics()["process_cpu_seconds_total"]

    def requests(self) -> float:
        """How many it has sent to the API server, its watches included."""
        return self._metrics()["rest_client_requests_total"]

    def rss(self) -> tuple[int, int]:
        """Resident bytes (now, at most)."""
        return resident(self.process.process.pid)

    def observed_to_patched(self) -> tuple[float, float]:
        """(seconds, count) of its own histogram of alias moves, since its start."""
        metrics = self._metrics()
        name = "modelberth_alias_observed_to_patched_seconds"
        return metrics[f"{name}_sum"], metrics[f"{name}_count"]

    def _is_ready(self) -> bool:
        return self.process.ask("/readyz")[0] == 200

    def _metrics(self) -> dict[str, float]:
        """Every sample's name with the sum of its values over all labels."""
        sums: dict[str, float] = {}
        for family in text_string_to_metric_families(self.process.ask("/metrics")[1]):
            for sample in family.samples:
                sums[sample.name] = sums.get(sample.name, 0.0) + sample.value
        return sums

    def _wait(self, is_so: Callable[[], bool], what: str) -> float:
        limit = time.perf_counter() + _PATIENCE
        while not is_so():
            if self.process.process.poll() is not None or time.perf_counter() > limit:
                last_words = "\n".join(self.process.log_file.read_text(errors="replace").splitlines()[-5:])
                raise BenchError(f"the operator is not {what}: {last_words}")
            time.sleep(_LOOK_SECONDS)
        return time.perf_counter() - self.began


@contextmanager
def measured_operator(cluster: RunningCluster, folder: Path, store: StoreAccess) -> Iterator[MeasuredOperator]:
    """Start the operator, with its account's token; at the end it is told to stop, so that the next gets the Lease at once.

    The chart's policies let nobody else make what it makes.
    """
    kubeconfig = folder / "operator-kubeconfig"
    kubeconfig.write_bytes(account_kubeconfig(cluster, "modelberth-operator"))
    access_key, secret_key = folder / "store-access-key", folder / "store-secret-key"
    access_key.write_text(store.user.access_key)
    secret_key.write_text(store.user.secret_key)
    began = time.perf_counter()
    with operator(
        cluster,
        folder,
        namespace=RELEASE_NAMESPACE,
        kubeconfig=kubeconfig,
        MODELBERTH_STORE_BUCKET=store.bucket,
        MODELBERTH_STORE_ACCESS_KEY_FILE=str(access_key),
        MODELBERTH_STORE_SECRET_KEY_FILE=str(secret_key),
    ) as process:
        yield MeasuredOperator(process, began)
        process.stop()


def _is_busy(metrics: dict[str, float]) -> bool:
    leads = metrics.get("leader_election_master_status", 0.0) >= 1
    working = metrics.get("workqueue_depth", 0.0) + metrics.get("controller_runtime_active_workers", 0.0)
    return not leads or working > 0 or "workqueue_adds_total" not in metrics
