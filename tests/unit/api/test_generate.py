"""The generated files are what the models give."""

import pytest
import yaml

from modelberth.api.generate import files, main
from modelberth.api.kinds import KINDS
from modelberth.api.reference import reference


def test_the_repository_is_up_to_date():
    """Nobody changed a model without generating, or a generated file by hand."""
    assert main(["--check"]) == 0


def test_drift_is_named(tmp_path, monkeypatch, capsys):
    """Each file that is missing or different is named, and the check fails; generating mends it."""
    monkeypatch.chdir(tmp_path)
    assert main([]) == 0
    assert main(["--check"]) == 0
    (tmp_path / "crds/modelversions.yaml").write_text("other")
    (tmp_path / "docs/api.md").unlink()
    assert main(["--check"]) == 1
    named = [line.split()[0] for line in capsys.readouterr().err.splitlines()]
    assert named == ["crds/modelversions.yaml", "docs/api.md"]
    assert main([]) == 0
    assert main(["--check"]) == 0


def test_one_definition_for_each_kind():
    """`kubectl apply -f crds` makes all kinds."""
    texts = [text for path, text in files() if path.startswith("crds/")]
    definitions = [yaml.safe_load(text) for text in texts]
    assert [d["spec"]["names"]["kind"] for d in definitions] == [kind.name for kind in KINDS]


def test_the_charts_copy_says_the_same():
    """A chart's copy is the definition behind two switches; Helm finds nothing else to expand in it."""
    generated = dict(files())
    for kind in KINDS:
        template = generated[f"charts/modelberth/templates/crds/{kind.plural}.yaml"]
        definition = yaml.safe_load(generated[f"crds/{kind.plural}.yaml"])
        expressions = [line.strip() for line in template.splitlines() if "{{" in line]
        assert expressions == [
            "{{- if .Values.crds.enabled }}",
            'labels: {{- include "modelberth.labels" . | nindent 4 }}',
            "{{- if .Values.crds.keep }}",
            "{{- end }}",
            "{{- end }}",
        ]
        plain = yaml.safe_load("\n".join(line for line in template.splitlines() if "{{" not in line))
        assert plain["spec"] == definition["spec"]
        assert plain["metadata"]["name"] == definition["metadata"]["name"]
        assert plain["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}


@pytest.mark.parametrize(
    "row",
    [
        "| **`spec.model`** | string | The RegisteredModel, in the same namespace. |",
        "| `spec.strategy.type` | Rolling, Recreate |",
        "| `spec.noProgressSeconds` | int32 |",
        "| **`spec.service.ports[].name`** | string |",
        "| `spec.aliases.*.digest` | string |",
        "| `spec.metrics` | map of number |",
    ],
)
def test_the_reference_has_every_field(row):
    """The reference names fields as paths, with type and meaning."""
    assert row in reference()
