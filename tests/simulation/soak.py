"""Runs many schedules: `python -m tests.simulation.soak --schedules 100000 --seed 0`.

A failure prints its seed and the shortest schedule found for it; `--replay SEED` runs one schedule again with its trace.
"""

import argparse
import logging
import multiprocessing
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed

from tests.simulation.invariants import Broken
from tests.simulation.schedule import STORM, replay, run_seed
from tests.simulation.shrink import shortened

_BATCH = 25


def failures_in(seeds: Sequence[int], steps: int = STORM) -> list[tuple[int, str]]:
    """The seeds that fail, each with what broke."""
    logging.disable(logging.CRITICAL)  # reconciles fail on purpose here, thousands of times
    try:
        return [(seed, text) for seed in seeds if (text := _failure_of(seed, steps)) is not None]
    finally:
        logging.disable(logging.NOTSET)


def many(seeds: Sequence[int], *, steps: int = STORM, jobs: int = 2) -> Iterator[tuple[int, list[tuple[int, str]]]]:
    """Run schedules in so many processes; yields (schedules done, failures among them) as batches finish."""
    batches = [seeds[start : start + _BATCH] for start in range(0, len(seeds), _BATCH)]
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        running = {pool.submit(failures_in, batch, steps): len(batch) for batch in batches}
        for done in as_completed(running):
            yield running[done], done.result()


def explained(seed: int, *, steps: int = STORM) -> str:
    """A failing seed's story: what broke, and the shortest schedule found that breaks it."""
    logging.disable(logging.CRITICAL)
    try:
        run_seed(seed, steps=steps)
    except Broken as broken:
        shortest = shortened(broken, lambda actions: replay(seed, actions))
        story = "\n".join(f"  {' '.join(action)}" for action in shortest.actions)
        return f"seed {seed}: {shortest}\nthe shortest schedule found, of {len(broken.actions)} actions:\n{story}"
    finally:
        logging.disable(logging.NOTSET)
    return f"seed {seed}: holds"


def _failure_of(seed: int, steps: int) -> str | None:
    try:
        run_seed(seed, steps=steps)
    except Broken as broken:
        return str(broken)
    return None


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--schedules", type=int, default=10_000, help="how many (default 10,000)")
    parser.add_argument("--seed", type=int, default=0, help="the first seed (default 0)")
    parser.add_argument("--steps", type=int, default=STORM, help=f"steps of each storm (default {STORM})")
    parser.add_argument(
        "--jobs", type=int, default=multiprocessing.cpu_count(), help="processes (default: one per core)"
    )
    parser.add_argument("--replay", type=int, metavar="SEED", help="run one schedule and explain it")
    options = parser.parse_args()
    if options.replay is not None:
        print(explained(options.replay, steps=options.steps))
        return 0
    seeds = range(options.seed, options.seed + options.schedules)
    begun, done, failed = time.monotonic(), 0, []
    for count, failures in many(seeds, steps=options.steps, jobs=options.jobs):
        done += count
        failed += failures
        print(f"\r{done}/{len(seeds)} schedules, {len(failed)} failed", end="", file=sys.stderr, flush=True)
    print(f"\n{done} schedules in {time.monotonic() - begun:.0f} s, {len(failed)} failed")
    for seed, text in sorted(failed)[:20]:
        print(f"seed {seed}: {text}")
    if failed:
        print(explained(min(failed)[0], steps=options.steps))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
