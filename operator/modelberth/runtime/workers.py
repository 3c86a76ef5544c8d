"""Workers: take a key from the queue, reconcile it, and let the outcome decide when it comes again.

| outcome                          | the key comes again                                          |
|----------------------------------|--------------------------------------------------------------|
| a result                         | never, or after as many seconds as the result says           |
| any error                        | after its back-off, which doubles from 5 ms to 300 s         |
| `TooManyRequests`                | … and not before the API server said                         |
| `Conflict`                       | … and not before the watch had time to tell what is new      |

A failure of one key never ends a worker, and never holds up another key.
"""

import asyncio
import logging
from collections.abc import Mapping

from modelberth.runtime.clock import Clock
from modelberth.runtime.errors import ApiError, Conflict, TooManyRequests
from modelberth.runtime.metrics import Item, Metrics
from modelberth.runtime.queue import WorkQueue
from modelberth.runtime.results import Reconciler, Result

CONFLICT_SECONDS = 0.05
"""How long the watch gets to bring what a write collided with."""

log = logging.getLogger(__name__)


class Workers:
    """A fixed number of workers over one queue."""

    def __init__(
        self,
        *,
        queue: WorkQueue[Item],
        reconcilers: Mapping[str, Reconciler],
        metrics: Metrics,
        clock: Clock,
        count: int,
        expected: tuple[type[Exception], ...] = (ApiError,),
    ) -> None:
        """Nothing runs yet.

        Args:
            queue: where keys come from.
            reconcilers: by the name that the keys carry.
            metrics: hear of everything.
            clock: what reconciles are timed with.
            count: how many keys are worked on at once.
            expected: errors of the surroundings, told in one line; any other is a bug and told with its traceback.
        """
        self._queue = queue
        self._reconcilers = reconcilers
        self._metrics = metrics
        self._clock = clock
        self._count = count
        self._expected = expected
        for name in reconcilers:
            metrics.max_concurrent.labels(name).set(count)
            metrics.active_workers.labels(name).set(0)

    async def run(self) -> None:
        """Work until cancelled. A cancelled reconcile is given back, so that whoever acts next does it again."""
        async with asyncio.TaskGroup() as group:
            for number in range(self._count):
                group.create_task(self._work(), name=f"worker-{number}")

    async def _work(self) -> None:
        while (item := await self._queue.get()) is not None:
            await self.process(item)

    async def process(self, item: Item) -> None:
        """Reconcile one key that was taken from the queue, and give it back."""
        controller, key = item
        started = self._clock.monotonic()
        self._metrics.active_workers.labels(controller).inc()
        outcome = "error"
        try:
            result = await self._reconcilers[controller].reconcile(key)
        except asyncio.CancelledError:
            self._queue.add(item)
            raise
        except Exception as error:  # noqa: BLE001 (a worker outlives whatever a reconcile raises)
            self._failed(item, error)
        else:
            outcome = self._succeeded(item, result)
        finally:
            self._metrics.active_workers.labels(controller).dec()
            self._metrics.reconciles.labels(controller, outcome).inc()
            self._metrics.reconcile_time.labels(controller).observe(self._clock.monotonic() - started)
            self._queue.done(item)

    def _succeeded(self, item: Item, result: Result) -> str:
        self._queue.forget(item)
        if result.requeue_after is None:
            return "success"
        self._queue.add_after(item, result.requeue_after)
        return "requeue_after"

    def _failed(self, item: Item, error: Exception) -> None:
        controller, key = item
        self._metrics.reconcile_errors.labels(controller).inc()
        backoff = self._queue.retry(item, at_least=_asked_for(error))
        told = {
            "controller": controller,
            "object": str(key),
            "error": f"{type(error).__name__}: {error}",
            "retry_in_seconds": round(backoff, 3),
        }
        if isinstance(error, Conflict):
            log.debug("reconcile collided with another write", extra=told)
        elif isinstance(error, self._expected):
            log.warning("reconcile failed", extra=told)
        else:
            log.error("reconcile failed", extra=told, exc_info=error)


def _asked_for(error: Exception) -> float:
    """The seconds that an error asks to be left in peace."""
    match error:
        case Conflict():
            return CONFLICT_SECONDS
        case TooManyRequests(retry_after=seconds):
            return seconds
        case _:
            return 0.0
