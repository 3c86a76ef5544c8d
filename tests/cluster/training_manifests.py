"""Pipelines and runs that the API server refuses, each with the words that it says; and their neighbours that it takes."""

from typing import Any

from tests.cluster.manifests import Bad, bad, many, obj

BASE = "package: {version: housing-price-1.0}, dataset: {name: housing}, image: 'python:3.12'"
TEMPLATE = f"template: {{{BASE}}}"


def pipeline(spec: str = "", name: str = "housing", base: str = BASE) -> dict[str, Any]:
    return obj("TrainingPipeline", name, f"{{{base}{', ' if base and spec else ''}{spec}}}")


def run(spec: str = "", name: str = "run", base: str = "pipeline: housing") -> dict[str, Any]:
    return obj("TrainingRun", name, f"{{{base}{', ' if base and spec else ''}{spec}}}")


def package(spec: str) -> dict[str, Any]:
    return pipeline(base=f"package: {{{spec}}}, dataset: {{name: housing}}, image: x")


def dataset(spec: str) -> dict[str, Any]:
    return pipeline(base=f"package: {{version: housing-price-1.0}}, dataset: {{{spec}}}, image: x")


ONE_PACKAGE = "package has exactly one of version and artifact; give one and remove the other"
ONE_DATASET = "dataset and evaluation have exactly one of version and name; give one and remove the other"
PLAIN = "is a relative, plain path"
VARIABLE = "the name of a variable is 1 to 128 letters, digits and '_'"

BAD: tuple[Bad, ...] = (
    bad("no package", pipeline(base="dataset: {name: housing}, image: x"), "spec.package", "Required"),
    bad("no dataset", pipeline(base="package: {version: p-1.0}, image: x"), "spec.dataset", "Required"),
    bad("no image", pipeline(base="package: {version: p-1.0}, dataset: {name: housing}"), "spec.image", "Required"),
    bad("package of nothing", package(""), ONE_PACKAGE),
    bad("package twice", package("version: p-1.0, artifact: p, major: 1"), ONE_PACKAGE),
    bad("package without major", package("artifact: p"), "package.artifact and package.major belong together"),
    bad("package with a major too many", package("version: p-1.0, major: 1"), "belong together"),
    bad("package of a sequence", package("version: p-v1"), "package.version is a version of an artifact with versioning Semantic"),
    bad("dataset of nothing", dataset(""), ONE_DATASET),
    bad("dataset twice", dataset("version: housing-v1, name: housing"), ONE_DATASET),
    bad("alias of a version", dataset("version: housing-v1, alias: best"), "alias is an alias of a Dataset; give the dataset's name with it"),
    bad("alias like a version", dataset("name: housing, alias: v3"), "alias must name an alias, not a version"),
    bad("dataset version of a package", dataset("version: housing-1.0"), "is the name of a DatasetVersion, such as housing-v3"),
    bad("folder that leaves", dataset("name: housing, folder: ../x"), "folder"),
    bad("absolute folder", dataset("name: housing, folder: /x"), "folder"),
    bad("folder of evaluation", pipeline("evaluation: {name: housing, folder: 'a//b'}"), "spec.evaluation.folder"),
    bad("variable with a dash", pipeline("environment: {learning-rate: '1'}"), "environment: " + VARIABLE),
    bad("variable with a digit first", pipeline("environment: {1st: '1'}"), "environment: " + VARIABLE),
    bad("variable of ours", pipeline("environment: {MODELBERTH_RUN: x}"), "names that begin with MODELBERTH_ are set by Modelberth"),
    bad("value that is a number", pipeline("environment: {EPOCHS: 10}"), "spec.environment.EPOCHS", "must be of type string"),
    bad("65 variables", pipeline(f"environment: {many(65, 'V{}', 'x')}"), "spec.environment", "at most 64"),
    bad("secret variable with a dash", pipeline("secretEnvironment: {a-b: {name: s, key: k}}"), "secretEnvironment: " + VARIABLE),
    bad("secret without a key", pipeline("secretEnvironment: {TOKEN: {name: s}}"), "spec.secretEnvironment.TOKEN.key", "Required"),
    bad("17 secrets", pipeline(f"secretEnvironment: {many(17, 'V{}', '{name: s, key: k}')}"), "spec.secretEnvironment", "at most 16"),
    bad("variable twice", pipeline("environment: {A: x}, secretEnvironment: {A: {name: s, key: k}}"), "have a variable in common"),
    bad("secret artifacts", pipeline("secretEnvironment: {artifacts_directory: {name: s, key: k}}"), "are no secrets; set artifactsDirectory"),
    bad("artifacts differ", pipeline("artifactsDirectory: a, environment: {artifacts_directory: b}"), "environment.artifacts_directory and artifactsDirectory differ"),
    bad("save differs", pipeline("saveTrainingData: true, environment: {save_training_data: 'false'}"), "environment.save_training_data and saveTrainingData differ"),
    bad("save is maybe", pipeline("environment: {save_training_data: maybe}"), "environment.save_training_data is true or false"),
    bad("artifacts leave", pipeline("artifactsDirectory: a/../.."), "artifactsDirectory " + PLAIN),
    bad("artifacts parameter leaves", pipeline("environment: {artifacts_directory: ../x}"), "environment.artifacts_directory " + PLAIN),
    bad("backoffLimit too high", pipeline("backoffLimit: 21"), "spec.backoffLimit", "less than or equal to 20"),
    bad("deadline of nothing", pipeline("activeDeadlineSeconds: 0"), "spec.activeDeadlineSeconds", "greater than or equal to 1"),
    bad("label of ours", pipeline("pod: {labels: {modelberth.io/run: x}}"), "pod.labels: modelberth.io/* and app.kubernetes.io/managed-by are set by Modelberth"),
    bad("annotation of ours", pipeline("pod: {annotations: {modelberth.io/attempt: x}}"), "pod.annotations: modelberth.io/* is set by Modelberth"),
    bad("root", pipeline("pod: {runAsUser: 0}"), "spec.pod.runAsUser", "greater than or equal to 1"),
    bad("quantity", pipeline("storage: {sizeLimit: lots}"), "spec.storage.sizeLimit"),
    bad("concurrency", pipeline("concurrency: Queue"), "spec.concurrency", "Unsupported value"),
    bad("trigger of a pinned version", pipeline("triggers: {onDatasetVersion: {}}", base=BASE.replace("name: housing", "version: housing-v1")), "triggers.onDatasetVersion needs dataset.name"),
    bad("empty cron", pipeline("triggers: {schedule: {cron: ''}}"), "spec.triggers.schedule.cron"),
    bad("pipeline name too long", pipeline(name="p" * 41), "metadata.name of a TrainingPipeline is 1 to 40 lower case letters"),
    bad("pipeline name with a dot", pipeline(name="a.b"), "metadata.name of a TrainingPipeline"),
    bad("run of nothing", run(base=""), "spec has exactly one of pipeline and template"),
    bad("run of both", run(TEMPLATE), "spec has exactly one of pipeline and template"),
    bad("run's variable", run("environment: {a.b: x}"), "environment: " + VARIABLE),
    bad("run's template", run(base="template: {package: {version: p-1.0}, dataset: {}, image: x}"), ONE_DATASET),
    bad("run's trigger", run("trigger: {type: Cron}"), "spec.trigger.type", "Unsupported value"),
    bad("run's name too long", run(name="r" * 58), "metadata.name of a TrainingRun is 1 to 57 lower case letters"),
    bad("time of no schedule", run("trigger: {scheduledAt: '2026-11-21T09:00:00Z'}"), "trigger.scheduledAt belongs to type Schedule; remove it"),
    bad("data of no trigger", run("trigger: {type: Schedule, datasetVersion: housing-v1}"), "trigger.datasetVersion belongs to type DatasetVersion; remove it"),
    bad("reproduction of nothing", run("trigger: {type: Reproduction}"), "reproduces and trigger.type Reproduction belong together; give both or neither"),
    bad("reproduction without a trigger", run("reproduces: housing-price-1.0"), "reproduces and trigger.type Reproduction belong together"),
    bad("reproduction by hand", run("reproduces: housing-price-1.0, trigger: {type: Manual}"), "reproduces and trigger.type Reproduction belong together"),
    bad("run reproduces a number", run("reproduces: '1.0'"), "spec.reproduces"),
)

GOOD: tuple[tuple[str, dict[str, Any]], ...] = (
    ("a pipeline of few words", pipeline()),
    ("the longest pipeline name", pipeline(name="p" * 40)),
    ("64 variables", pipeline(f"environment: {many(64, 'V{}', 'x')}")),
    ("16 secrets", pipeline(f"secretEnvironment: {many(16, 'V{}', '{name: s, key: k}')}")),
    ("the same artifacts twice", pipeline("artifactsDirectory: a/b, environment: {artifacts_directory: a/b}")),
    ("the same answer twice", pipeline("saveTrainingData: true, environment: {save_training_data: 'true'}")),
    ("a folder of dots", dataset("name: housing, folder: '.../x'")),
    ("GPUs", pipeline("resources: {limits: {nvidia.com/gpu: 2}}")),
    ("a schedule of nonsense, which the status speaks of", pipeline("triggers: {schedule: {cron: nonsense}}")),
    ("a run of few words", run()),
    ("the longest run name", run(name="r" * 57)),
    ("a run of its own", run(base=TEMPLATE)),
    ("a run that a schedule started", run("trigger: {type: Schedule, scheduledAt: '2026-11-21T09:00:00Z'}")),
    ("a run that data started", run("trigger: {type: DatasetVersion, datasetVersion: housing-v1}")),
    ("a reproduction", run("reproduces: housing-price-1.0, trigger: {type: Reproduction}")),
)
