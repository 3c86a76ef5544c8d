"""Manifests that the API server refuses, each with the words that it says; and their neighbours that it takes.

A table to read: name, kind, what the object is, what the API server answers. `spec(...)` is written as YAML.
"""

from dataclasses import dataclass
from typing import Any

import yaml

DIGEST = "sha256:" + "a" * 64
HASH = "b" * 64


def obj(kind: str, name: str, spec: str, **more: Any) -> dict[str, Any]:
    """An object of one of our kinds; `spec` is YAML."""
    return {
        "apiVersion": "modelberth.io/v1alpha1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": yaml.safe_load(spec),
    } | more


def artifact(spec: str = "{}", name: str = "mnist") -> dict[str, Any]:
    return obj("ModelArtifact", name, spec)


def version(spec: str = "", name: str = "mnist-v4", base: str = "artifact: mnist, version: v4") -> dict[str, Any]:
    return obj("ModelVersion", name, f"{{{base}, {spec}}}")


def inline(spec: str = "", name: str = "mnist-v4", base: str = "artifact: mnist, version: v4") -> dict[str, Any]:
    return version("source: {inline: {files: {a: {text: x}}}}, " + spec, name, base)


def model(spec: str = "{}", name: str = "digits") -> dict[str, Any]:
    return obj("RegisteredModel", name, spec)


def deployment(
    spec: str = "template: {}", name: str = "digits", base: str = "model: digits, alias: production"
) -> dict[str, Any]:
    return obj("ModelDeployment", name, f"{{{base}, {spec}}}")


def session(
    spec: str = "operation: Push", name: str = "push", base: str = f"user: admin, secretHash: '{HASH}'"
) -> dict[str, Any]:
    return obj("TransferSession", name, f"{{{base}, {spec}}}")


def dataset(spec: str = "{}", name: str = "housing") -> dict[str, Any]:
    return obj("Dataset", name, spec)


def dataset_version(
    spec: str = "source: {inline: {files: {a: {text: x}}}}", name: str = "housing-v4", base: str = "dataset: housing, version: v4"
) -> dict[str, Any]:
    return obj("DatasetVersion", name, f"{{{base}, {spec}}}")


def without_spec(manifest: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in manifest.items() if key != "spec"}


@dataclass(frozen=True)
class Bad:
    """One refused manifest; the answer contains each of `says`."""

    name: str
    manifest: dict[str, Any]
    says: tuple[str, ...]


def bad(name: str, manifest: dict[str, Any], *says: str) -> Bad:
    return Bad(name, manifest, says)


def many(count: int, key: str, value: str) -> str:
    """A YAML map of so many entries; `key` has a place for the number."""
    return "{" + ", ".join(f"{key.format(n)}: {value}" for n in range(count)) + "}"


ALIAS_RULE = "an alias name is 1 to 40 lower case letters, digits and '-'"
ALIASED_MODEL = "spec.aliases: write the version's object name, <artifact>-<version>, such as handwriting-v1"
ALIASED = "spec.aliases: write the version's object name, <metadata.name>-<version>, such as handwriting-v1"
ONE_SOURCE = "spec.source has exactly one of pushed and inline; give one and remove the other"
ONE_TEMPLATE = "spec has exactly one of template and templateRef; give one and remove the other"
PATH_RULE = "a path is relative and plain"

BAD_ARTIFACTS = (
    bad("no spec", without_spec(artifact()), "spec: Required value"),
    bad("a type that is none", artifact("{type: dataset}"), "spec.type", 'supported values: "model"'),
    bad("a versioning that is none", artifact("{versioning: Calendar}"), "spec.versioning", '"Sequence", "Semantic"'),
    bad("an alias named latest", artifact("{aliases: {latest: {version: mnist-v1}}}"), "latest is reserved"),
    bad("an alias that looks like a version", artifact("{aliases: {v4: {version: mnist-v4}}}"), "must not look like"),
    bad("an alias in capitals", artifact("{aliases: {Best: {version: mnist-v4}}}"), ALIAS_RULE),
    bad("an alias of 41 characters", artifact(f"{{aliases: {{{'a' * 41}: {{version: mnist-v4}}}}}}"), ALIAS_RULE),
    bad("an alias that ends with a dash", artifact("{aliases: {best-: {version: mnist-v4}}}"), ALIAS_RULE),
    bad("65 aliases", artifact(f"{{aliases: {many(65, 'a{}', '{version: mnist-v1}')}}}"), "must have at most 64 items"),
    bad("an alias to a number", artifact("{aliases: {best: {version: v1}}}"), ALIASED),
    bad("an alias to an address", artifact("{aliases: {best: {version: 'mnist:v1'}}}"), ALIASED),
    bad("an alias without a version", artifact("{aliases: {best: {}}}"), "spec.aliases.best.version: Required value"),
    bad(
        "an alias to another artifact's version",
        artifact("{aliases: {best: {version: cifar-v1}}}"),
        "an artifact's alias stands for one of its own versions",
    ),
    bad(
        "an alias to the version of an artifact whose name only begins the same",
        artifact("{aliases: {best: {version: mnist-small-v1}}}"),
        "an artifact's alias stands for one of its own versions",
    ),
    bad("an alias as a list", artifact("{aliases: [{name: best, version: mnist-v1}]}"), 'unknown field "spec.aliases[0].name"'),
    bad("a name of 51 characters", artifact(name="a" * 51), "metadata.name of a ModelArtifact is 1 to 50"),
    bad("a name with a dot", artifact(name="mnist.small"), "metadata.name of a ModelArtifact is 1 to 50"),
    bad("a description of 4097 characters", artifact(f"{{description: {'x' * 4097}}}"), "spec.description: Too long"),
    bad("a misspelt field", artifact("{versionning: Semantic}"), 'unknown field "spec.versionning"'),
)

BAD_VERSIONS = (
    bad("no source", version(), "spec.source: Required value"),
    bad("an empty source", version("source: {}"), ONE_SOURCE),
    bad("two sources", inline("") | version(f"source: {{pushed: {{}}, inline: {{files: {{a: {{text: x}}}}}}}}, digest: '{DIGEST}'"), ONE_SOURCE),
    bad("an unknown source", version("source: {s3: {bucket: b}}"), 'unknown field "spec.source.s3"'),
    bad("pushed content without a digest", version("source: {pushed: {}}"), "spec.digest is required for pushed content"),
    bad("a digest without its algorithm", version(f"source: {{pushed: {{}}}}, digest: '{'a' * 64}'"), "spec.digest", "should be at least 71 chars long"),
    bad("a digest in capitals", version(f"source: {{pushed: {{}}}}, digest: 'sha256:{'A' * 64}'"), "spec.digest", "should match '^sha256:[0-9a-f]{64}$'"),
    bad("a digest that is too short", version("source: {pushed: {}}, digest: 'sha256:aa'"), "spec.digest", "should be at least 71 chars long"),
    bad("a name that is not artifact-version", inline(name="mnist-v5"), "metadata.name must be <spec.artifact>-<spec.version>"),
    bad("a version that is its own parent", inline("lineage: {parents: [mnist-v4]}"), "spec.lineage.parents: a version is not made of itself"),
    bad("a name that is the artifact alone", inline(name="mnist"), "metadata.name must be <spec.artifact>-<spec.version>"),
    bad("a version that is none", inline(name="mnist-next", base="artifact: mnist, version: next"), "spec.version", "should match"),
    bad("a version with a leading zero", inline(name="mnist-v04", base="artifact: mnist, version: v04"), "spec.version", "should match"),
    bad("a version of three numbers", inline(name="mnist-1.0.0", base="artifact: mnist, version: 1.0.0"), "spec.version", "should match"),
    bad("a version that YAML reads as a number", inline(name="mnist-1.1", base="artifact: mnist, version: 1.1"), "spec.version", "must be of type string"),
    bad("a version of 13 characters", inline(name="mnist-v123456789012", base="artifact: mnist, version: v123456789012"), "spec.version: Too long"),
    bad("an artifact of 51 characters", inline(name=f"{'a' * 51}-v1", base=f"artifact: {'a' * 51}, version: v1"), "spec.artifact: Too long"),
    bad("an artifact with a dot", inline(name="mnist.x-v1", base="artifact: mnist.x, version: v1"), "spec.artifact", "should match"),
    bad("no artifact", inline(base="version: v4"), "spec.artifact: Required value"),
    bad("inline without files", version("source: {inline: {files: {}}}"), "spec.source.inline.files", "should have at least 1 properties"),
    bad("65 inline files", version(f"source: {{inline: {{files: {many(65, 'f{}', '{text: x}')}}}}}"), "must have at most 64 items"),
    bad("a file with text and base64", version("source: {inline: {files: {a: {text: x, base64: eA==}}}}"), "a file has exactly one of text and base64"),
    bad("a file with neither", version("source: {inline: {files: {a: {}}}}"), "a file has exactly one of text and base64"),
    bad("base64 that is none", version("source: {inline: {files: {a: {base64: '%%%'}}}}"), "base64", "byte"),
    bad("base64 of nothing", version("source: {inline: {files: {a: {base64: ''}}}}"), "base64", "at least 1 chars long"),
    bad("a path that goes up", version("source: {inline: {files: {a/../../b: {text: x}}}}"), PATH_RULE),
    bad("an absolute path", version("source: {inline: {files: {/etc/passwd: {text: x}}}}"), PATH_RULE),
    bad("a path with an empty part", version("source: {inline: {files: {a//b: {text: x}}}}"), PATH_RULE),
    bad("a path that ends with a slash", version("source: {inline: {files: {a/: {text: x}}}}"), PATH_RULE),
    bad("a path of 1025 characters", version(f"source: {{inline: {{files: {{? {'a' * 1025} : {{text: x}}}}}}}}"), "a path is 1 to 1024 characters long"),
    bad("a parameter that is a number", inline("parameters: {rate: 0.1}"), "spec.parameters.rate", "must be of type string"),
    bad("a metric that is a text", inline("metrics: {accuracy: high}"), "spec.metrics.accuracy", "must be of type number"),
    bad("a metric without a name", inline("metrics: {'': 1}"), "spec.metrics: a name is 1 to 128 characters long"),
    bad("257 metrics", inline(f"metrics: {many(257, 'm{}', '1')}"), "must have at most 256 items"),
    bad("a parent that is no version's name", inline("lineage: {parents: [mnist]}"), "spec.lineage.parents[0]", "should match"),
    bad("the same parent twice", inline("lineage: {parents: [mnist-v1, mnist-v1]}"), "spec.lineage.parents[1]: Duplicate value"),
    bad("a dataset's role that is none", inline("lineage: {datasets: [{uri: x, role: dev}]}"), "spec.lineage.datasets[0].role", "supported values"),
)

BAD_MODELS = (
    bad("no spec", without_spec(model()), "spec: Required value"),
    bad("aliases that are a text", model("{aliases: production}"), "spec.aliases", "must be of type object"),
    bad("a type that is none", model("{type: dataset}"), "spec.type", "supported values"),
    bad("an alias named latest", model("{aliases: {latest: {version: mnist-v1}}}"), "latest is reserved"),
    bad("an alias that looks like a version", model("{aliases: {v10: {version: mnist-v4}}}"), "must not look like a version"),
    bad("an alias that begins with a digit", model("{aliases: {1st: {version: mnist-v4}}}"), ALIAS_RULE),
    bad("an alias of 41 characters", model(f"{{aliases: {{{'a' * 41}: {{version: mnist-v4}}}}}}"), ALIAS_RULE),
    bad("an alias without a version", model("{aliases: {production: {}}}"), "spec.aliases.production.version: Required value"),
    bad("an alias to an address", model("{aliases: {production: {version: 'mnist:v4'}}}"), ALIASED_MODEL),
    bad("an alias to an artifact", model("{aliases: {production: {version: mnist}}}"), ALIASED_MODEL),
    bad("an alias to a number", model("{aliases: {production: {version: v1}}}"), ALIASED_MODEL),
    bad("an alias to nothing", model("{aliases: {production: {version: ''}}}"), ALIASED_MODEL),
    bad("a version name of 64 characters", model(f"{{aliases: {{production: {{version: {'a' * 61}-v1}}}}}}"), "spec.aliases.production.version: Too long"),
    bad("a pin that is no digest", model("{aliases: {production: {version: mnist-v4, digest: v4}}}"), "spec.aliases.production.digest", "should be at least 71 chars long"),
    bad("an alias as a list", model("{aliases: [{name: production, version: mnist-v4}]}"), 'unknown field "spec.aliases[0].name"'),
    bad("65 aliases", model(f"{{aliases: {many(65, 'a{}', '{version: mnist-v1}')}}}"), "must have at most 64 items"),
    bad("a link to an artifact", model("{links: {mnist: {}}}"), "spec.links: a key is the object name of a ModelVersion"),
    bad("513 links", model(f"{{links: {many(513, 'mnist-v{}', '{}')}}}"), "must have at most 512 items"),
    bad("a link's unknown field", model("{links: {mnist-v1: {protected: true}}}"), 'unknown field "spec.links.mnist-v1.protected"'),
    bad("an alias' field of a later issue", model("{aliases: {production: {version: mnist-v1, protected: true}}}"), 'unknown field "spec.aliases.production.protected"'),
    bad("a name of 64 characters", model(name="a" * 64), "metadata.name of a RegisteredModel is 1 to 63"),
    bad("a name with a dot", model(name="digits.eu"), "metadata.name of a RegisteredModel is 1 to 63"),
)

BAD_DEPLOYMENTS = (
    bad("neither template nor templateRef", deployment(""), ONE_TEMPLATE),
    bad("template and templateRef", deployment("template: {}, templateRef: {name: t}"), ONE_TEMPLATE),
    bad("a template that is a text", deployment("template: server"), "spec.template", "must be of type object"),
    bad("a templateRef without a name", deployment("templateRef: {}"), "spec.templateRef.name: Required value"),
    bad("no model", deployment(base="alias: production"), "spec.model: Required value"),
    bad("no alias", deployment(base="model: digits"), "spec.alias: Required value"),
    bad("a model with its namespace", deployment(base="model: team/digits, alias: production"), "spec.model", "should match"),
    bad("the alias latest", deployment(base="model: digits, alias: latest"), "spec.alias: latest is reserved"),
    bad("a version as the alias", deployment(base="model: digits, alias: v4"), "spec.alias must name an alias, not a version"),
    bad("an alias of 41 characters", deployment(base=f"model: digits, alias: {'a' * 41}"), "spec.alias: Too long"),
    bad("a delivery of a later issue", deployment("template: {}, delivery: Image"), "spec.delivery", 'supported values: "Load"'),
    bad("a strategy of a later issue", deployment("template: {}, strategy: {type: Canary}"), "spec.strategy.type", 'supported values: "Rolling", "Recreate"'),
    bad("Recreate with a surge", deployment("template: {}, strategy: {type: Recreate, maxSurge: 1}"), "maxSurge and maxUnavailable belong to type Rolling"),
    bad("no surge and nothing unavailable", deployment("template: {}, strategy: {maxSurge: 0, maxUnavailable: 0%}"), "cannot both be 0"),
    bad("no surge, by the default of the other", deployment("template: {}, strategy: {maxSurge: 0%}"), "cannot both be 0"),
    bad("a surge below zero", deployment("template: {}, strategy: {maxSurge: -1}"), "spec.strategy.maxSurge", "greater than or equal to 0"),
    bad("a surge above 100 %", deployment("template: {}, strategy: {maxSurge: 101%}"), "spec.strategy.maxSurge", "should match"),
    bad("a surge that is a word", deployment("template: {}, strategy: {maxSurge: many}"), "spec.strategy.maxSurge", "should match"),
    bad("replicas below zero", deployment("template: {}, replicas: -1"), "spec.replicas", "greater than or equal to 0"),
    bad("replicas above the limit", deployment("template: {}, replicas: 1001"), "spec.replicas", "less than or equal to 1000"),
    bad("a relative mount path", deployment("template: {}, loader: {mountPath: models}"), "spec.loader.mountPath", "should match"),
    bad("a mount path that goes up", deployment("template: {}, loader: {mountPath: /mnt/../etc}"), "spec.loader.mountPath must be a plain absolute path"),
    bad("the root as mount path", deployment("template: {}, loader: {mountPath: /}"), "spec.loader.mountPath", "should match"),
    bad("a quantity that is none", deployment("template: {}, loader: {resources: {limits: {memory: lots}}}"), "spec.loader.resources.limits.memory", "should match"),
    bad("a quantity below zero", deployment("template: {}, loader: {resources: {limits: {cpu: -1}}}"), "spec.loader.resources.limits.cpu", "greater than or equal to 0"),
    bad("a port above 65535", deployment("template: {}, service: {ports: [{name: http, port: 65536}]}"), "spec.service.ports[0].port", "less than or equal to 65535"),
    bad("a port without a name", deployment("template: {}, service: {ports: [{port: 80}]}"), "spec.service.ports[0].name: Required value"),
    bad("two ports of one name", deployment("template: {}, service: {ports: [{name: a, port: 1}, {name: a, port: 2}]}"), "spec.service.ports[1]: Duplicate value"),
    bad("a target port that is no name", deployment("template: {}, service: {ports: [{name: a, port: 1, targetPort: A_B}]}"), "targetPort", "should match"),
    bad("a target port of zero", deployment("template: {}, service: {ports: [{name: a, port: 1, targetPort: 0}]}"), "targetPort", "greater than or equal to 1"),
    bad("no time at all without progress", deployment("template: {}, noProgressSeconds: 0"), "spec.noProgressSeconds", "greater than or equal to 1"),
    bad("a name of 53 characters", deployment(name="a" * 53), "metadata.name of a ModelDeployment is 1 to 52"),
    bad("a name that begins with a digit", deployment(name="1digits"), "metadata.name of a ModelDeployment is 1 to 52"),
    bad("a misspelt field", deployment("template: {}, maxSurge: 1"), 'unknown field "spec.maxSurge"'),
)

BAD_SESSIONS = (
    bad("an operation that is none", session("operation: Delete"), "spec.operation", 'supported values: "Push", "Pull"'),
    bad("no operation", session(""), "spec.operation: Required value"),
    bad("no user", session(base=f"secretHash: '{HASH}'"), "spec.user: Required value"),
    bad("the secret itself in place of its hash", session(base="user: admin, secretHash: hunter2"), "spec.secretHash", "should be at least 64 chars long"),
    bad("a hash in capitals", session(base=f"user: admin, secretHash: '{'B' * 64}'"), "spec.secretHash", "should match '^[0-9a-f]{64}$'"),
    bad("a life of 59 seconds", session("operation: Push, ttlSeconds: 59"), "spec.ttlSeconds", "greater than or equal to 60"),
    bad("a life of more than a day", session("operation: Push, ttlSeconds: 86401"), "spec.ttlSeconds", "less than or equal to 86400"),
    bad("an artifact that is none", session("operation: Push, artifact: Mnist"), "spec.artifact", "should match"),
    bad("a name with a dot", session(name="push.1"), "metadata.name of a TransferSession is 1 to 63"),
)

INLINE = "source: {inline: {files: {a: {text: x}}}}"
BAD_DATA = (
    bad("a way of counting", dataset("{versioning: Semantic}"), 'unknown field "spec.versioning"'),
    bad("an alias to a number", dataset("{aliases: {best: {version: v1}}}"), ALIASED),
    bad("an alias to another dataset's version", dataset("{aliases: {best: {version: cars-v1}}}"), "a dataset's alias stands for one of its own versions"),
    bad("an alias named latest", dataset("{aliases: {latest: {version: housing-v1}}}"), "latest is reserved"),
    bad("a name of 51 characters", dataset(name="a" * 51), "metadata.name of a Dataset is 1 to 50"),
    bad("a name that is not dataset-version", dataset_version(name="housing-v5"), "metadata.name must be <spec.dataset>-<spec.version>"),
    bad("data derived from itself", dataset_version("source: {inline: {files: {a: {text: x}}}}, derivedFrom: [housing-v3, housing-v4]"), "spec.derivedFrom: a version is not made of itself"),
    bad("a semantic version", dataset_version(name="housing-1.0", base="dataset: housing, version: '1.0'"), "spec.version", "should match"),
    bad("an artifact's version", dataset_version(base="artifact: housing, version: v4"), 'unknown field "spec.artifact"'),
    bad("metrics", dataset_version(f"{INLINE}, metrics: {{a: 1}}"), 'unknown field "spec.metrics"'),
    bad("no source", dataset_version("format: csv"), "spec.source: Required value"),
    bad("two sources", dataset_version(f"source: {{pushed: {{}}, inline: {{files: {{a: {{text: x}}}}}}}}, digest: '{DIGEST}'"), ONE_SOURCE),
    bad("pushed content without a digest", dataset_version("source: {pushed: {}}"), "spec.digest is required for pushed content"),
    bad("derived from what is no version", dataset_version(f"{INLINE}, derivedFrom: [housing]"), "spec.derivedFrom[0]", "should match"),
    bad("derived from the same twice", dataset_version(f"{INLINE}, derivedFrom: [raw-v1, raw-v1]"), "spec.derivedFrom[1]: Duplicate value"),
    bad("65 labels", dataset_version(f"{INLINE}, labels: {many(65, 'l{}', 'x')}"), "must have at most 64 items"),
    bad("a label that is no text", dataset_version(f"{INLINE}, labels: {{rows: 5}}"), "must be of type string"),
    bad("a label without a name", dataset_version(f"{INLINE}, labels: {{'': x}}"), "spec.labels: a name is 1 to 128 characters long"),
    bad("a lineage of models", dataset_version(f"{INLINE}, lineage: {{parents: [mnist-v1]}}"), 'unknown field "spec.lineage.parents"'),
    bad("a run here and elsewhere", inline("lineage: {run: {uri: 'https://x', trainingRun: t}}"), "lineage.run has exactly one of uri and trainingRun"),
    bad("a run that is nowhere", inline("lineage: {run: {}}"), "lineage.run has exactly one of uri and trainingRun"),
    bad("the uid of a run elsewhere", inline("lineage: {run: {uri: 'https://x', uid: u}}"), "lineage.run.uid is the uid of a TrainingRun"),
    bad("a dataset here and elsewhere", inline("lineage: {datasets: [{uri: 's3://x', version: housing-v1}]}"), "an entry has exactly one of uri and version"),
    bad("a dataset that is nowhere", inline("lineage: {datasets: [{role: train}]}"), "an entry has exactly one of uri and version"),
    bad("a folder that climbs", inline("lineage: {datasets: [{version: housing-v1, folder: ../x}]}"), "folder", "should match"),
    bad("a folder from the root", inline("lineage: {datasets: [{version: housing-v1, folder: /x}]}"), "folder", "should match"),
    bad("a family that is none", session("operation: Pull, family: secrets"), "spec.family", 'supported values: "models", "datasets", "runs"'),
    bad("an artifact of a family that has none", session("operation: Pull, family: datasets, artifact: mnist"), "spec.artifact narrows a session of family models"),
    bad("a dataset of a family that has none", session("operation: Pull, dataset: housing"), "spec.dataset narrows a session of family datasets"),
    bad("a push into runs", session("operation: Push, family: runs"), "the files of runs are pushed by the runs themselves"),
)

BAD = (*BAD_DATA, *BAD_ARTIFACTS, *BAD_VERSIONS, *BAD_MODELS, *BAD_DEPLOYMENTS, *BAD_SESSIONS)

ADMIN = f"user: kubernetes-admin, secretHash: '{HASH}'"
GOOD = (
    ("a bare artifact", artifact()),
    ("a bare dataset", dataset()),
    ("a dataset's alias to a version that does not exist yet", dataset("{aliases: {best: {version: housing-v9}}}")),
    ("data with all that can be said of it", dataset_version(f"{INLINE}, format: csv, description: d, derivedFrom: [raw-v1, cars-v2], labels: {many(64, 'l{}', 'x')}, lineage: {{run: {{trainingRun: t, uid: u}}, code: {{revision: abc}}}}")),
    ("a model made here of data from here and elsewhere", inline(f"lineage: {{run: {{trainingRun: t}}, package: trainer-1.0, environment: {{imageDigest: '{DIGEST}'}}, datasets: [{{version: housing-v1, folder: 'train/..a/b', role: train}}, {{uri: 's3://x'}}]}}")),
    ("a session for one dataset", session("operation: Push, family: datasets, dataset: housing", base=ADMIN)),
    ("a session for the files of runs", session("operation: Pull, family: runs", base=ADMIN)),
    ("an artifact's name of 50 characters", artifact(name="a" * 50)),
    ("an artifact with 64 aliases", artifact(f"{{aliases: {many(64, 'a{}', '{version: mnist-v1}')}}}")),
    ("an artifact's alias to a version that does not exist yet", artifact("{aliases: {best: {version: mnist-v9}}}")),
    ("an alias of 40 characters", artifact(f"{{aliases: {{{'a' * 40}: {{version: mnist-1.0}}}}}}")),
    ("an alias that only begins like a version", artifact("{aliases: {v4-beta: {version: mnist-v4}}}")),
    ("pushed content with its digest", version(f"source: {{pushed: {{}}}}, digest: '{DIGEST}'")),
    ("inline content with a pin", inline(f"digest: '{DIGEST}'")),
    ("a semantic version", inline(name="mnist-1.10", base="artifact: mnist, version: '1.10'")),
    ("a version's name of 63 characters", inline(name=f"{'a' * 50}-v12345678901", base=f"artifact: {'a' * 50}, version: v12345678901")),
    ("an artifact's name that looks like a version's", inline(name="mnist-v1-v2", base="artifact: mnist-v1, version: v2")),
    ("paths with spaces, dots and foreign letters", version("source: {inline: {files: {'ä b/..c/.d': {text: ''}, 'x': {base64: AA==}}}}")),
    ("a path of 1024 characters", version(f"source: {{inline: {{files: {{? {'a' * 1024} : {{text: x}}}}}}}}")),
    ("256 metrics", inline(f"metrics: {many(256, 'm{}', '0.5')}")),
    ("a model without anything", model()),
    ("a model's name of 63 characters", model(name="a" * 63)),
    ("64 aliases to versions that do not exist yet", model(f"{{aliases: {many(64, 'a{}', '{version: mnist-v1}')}}}")),
    ("512 links", model(f"{{links: {many(512, 'mnist-v{}', '{}')}}}")),
    ("links of several artifacts", model("{links: {mnist-v1: {}, mnist-small-1.0: {note: x}}}")),
    ("a deployment's name of 52 characters", deployment(name="a" * 52)),
    ("shares", deployment("template: {}, strategy: {maxSurge: 100%, maxUnavailable: 0%}")),
    ("no surge, but something unavailable", deployment("template: {}, strategy: {maxSurge: 0, maxUnavailable: 1}")),
    ("Recreate", deployment("template: {}, strategy: {type: Recreate}")),
    ("no replicas at all", deployment("template: {}, replicas: 0")),
    ("quantities of each form", deployment("template: {}, loader: {resources: {limits: {cpu: 1, memory: 1.5Gi, x/y: 5e3}, requests: {cpu: 100m}}}")),
    ("ports by number and by name", deployment("template: {}, service: {ports: [{name: a, port: 1, targetPort: 8080}, {name: b, port: 2, targetPort: http}, {name: c, port: 3}]}")),
)
