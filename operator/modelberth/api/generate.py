"""Writes what is generated from the models: `crds/*.yaml`, the chart's copies and the reference of the API.

python -m modelberth.api.generate           writes the files
python -m modelberth.api.generate --check   names the files that differ, exit code 1 if there are any
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from modelberth.api.crd import custom_resource_definition
from modelberth.api.kinds import KINDS
from modelberth.api.reference import reference

_HEADER = (
    "# Generated from operator/modelberth/api by `python -m modelberth.api.generate`; change the models instead.\n"
)
_CHART_METADATA = """\
metadata:
  name: {name}
  labels: {{{{- include "modelberth.labels" . | nindent 4 }}}}
  {{{{- if .Values.crds.keep }}}}
  annotations:
    helm.sh/resource-policy: keep
  {{{{- end }}}}
"""


class _Dumper(yaml.SafeDumper):
    """Writes the same object twice where YAML would refer back to it: people read these files."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the overridden signature
        return True


def files() -> Iterator[tuple[str, str]]:
    """Each generated file: its path in the repository, and its text."""
    for kind in KINDS:
        definition = custom_resource_definition(kind)
        yield f"crds/{kind.plural}.yaml", _HEADER + _yaml(definition)
        yield f"charts/modelberth/templates/crds/{kind.plural}.yaml", _chart_template(definition)
    yield "docs/api.md", reference()


def _yaml(value: Any) -> str:
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, width=120, allow_unicode=True)


def _chart_template(definition: dict[str, Any]) -> str:
    """The definition as a Helm template: it can be left out, and kept when the release is uninstalled."""
    head = {key: definition[key] for key in ("apiVersion", "kind")}
    metadata = _CHART_METADATA.format(name=definition["metadata"]["name"])
    body = _yaml({"spec": definition["spec"]})
    return f"{_HEADER}{{{{- if .Values.crds.enabled }}}}\n{_yaml(head)}{metadata}{body}{{{{- end }}}}\n"


def main(arguments: list[str] | None = None) -> int:
    """Writes or checks the files below the folder that the command runs in."""
    parser = argparse.ArgumentParser(prog="python -m modelberth.api.generate", description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="change nothing; fail if a file is not up to date")
    check = parser.parse_args(arguments).check
    root = Path.cwd()
    stale = [path for path, text in files() if not _holds(root / path, text)]
    if check:
        for path in stale:
            sys.stderr.write(f"{path} is not what the models give; run python -m modelberth.api.generate\n")
        return 1 if stale else 0
    for path, text in files():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
    return 0


def _holds(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text


if __name__ == "__main__":
    sys.exit(main())
