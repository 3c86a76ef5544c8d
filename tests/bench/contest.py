"""Several ways to move the same things, and how ours compares with each."""

from dataclasses import dataclass, field

from tests.bench.processes import Finished
from tests.bench.report import Table
from tests.bench.series import Series, mebibytes


@dataclass
class Contest:
    """What was measured of each candidate, in the order in which they came.

    Attributes:
        title: what it is about.
        unit: of what is moved, `MiB` or `files`.
        ours: the candidate that the others are compared with.
        amounts: how much each candidate moved in one run, in units.
        runs: its runs.
    """

    title: str
    unit: str
    ours: str
    amounts: dict[str, float] = field(default_factory=dict)
    runs: dict[str, list[Finished]] = field(default_factory=dict)

    def add(self, candidate: str, amount: float, run: Finished) -> None:
        """One more run."""
        self.amounts[candidate] = amount
        self.runs.setdefault(candidate, []).append(run)

    def table(self) -> Table:
        """Speeds, and how many times as fast ours is."""
        our_speed = self._speed(self.ours)
        rows = [
            [
                candidate,
                self._speed(candidate).text(f"{self.unit}/s"),
                "" if candidate == self.ours else f"{our_speed.per(self._speed(candidate))} as fast",
                Series.of(run.cpu_seconds for run in runs).text("s"),
                mebibytes(run.peak_rss for run in runs),
            ]
            for candidate, runs in self.runs.items()
        ]
        return Table(["", "speed", "Modelberth is", "CPU of the process", "its peak RSS"], rows, self.title)

    def _speed(self, candidate: str) -> Series:
        return Series.of(self.amounts[candidate] / run.seconds for run in self.runs[candidate])
