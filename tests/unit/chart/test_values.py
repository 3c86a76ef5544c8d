"""The values file, its schema, and the pins that must agree with each other."""

import json
import re
from typing import Any

import yaml

from .conftest import CHART, ROOT

SCHEMA = json.loads((CHART / "values.schema.json").read_text())
VALUES = yaml.safe_load((CHART / "values.yaml").read_text())


def resolve(schema: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in schema:
        return schema
    found: dict[str, Any] = SCHEMA["definitions"][schema["$ref"].rpartition("/")[2]]
    return found


def pins(name: str) -> dict[str, str]:
    text = (ROOT / "requirements" / name).read_text()
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", text, re.MULTILINE))


def test_values_and_schema_name_the_same_keys() -> None:
    """Each value that can be set has a default and a line in the schema, and the other way round."""

    def compare(values: dict[str, Any], schema: dict[str, Any], path: str) -> None:
        properties = resolve(schema).get("properties")
        if properties is None:  # a map whose keys are the user's
            return
        assert set(values) == set(properties) - {"global"}, path
        for key, value in values.items():
            if isinstance(value, dict) and path + key not in {
                "operator.resources",
                "registry.resources",
                "minio.resources",
            }:
                compare(value, properties[key], f"{path}{key}.")

    compare(VALUES, SCHEMA, "")


def test_every_object_of_the_schema_is_closed_and_described() -> None:
    """An unknown key is refused at every level, and every key says what it is."""

    def walk(schema: dict[str, Any], path: str) -> None:
        schema = resolve(schema)
        if "properties" in schema:
            assert schema["additionalProperties"] is False, path
            for key, inner in schema["properties"].items():
                if path.partition(".")[0] != "definitions":
                    assert "description" in inner or "description" in resolve(inner) or "$ref" in inner, f"{path}{key}"
                walk(inner, f"{path}{key}.")
        if isinstance(schema.get("items"), dict):
            walk(schema["items"], path)

    walk(SCHEMA, "")


def test_the_image_runs_what_was_tested() -> None:
    """Each package of the image has the version that the tests ran with."""
    tested = pins("dev.txt")
    shipped = pins("image.txt")
    assert shipped
    assert {name: tested.get(name) for name in shipped if name in tested} == {
        name: version for name, version in shipped.items() if name in tested
    }


def test_the_server_reads_what_the_training_wrote() -> None:
    """A pickled model belongs to the scikit-learn, joblib and numpy that wrote it."""
    server, training = pins("mlserver.txt"), pins("demo.txt")
    assert {name: training[name] for name in ("scikit-learn", "joblib", "numpy")} == {
        name: server[name] for name in ("scikit-learn", "joblib", "numpy")
    }


def test_all_places_name_the_same_images() -> None:
    """Chart, demo, example and Makefile speak of the images that `make images` builds."""
    built = set(re.findall(r"images\.py build (\S+)", (ROOT / "Makefile").read_text()))
    demo = set(re.findall(r'"(localhost/\S+)"', (ROOT / "demo" / "images.py").read_text()))
    assert demo == built
    example = (ROOT / "examples" / "quickstart" / "deployment.yaml").read_text()
    assert set(re.findall(r"image: (\S+)", example)) <= built
    version = yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"]
    minio = VALUES["minio"]["image"]
    assert f"{VALUES['image']['repository']}:{version}" in built
    assert f"{minio['repository']}:{minio['tag']}" in built
