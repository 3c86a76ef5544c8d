"""How far a run's pod is, told to the registry every two seconds from a thread of its own."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from modelberth.training.outcome import Phase
from modelberth.transfer.errors import TransferError
from modelberth.transfer.progress import Progress, Reporter
from modelberth.transfer.registry_client import RegistryClient

POST_SECONDS = 2.0

Seen = tuple[str, tuple[Phase, ...]]
"""The phase that a run is in, "" before the first, and those that it has been through."""


class RunProgress:
    """The phase that a run is in, and its bytes.

    Args:
        client: the registry.
        digest: what the reports are about: the package's.

    Attributes:
        bytes: counts what is moved in this phase.
    """

    def __init__(self, client: RegistryClient, digest: str) -> None:
        self.bytes = Progress()
        self._client = client
        self._digest = digest
        self._look: Callable[[], Seen] = lambda: ("", ())
        self._before = 0

    def follow(self, look: Callable[[], Seen]) -> None:
        """Tell what `look` sees, from now on."""
        self._look = look

    def begin(self, phase: str, ended: tuple[Phase, ...] = ()) -> None:
        """Tell that this phase has begun, after those that have ended."""
        self._before = 0
        self._look = lambda: (phase, ended)

    def moved(self, size: int) -> None:
        """One of several transfers of this phase is through; the next ones count on from here."""
        self._before += size
        self.bytes.begin("", 0)

    @contextmanager
    def posting(self) -> Iterator[None]:
        """Tell the registry meanwhile. That it cannot be told is no reason to stop."""
        with Reporter(self.post, seconds=POST_SECONDS):
            yield

    def post(self) -> None:
        """Tell it now."""
        phase, ended = self._look()
        if not phase:
            return
        _, done, total = self.bytes.read()
        phases = [each.document() for each in ended]
        with suppress(TransferError):
            self._client.post_progress(
                self._digest, self._before + done, self._before + total, phase=phase, phases=phases
            )
