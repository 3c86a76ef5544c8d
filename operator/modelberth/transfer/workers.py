"""A few threads that share out work. Reading, hashing and TLS release the interpreter lock, so threads are enough."""

import os
import threading
from collections.abc import Callable, Iterable
from typing import TypeVar

T = TypeVar("T")


def default_workers() -> int:
    """Between 4 and 8: enough for stores that limit each connection, few enough for the memory that each one holds."""
    return max(4, min(8, 2 * (os.cpu_count() or 2)))


def for_each(items: Iterable[T], work: Callable[[T], None], *, workers: int) -> None:
    """Call `work` with every item, on `workers` threads; items are drawn lazily, one at a time.

    Raises:
        BaseException: the first error of any call, or of drawing an item. No new item is begun after it; the calls
            under way are waited for.
    """
    _Share(items, work).run(workers)


class _Share:
    def __init__(self, items: Iterable[T], work: Callable[[T], None]) -> None:
        self._items = iter(items)
        self._work: Callable[..., None] = work
        self._drawing = threading.Lock()
        self._stop = threading.Event()
        self._errors: list[BaseException] = []

    def run(self, workers: int) -> None:
        threads = [threading.Thread(target=self._loop, name=f"transfer-{n}", daemon=True) for n in range(workers)]
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        finally:
            # After Ctrl-C in join(): the files and connections in use must not be closed under running threads.
            self._stop.set()
            for thread in threads:
                if thread.ident is not None:
                    thread.join()
        if self._errors:
            raise self._errors[0]

    def _loop(self) -> None:
        while not self._stop.is_set():
            try:
                with self._drawing:
                    item = next(self._items)
                self._work(item)
            except StopIteration:
                return
            except BaseException as error:  # noqa: BLE001 (handed to the caller of run)
                self._errors.append(error)
                self._stop.set()


class Buffers:
    """A buffer of `size` bytes for each thread, made when it first asks and used again for all of its work."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._local = threading.local()

    def mine(self) -> memoryview:
        """The calling thread's buffer."""
        if not hasattr(self._local, "buffer"):
            self._local.buffer = memoryview(bytearray(self._size))
        buffer: memoryview = self._local.buffer
        return buffer
