"""JSON Schemas as plain values: made from pydantic models, and moved into one document without a clash of names."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, PydanticJsonSchemaWarning

__all__ = ["DIALECT", "Schema", "hoisted", "mapped", "model_schema"]

Schema = dict[str, Any]
DIALECT = "https://json-schema.org/draft/2020-12/schema"
_OWN = "#/$defs/"
_MAPS = frozenset(("$defs", "properties", "patternProperties", "dependentSchemas"))
_LISTS = frozenset(("allOf", "anyOf", "oneOf", "prefixItems"))
_SINGLE = frozenset(("items", "additionalProperties", "contains", "not", "if", "then", "else"))
"""Where schemas stand inside a schema; not `propertyNames`, which is about keys."""


def model_schema(model: type[BaseModel], mode: JsonSchemaMode = "validation") -> Schema:
    """Return the JSON Schema of a model, names as they are written outside Python."""
    with warnings.catch_warnings():  # of defaults that JSON has no form for; they are left out
        warnings.simplefilter("ignore", PydanticJsonSchemaWarning)
        return model.model_json_schema(by_alias=True, mode=mode)


def mapped(schema: Any, change: Callable[[Schema], Schema]) -> Any:
    """Return a schema in which each schema inside it, and last itself, is the changed one.

    Only what stands where a schema may stand is changed: never a property that happens to be called `enum`, a default
    or an example.
    """
    if not isinstance(schema, Mapping):
        return schema  # true, false, or nothing that we know
    return change({key: _mapped_at(key, value, change) for key, value in schema.items()})


def _mapped_at(key: str, value: Any, change: Callable[[Schema], Schema]) -> Any:
    if key in _MAPS and isinstance(value, Mapping):
        return {name: mapped(inner, change) for name, inner in value.items()}
    if key in _LISTS and isinstance(value, list):
        return [mapped(inner, change) for inner in value]
    return mapped(value, change) if key in _SINGLE else value


def hoisted(schema: Mapping[str, Any], name: str, into: Schema, at: str = _OWN) -> None:
    """Put a schema and the definitions that it brings into a document's, under names that begin with its own.

    Args:
        schema: a whole schema; what it refers to lies in its `$defs`.
        name: what it is called in the document.
        into: the document's definitions.
        at: where they lie in the document, as a reference begins.
    """

    def moved(part: Schema) -> Schema:
        target = part.get("$ref")
        if not isinstance(target, str) or not target.startswith(_OWN):
            return part
        return {**part, "$ref": f"{at}{name}-{target.removeprefix(_OWN)}"}

    whole = mapped(schema, moved)
    for inner, definition in whole.pop("$defs", {}).items():
        into[f"{name}-{inner}"] = definition
    into[name] = whole
