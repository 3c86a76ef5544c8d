"""The demos' own arithmetic, and that the examples are what the demos edit; as a whole they are run by `make`."""

import re

import pytest
import yaml

from demo import main, models
from demo.shell import ROOT
from demo.stage import ALIAS, DEPLOYMENT, MODEL
from demo.traffic import Count
from demo.training import story
from modelberth.api.registered_model import RegisteredModelSpec
from modelberth.api.training_pipeline import TrainingPipelineSpec
from modelberth.api.training_run import TrainingRunSpec


def test_counts_answers_by_version_and_every_failure() -> None:
    """Accuracy is right answers over answers of that version; failures count as sent and failed."""
    count = Count()
    for right in (True, True, False):
        count.add({"at": 10.0, "version": "a-v0", "right": right, "seconds": 0.5})
    count.add({"at": 12.0, "version": "a-v1", "right": True, "seconds": 0.25})
    count.add({"at": 13.0, "error": "ConnectionResetError: peer"})
    assert count.sent == 5
    assert count.versions["a-v0"].accuracy == pytest.approx(2 / 3)
    assert count.first_answer == {"a-v0": 10.5, "a-v1": 12.25}
    assert count.errors == ["ConnectionResetError: peer"]


@pytest.mark.parametrize(
    ("manifest", "version"),
    [(main.MANIFEST, f"{models.ARTIFACT}-v0"), (story.EXAMPLES / "model.yaml", f"{story.ARTIFACT}-1.1")],
)
def test_the_example_is_what_the_demo_edits(manifest, version) -> None:
    """Each manifest has the alias, and the one line that the demo changes."""
    model = yaml.safe_load(manifest.read_text())
    deployment = yaml.safe_load(DEPLOYMENT.read_text())
    assert model["metadata"]["name"] == deployment["spec"]["model"] == MODEL
    spec = RegisteredModelSpec.model_validate(model["spec"])
    assert spec.aliases is not None
    assert {alias: entry.version for alias, entry in spec.aliases.items()} == {ALIAS: version}
    assert deployment["spec"]["alias"] == ALIAS
    assert len(re.findall(r"^ +version: ", manifest.read_text(), re.MULTILINE)) == 1


def test_the_training_examples_name_what_the_demo_pushes() -> None:
    """Package, data and image of the pipeline and of the single run are those of the story."""
    pipeline = yaml.safe_load((story.EXAMPLES / "pipeline.yaml").read_text())
    run = yaml.safe_load((story.EXAMPLES / "broken-run.yaml").read_text())
    assert (pipeline["metadata"]["name"], run["metadata"]["name"]) == (story.PIPELINE, story.BROKEN)
    spec = TrainingPipelineSpec.model_validate(pipeline["spec"])
    template = TrainingRunSpec.model_validate(run["spec"]).template
    assert template is not None
    assert spec.package.version == f"{story.ARTIFACT}-1.0"
    assert template.package.version == f"{story.MISTAKE}-1.0"
    assert spec.dataset.name == template.dataset.name == story.DATASET
    assert spec.image == template.image
    assert spec.image in DEPLOYMENT.read_text()


@pytest.mark.parametrize("package", ["package", "broken"])
def test_the_packages_are_python_for_any_image(package) -> None:
    """As the harness wants them: train.py with a class Main, at the top."""
    source = (ROOT / "examples" / "training" / package / "train.py").read_text()
    names = compile(source, "train.py", "exec").co_names
    assert "Main" in names
