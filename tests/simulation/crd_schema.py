"""Structural schemas as the API server uses them: defaults, unknown fields, types and bounds. CEL is not evaluated."""

import re
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

Schema = Mapping[str, Any]

_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
}

_TIME = re.compile(r"([0-9]{2}):([0-9]{2}):([0-9]{2})(.[0-9]+)?(z|[+-][0-9]{2}:[0-9]{2})")


def defaulted(schema: Schema, value: Any) -> Any:
    """``value`` with the schema's defaults where fields are missing; the given value is left as it is."""
    if isinstance(value, dict):
        result = dict(value)
        for name, child in (schema.get("properties") or {}).items():
            if name not in result and "default" in child:
                result[name] = child["default"]
            if name in result:
                result[name] = defaulted(child, result[name])
        extra = schema.get("additionalProperties")
        if isinstance(extra, dict):
            for name in result.keys() - (schema.get("properties") or {}).keys():
                result[name] = defaulted(extra, result[name])
        return result
    if isinstance(value, list) and "items" in schema:
        return [defaulted(schema["items"], item) for item in value]
    return value


def faults(schema: Schema, value: Any, path: str = "") -> Iterator[str]:
    """Each way in which ``value`` is not what the schema asks for, in the API server's wording where it is short."""
    if value is None:
        if not schema.get("nullable"):
            yield f"{path}: Invalid value: null"
        return
    if schema.get("x-kubernetes-int-or-string"):
        return
    wanted = _TYPES.get(schema.get("type", ""))
    if wanted and (not isinstance(value, wanted) or (isinstance(value, bool) and bool not in wanted)):
        yield f"{path}: Invalid value: must be of type {schema['type']}"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f'{path}: Unsupported value: "{value}"'
    if isinstance(value, str):
        yield from _text_faults(schema, value, path)
    elif isinstance(value, dict):
        yield from _object_faults(schema, value, path)
    elif isinstance(value, list):
        if len(value) > schema.get("maxItems", len(value)):
            yield f"{path}: Too many: {len(value)}: must have at most {schema['maxItems']} items"
        for index, item in enumerate(value):
            yield from faults(schema.get("items") or {}, item, f"{path}[{index}]")
    elif not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        yield f"{path}: Invalid value: {value}: out of bounds"


def _text_faults(schema: Schema, value: str, path: str) -> Iterator[str]:
    if schema.get("format") == "date-time" and not _is_date_time(value):
        yield f'{path}: Invalid value: "{value}": must be of type date-time'
    if "pattern" in schema and re.search(schema["pattern"], value) is None:
        yield f"{path}: Invalid value: \"{value}\": should match '{schema['pattern']}'"
    if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
        yield f'{path}: Invalid value: "{value[:40]}": length {len(value)} is out of bounds'


def _is_date_time(value: str) -> bool:
    """As github.com/go-openapi/strfmt has it; the API server reads no other format of ours than this."""
    day, _, rest = value.lower().partition("t")
    time = _TIME.fullmatch(rest)
    try:
        is_day = re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", day) is not None and bool(date.fromisoformat(day))
    except ValueError:
        return False
    return is_day and time is not None and time[1] <= "23" and time[2] <= "59" and time[3] <= "59"


def _object_faults(schema: Schema, value: dict[str, Any], path: str) -> Iterator[str]:
    properties = schema.get("properties") or {}
    extra = schema.get("additionalProperties")
    open_ended = schema.get("x-kubernetes-preserve-unknown-fields") or extra is True
    for name in schema.get("required") or ():
        if name not in value:
            yield f"{path}.{name}: Required value"
    if not schema.get("minProperties", 0) <= len(value) <= schema.get("maxProperties", len(value)):
        yield f"{path}: Invalid value: {len(value)} entries are out of bounds"
    for name, child in value.items():
        if name in properties:
            yield from faults(properties[name], child, f"{path}.{name}")
        elif isinstance(extra, dict):
            yield from faults(extra, child, f"{path}.{name}")
        elif not open_ended:
            yield f'strict decoding error: unknown field "{f"{path}.{name}".lstrip(".")}"'
