"""What came out of a run: the spec of its version, its `_results.json`, and how it compares with an earlier version."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from modelberth.api import names
from modelberth.api.training_run import METRICS_SHOWN
from modelberth.content.versions import split_object_name
from modelberth.domain.objects import Object, annotation, dig, name_of, timestamps, uid_of
from modelberth.domain.training.inputs import Data, Inputs
from modelberth.domain.training.plan import Ending, Told
from modelberth.domain.training.template import Settled

_NAME_LIMIT: Final = 128
_MANUAL: Final = "Manual"
_PIPELINES_TRIGGERS: Final = frozenset({"Schedule", "DatasetVersion"})


def version_spec(run: Object, inputs: Inputs, settled: Settled, result: Told, *, image_digest: str) -> dict[str, Any]:
    """What is known of the new version, besides its number and content."""
    environment = {
        "image": inputs.image,
        "imageDigest": image_digest,
        "python": result.python[:64],
        "packages": packages_digest(result.packages) if result.packages else "",
    }
    datasets = [_reference(inputs.dataset, "train")]
    if inputs.evaluation is not None:
        datasets.append(_reference(inputs.evaluation, "test"))
    spec: dict[str, Any] = {
        "lineage": {
            "run": {"trainingRun": name_of(run), "uid": uid_of(run)},
            "datasets": datasets,
            "package": inputs.package,
            "environment": {name: value for name, value in environment.items() if value},
        }
    }
    parameters = settled.template.environment or {}
    metrics = shown_metrics(result.metrics)
    return spec | ({"parameters": parameters} if parameters else {}) | ({"metrics": metrics} if metrics else {})


def trigger(run: Object) -> str:
    """What started the run: Manual, Reproduction, or the kind of its pipeline's trigger."""
    return str(dig(run, "spec", "trigger", "type") or _MANUAL)


def created_by(run: Object) -> str:
    """Who made the run, as the API server stamped it; empty for a pipeline's triggers, and where nothing is stamped."""
    return "" if trigger(run) in _PIPELINES_TRIGGERS else annotation(run, names.ANNOTATION_CREATED_BY) or ""


def shown_metrics(metrics: Mapping[str, float]) -> dict[str, float]:
    """As many metrics as an object holds, by name."""
    return {name: float(value) for name, value in sorted(metrics.items())[:METRICS_SHOWN] if len(name) <= _NAME_LIMIT}


def packages_digest(packages: Mapping[str, str]) -> str:
    """`sha256:<hex>` of the packages as `pip freeze` lists them."""
    lines = "".join(f"{name}=={version}\n" for name, version in sorted(packages.items()))
    return f"sha256:{hashlib.sha256(lines.encode()).hexdigest()}"


def results(
    run: Object,
    inputs: Inputs | None,
    settled: Settled | None,
    ending: Ending,
    *,
    files: str | None,
    now: datetime,
) -> dict[str, Any]:
    """`_results.json`: what a run was told and what it left. Of Secrets it names no more than where they are.

    Args:
        run: the TrainingRun.
        inputs: what went in; None for a run that never started.
        settled: what was executed; None likewise.
        ending: how it ended.
        files: the digest of the run's files, if it has any.
        now: when it ended.
    """
    started = next(timestamps(dig(run, "status", "startedAt")), now)
    package, number = split_object_name(inputs.package) if inputs else ("", "")
    made = split_object_name(ending.version)[1] if ending.version else None
    saved = settled is not None and settled.save_training_data
    return {
        "parameters": {
            "pipeline": dig(run, "spec", "pipeline") or "",
            "inputs": {
                "package": package,
                "version": number,
                "train_data": _address(inputs.dataset) if inputs else "",
                "gpu": _gpus(settled),
            },
            "env": {} if settled is None else _environment(settled),
        },
        "run_summary": {
            "execution_time": round((now - started).total_seconds(), 3),
            "start_at": started.isoformat(),
            "end_at": now.isoformat(),
            "outputs": {
                "train_data": _address(inputs.dataset) if inputs and saved else None,
                "artifacts_data": files,
                "package": package if made else None,
                "version": made,
            },
        },
    }


def reproduction(version: str, digest: str, metrics: Any, result: Told) -> dict[str, Any]:
    """How what came out compares with an earlier version.

    Args:
        version: its name.
        digest: its digest.
        metrics: what its record says was measured.
        result: what came out.
    """
    fields: dict[str, Any] = {"version": version, "digest": digest}
    if result.output is not None:
        fields |= {"output": result.output, "sameDigest": result.output == digest}
    known = {str(name): float(value) for name, value in (metrics or {}).items()} if isinstance(metrics, Mapping) else {}
    return fields | ({"metrics": shown_metrics(known)} if known else {})


def _reference(data: Data, role: str) -> dict[str, str]:
    return {"version": data.version, "digest": data.digest, "role": role} | (
        {"folder": data.folder} if data.folder else {}
    )


def _address(data: Data) -> str:
    dataset, number = split_object_name(data.version)
    return f"{dataset}:{number}" + (f"#{data.folder}" if data.folder else "")


def _environment(settled: Settled) -> dict[str, str]:
    return {
        **settled.parameters,
        **{name: f"(secret {where})" for name, where in settled.secrets.items()},
    }


def _gpus(settled: Settled | None) -> int:
    """How many GPUs the program may use, of whichever kind."""
    limits = dict((settled.template.resources or {}).get("limits") or {}) if settled else {}
    counts = (str(amount) for resource, amount in limits.items() if "gpu" in resource.lower())
    return sum(int(count) for count in counts if count.isascii() and count.isdecimal())
