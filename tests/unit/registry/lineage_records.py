"""A small world of records: data that was derived, two runs, their versions, an alias that moved from one to the other."""

from modelberth.content.collections import artifact, dataset
from modelberth.store.run_types import RunId, RunRecord
from modelberth.store.types import NewAliasEntry, NewVersion

PACKAGES = {"scikit-learn": "1.5.2", "tensorflow": "2.16.1"}


def digest(number):
    return f"sha256:{number:064x}"


def run_record(number, *, version="", status="Succeeded", dataset="housing-v1", **more):
    """The record of run-<number>."""
    fields = {
        "reason": status,
        "message": "",
        "inputs": {"package": "price-1.0", "dataset": dataset, "datasetFolder": "train", "evaluation": "housing-v0"},
        "parameters": {"EPOCHS": str(10 + number)},
        "image": "python:3.12",
        "image_digest": "python@sha256:1",
        "python": "3.12.4",
        "packages": PACKAGES,
        "metrics": {"rmse": 4.0 - number, "r2": 0.5 + number / 10},
        "trigger": "Manual",
        "created_by": "jane",
        "started_at": f"2026-11-21T08:0{number}:00Z",
        "finished_at": f"2026-11-21T08:0{number}:30Z",
        **more,
    }
    return RunRecord(RunId(f"run-{number}", f"uid-{number}"), "prices", status, version=version, **fields)


async def fill(store, space):
    """Write the records, as their makers do."""

    async def version(collection, number, body, **spec):
        new = NewVersion(
            collection, digest(body), "jane", "Semantic" if "." in number else "Sequence", number, spec=spec
        )
        await store.reserve_version(space, new)

    await version(dataset("housing"), "v0", 1)
    await version(dataset("housing"), "v1", 2, derivedFrom=["housing-v0"], labels={"source": "census"})
    await version(artifact("price"), "1.0", 3, format="package")
    for number in range(2):
        made = f"price-1.{number + 1}"
        lineage = {
            "run": {"trainingRun": f"run-{number}", "uid": f"uid-{number}"},
            "datasets": [{"version": "housing-v1", "role": "train", "folder": "train"}],
            "package": "price-1.0",
            "code": {"repository": "https://git.example/prices", "revision": "abc"},
        }
        await version(
            artifact("price"), f"1.{number + 1}", 10 + number, lineage=lineage, metrics={"rmse": 4.0 - number}
        )
        await store.finish_run(space, run_record(number, version=made))
    for sequence, (event, name) in enumerate(
        [("Moved", "price-1.1"), ("Served", "price-1.1"), ("Moved", "price-1.2"), ("Served", "price-1.2")]
    ):
        entry = NewAliasEntry(
            model="prices",
            alias="production",
            event=event,
            version=name,
            digest=digest(10 if name == "price-1.1" else 11),
            previous="",
            generation=sequence,
            first_generation=sequence,
            moved_by="jane",
            at=f"2026-11-21T09:0{sequence}:00Z",
            uid="model-uid",
        )
        await store.append_alias(space, entry, after=sequence)
