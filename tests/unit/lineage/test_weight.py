"""How much memory an index says that it takes."""

import tracemalloc

import pytest

from modelberth.lineage.facts import AliasFact, RunFact, VersionFact
from modelberth.lineage.index import Index
from tests.unit.lineage.adding import add

AT = "2026-11-21T09:00:00Z"
MANY = 300


def trained(number):
    """A dataset, a run on it and the version that it made, with metrics and the edges between them."""
    name, uid, data = f"housing-{number:08x}", f"{number:08d}-aaaa-bbbb-cccc-{number:012d}", f"housing-v{number}"
    digest = f"sha256:{number:064x}"
    metrics = {f"metric-{one}-{number}": one / 3 + number for one in range(4)}
    inputs = {"package": f"price-1.{number}", "dataset": data}
    yield VersionFact("datasets", data, digest, f"{AT}-{number}", f"user-{number}")
    yield RunFact(name, uid, "Succeeded", pipeline="housing", version=data, inputs=inputs, metrics=metrics, python="3")
    used = [{"version": data, "digest": digest, "role": "train"}]
    lineage = {"run": {"trainingRun": name, "uid": uid}, "datasets": used, "package": f"price-1.{number}"}
    yield VersionFact("models", f"price-1.{number + 1}", digest, AT, "us", {"lineage": lineage, "metrics": metrics})


def wide(number):
    """A version that names many others, which nobody knows."""
    derived = [f"part-{number}-{one}-v0" for one in range(30)]
    yield VersionFact("datasets", f"whole-v{number}", "", AT, "jane", {"derivedFrom": derived})


def moved(number):
    """An entry of an alias' history."""
    yield AliasFact("price", "production", "u" * 36, number, "Moved", f"price-1.{number}", AT, f"user-{number}")


def add_all(index, facts):
    for fact in facts:
        add(index, fact)


@pytest.mark.parametrize("shape", [trained, wide, moved])
def test_what_is_counted_is_what_is_taken(shape):
    """No less than it takes, and not three times as much: the registry's memory depends on it."""
    index = Index()
    add_all(index, shape(MANY))
    tracemalloc.start()
    try:
        before = index.weight
        for number in range(MANY):
            add_all(index, shape(number))
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken <= index.weight - before <= 3 * taken


@pytest.mark.parametrize("shape", [trained, wide, moved])
def test_a_record_counts_once(shape):
    """However often it comes."""
    index = Index()
    add_all(index, shape(1))
    once = index.weight
    add_all(index, shape(1))
    assert index.weight == once
