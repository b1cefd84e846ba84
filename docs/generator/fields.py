"""Tables of the fields of a pydantic model: key, type, default, meaning, as a person would say them."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator, Sequence
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MinLen
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from table import code, table

from headrace.core.config.units import parse_bytes, parse_milliseconds

__all__ = ["field_table", "key_table"]

_WORDS = {str: "text", int: "whole number", float: "number", bool: "true or false", NoneType: "null"}
_UNITS = {parse_milliseconds: "duration", parse_bytes: "size"}
_BOUNDS = {Ge: ("at least", "ge"), Gt: ("more than", "gt"), Le: ("at most", "le"), Lt: ("less than", "lt")}
_MS = (("h", 3_600_000), ("m", 60_000), ("s", 1000))
_BYTES = (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10))


def key_table(model: type[BaseModel], without: Sequence[str] = ()) -> str:
    """Return what a file may say: one row a key, those of inner sections dotted."""
    rows = [row for row in _key_rows(model) if row[0].strip("`") not in without]
    return table(("Key", "Type", "Default", "Meaning"), rows) if rows else "No options."


def field_table(model: type[BaseModel]) -> str:
    """Return what a message has: one row a field, those of inner objects dotted."""
    return table(("Field", "Type", "Meaning"), _field_rows(model))


def _key_rows(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, ...]]:
    for name, field in model.model_fields.items():
        yield code(prefix + name), _key_type(name, field), _default(field), _meaning(field)
        if not _has_own_table(field):
            yield from _inner(field, prefix + name, _key_rows)


def _field_rows(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, ...]]:
    for name, field in model.model_fields.items():
        yield code(prefix + name), _type(field), _meaning(field)
        yield from _inner(field, prefix + name, _field_rows)


def _inner(field: FieldInfo, name: str, rows: Any) -> Iterator[tuple[str, ...]]:
    is_list = get_origin(field.annotation) is list
    for model in _models(field.annotation):
        yield from rows(model, f"{name}[]." if is_list else f"{name}.")


def _key_type(name: str, field: FieldInfo) -> str:
    """Return the type as the writer of a file meets it: a key that may be left out needs no null."""
    if _has_own_table(field):
        return f"[section](#{name})"
    return _type(field).replace(" or null", "").replace("any value", "step").replace("object", "section")


def _has_own_table(field: FieldInfo) -> bool:
    return any(model.__module__.endswith("config.pipeline") for model in _models(field.annotation))


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)


def _type(field: FieldInfo) -> str:
    words = _name(field.annotation, field.metadata)
    bounds = [f"{_BOUNDS[type(rule)][0]} {getattr(rule, _BOUNDS[type(rule)][1]):g}" for rule in _rules(field)]
    return ", ".join([words, *bounds])


def _rules(field: FieldInfo) -> list[Any]:
    if any(getattr(rule, "func", None) in _UNITS for rule in field.metadata):
        return []  # their bounds are in the plan's unit, not in the file's
    return [rule for rule in field.metadata if type(rule) in _BOUNDS]


def _name(annotation: Any, metadata: Sequence[Any] = ()) -> str:
    unit = next((_UNITS[rule.func] for rule in metadata if getattr(rule, "func", None) in _UNITS), None)
    if unit:
        return unit
    if annotation in _WORDS:
        return _WORDS[annotation]
    if annotation is Any:
        return "any value"
    if isinstance(annotation, type):
        return "object" if issubclass(annotation, BaseModel) else "RFC 3339 time"
    return _compound(get_origin(annotation), get_args(annotation), getattr(annotation, "__metadata__", ()))


def _compound(origin: Any, parts: tuple[Any, ...], metadata: Sequence[Any]) -> str:
    if metadata:  # Annotated
        return _name(parts[0], [*metadata, *getattr(metadata[0], "metadata", ())])
    if origin is Literal:
        return " or ".join(code(str(part)) for part in parts)
    if origin in (Union, UnionType):
        return " or ".join(dict.fromkeys(_name(part) for part in parts))
    if origin in (list, tuple):
        return f"list of {_plural(parts[0])}"
    return f"map of {_plural(parts[0])} to {_plural(parts[1])}"


def _plural(part: Any) -> str:
    words = _name(part)
    if words.startswith("map of"):
        return f"maps{words.removeprefix('map')}"
    return words if words.endswith("text") and " " in words else f"{words}s"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    default = field.default if field.default is not PydanticUndefined else field.get_default(call_default_factory=True)
    unit = next((_UNITS[rule.func] for rule in field.metadata if getattr(rule, "func", None) in _UNITS), None)
    if default is None or isinstance(default, BaseModel) or default in ({}, [], ()):
        return ""
    if unit:
        return code(_in_unit(default, _MS, "ms") if unit == "duration" else _in_unit(default, _BYTES, ""))
    return code(default if isinstance(default, str) else json.dumps(default))


def _in_unit(value: float, units: Sequence[tuple[str, int]], smallest: str) -> str:
    name, size = next(((name, size) for name, size in units if value and value % size == 0), (smallest, 1))
    return f"{value / size:g}{name}"


def _meaning(field: FieldInfo) -> str:
    inner = [one for one in (inspect.getdoc(model) or "" for model in _models(field.annotation)) if one]
    shortest = [rule.min_length for rule in field.metadata if isinstance(rule, MinLen) and rule.min_length > 1]
    least = f"; at least {shortest[0]}" if shortest else ""
    if field.description:
        return field.description + least
    first = inner[0].partition("\n")[0].rstrip(".") if inner else ""
    return first[:1].lower() + first[1:] + least
