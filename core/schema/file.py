"""The JSON Schema of the pipeline file, with the steps that the installed plugins bring: for editors and for CI."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic.errors import PydanticInvalidForJsonSchema

from headrace.core.catalog import Catalog
from headrace.core.config.pipeline import PipelineFile
from headrace.core.config.section import STEP_MARK
from headrace.core.errors import HeadraceError
from headrace.core.schema.document import DIALECT, Schema, hoisted, mapped, model_schema
from headrace.core.schema.errors import OptionsSchemaError
from headrace.core.step import KINDS, Kind, StepSpec

__all__ = ["file_schema", "options_schema"]

_VARIABLE = "environment-variable"
_SCALARS = frozenset(("integer", "number", "boolean"))


def file_schema(catalog: Catalog) -> Schema:
    """Return the schema of a pipeline file, draft 2020-12.

    What it lets pass may still be refused by `check`, which knows more: whether models exist, whether a route fits
    them, whether an expression compiles.
    """
    whole = model_schema(PipelineFile)
    definitions: Schema = {kind: _kind(kind, catalog) for kind in KINDS}
    for spec in catalog.specs():
        hoisted(_lenient_options(spec), _options_name(spec), definitions)
    whole["$defs"] = {**whole.get("$defs", {}), **definitions}
    whole = mapped(whole, _in_the_file)
    whole["$defs"][_VARIABLE] = {
        "description": "what an environment variable holds: ${NAME}, in quotes",
        "type": "string",
        "pattern": r"\$\{[A-Za-z_][A-Za-z0-9_]*\}",
    }
    return {"$schema": DIALECT, **whole, "title": "Headrace pipeline file", "description": "One pipeline, version 1."}


def options_schema(spec: StepSpec) -> Schema:
    """Return the schema of a step's options.

    Raises:
        OptionsSchemaError: HR606, they hold a type that JSON Schema has no form for.
    """
    try:
        return model_schema(spec.options)
    except (PydanticInvalidForJsonSchema, TypeError, ValueError) as error:
        fault = " ".join(str(error).partition("For further information")[0].split())
        raise OptionsSchemaError(
            f"the options of {spec.kind} {spec.name!r} ({spec.distribution}) cannot be described: {fault}",
            mend="use types that JSON Schema has, or WithJsonSchema",
        ) from None


def _lenient_options(spec: StepSpec) -> Schema:
    try:
        return options_schema(spec)
    except HeadraceError as error:
        return {"type": "object", "description": error.fault}


def _kind(kind: Kind, catalog: Catalog) -> Schema:
    """Return what a step of this kind is: a name, or one key with its options."""
    specs = [spec for spec in catalog.specs() if spec.kind == kind]
    names = [{"const": spec.name, "description": spec.summary} for spec in specs if not _needs_options(spec)]
    options = {"type": "object", "additionalProperties": False, "minProperties": 1, "maxProperties": 1}
    keyed = {**options, "properties": {spec.name: dict(_options(spec)) for spec in specs}}
    return {"description": f"a {kind} step: its name, or one key with its options", "oneOf": [*names, keyed]}


def _options(spec: StepSpec) -> Iterator[tuple[str, Any]]:
    yield "description", spec.summary
    ref = {"$ref": f"#/$defs/{_options_name(spec)}"}
    if _needs_options(spec):
        yield "allOf", [ref]
    else:
        yield "anyOf", [ref, {"type": "null"}]


def _options_name(spec: StepSpec) -> str:
    return f"{spec.kind}.{spec.name}"


def _needs_options(spec: StepSpec) -> bool:
    return any(field.is_required() for field in spec.options.model_fields.values())


def _in_the_file(part: Schema) -> Schema:
    """Return a part as the file may write it: steps as such, and a variable in the place of any value."""
    if STEP_MARK in part:
        kept = {key: value for key, value in part.items() if key not in (STEP_MARK, "default")}
        step = {"$ref": f"#/$defs/{part[STEP_MARK]}"}
        return {**kept, "anyOf": [step, {"type": "null"}]} if "default" in part else {**kept, **step}
    if "examples" in part and not isinstance(part.get("default", ""), str):
        part = {key: value for key, value in part.items() if key != "default"}  # a duration's, in the plan's unit
    if "patternProperties" in part:  # a map whose keys have a form; pydantic lets other keys pass
        return {"additionalProperties": False, **part}
    has_shape = part.get("type") in _SCALARS or "pattern" in part or "enum" in part
    if not has_shape or not isinstance(part.get("type", ""), str):
        return part
    said: Schema = {key: part[key] for key in ("title", "description", "default") if key in part}
    bare = {key: value for key, value in part.items() if key not in said}
    return {**said, "anyOf": [bare, {"$ref": f"#/$defs/{_VARIABLE}"}]}
