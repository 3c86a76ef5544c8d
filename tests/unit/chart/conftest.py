"""Rendering the chart as `helm template` does, with what a test sets."""

import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
CHART = ROOT / "charts" / "modelberth"
LOCALKIND = ROOT / "tests" / "localkind" / "localkind"

Object = dict[str, Any]
Render = Callable[..., list[Object]]


class HelmError(Exception):
    """Helm did not render; the message is Helm's."""


@pytest.fixture(scope="session")
def helm() -> Path:
    """The helm of the test cluster's programs."""
    built = subprocess.run([str(LOCALKIND), "build", "helm"], stdout=subprocess.PIPE, text=True, check=True)
    return Path(built.stdout.strip()) / "helm"


@pytest.fixture
def render(helm: Path) -> Render:
    """`render("minio.enabled=true", …)` gives the objects of a release modelberth in namespace berths."""

    def call(*values: str, api_versions: Sequence[str] = ()) -> list[Object]:
        options = [word for value in values for word in ("--set", value)]
        options += [word for version in api_versions for word in ("--api-versions", version)]
        command = [str(helm), "template", "modelberth", str(CHART), "--namespace", "berths", *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise HelmError(done.stderr)
        return [document for document in yaml.safe_load_all(done.stdout) if document]

    return call


def of_kind(objects: list[Object], kind: str) -> dict[str, Object]:
    """The objects of a kind by name."""
    return {found["metadata"]["name"]: found for found in objects if found["kind"] == kind}


def pod_specs(objects: list[Object]) -> dict[str, Object]:
    """The spec of each pod that the chart makes, by the name of what makes it."""
    specs = {}
    for found in objects:
        if found["kind"] == "Pod":
            specs[found["metadata"]["name"]] = found["spec"]
        elif "template" in found.get("spec", {}) and found["kind"] in {"Deployment", "StatefulSet", "Job"}:
            specs[found["metadata"]["name"]] = found["spec"]["template"]["spec"]
    return specs
