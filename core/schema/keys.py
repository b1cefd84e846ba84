"""The fields of a pydantic model as a person would say them: key, type, default, meaning."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from datetime import datetime
from enum import Enum
from types import NoneType, UnionType
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MinLen
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined, to_jsonable_python

from headrace.core.config.units import parse_bytes, parse_milliseconds

__all__ = ["Row", "field_rows", "key_rows", "models_in"]

_WORDS = {str: "text", int: "whole number", float: "number", bool: "true or false", NoneType: "null"}
_UNITS = {parse_milliseconds: "duration", parse_bytes: "size"}
_BOUNDS = {Ge: ("at least", "ge"), Gt: ("more than", "gt"), Le: ("at most", "le"), Lt: ("less than", "lt")}
_MARKS: Mapping[object, str] = {list: "[]", tuple: "[]", dict: ".NAME"}
_MS = (("h", 3_600_000), ("m", 60_000), ("s", 1000))
_BYTES = (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10))


class Row(NamedTuple):
    """One key of a file, or one field of a message; inner ones are dotted."""

    key: str
    type: str
    default: str
    meaning: str


Section = Callable[[str, FieldInfo], str | None]
"""Returns what to write as the type of a key that is described elsewhere; None when it is described here."""


def key_rows(model: type[BaseModel], section: Section | None = None) -> Iterator[Row]:
    """Yield what a file may say: one row a key, those of inner sections dotted.

    Args:
        model: the options or the section.
        section: says which keys have a table of their own; their inner keys are left out.
    """
    for name, field in _fields(model, (), section):
        own = section(name, field) if section else None
        yield Row(name, own or _key_type(field), _default(field), _meaning(field))


def field_rows(model: type[BaseModel]) -> Iterator[Row]:
    """Yield what a message has: one row a field, those of inner objects dotted."""
    return (Row(name, _type(field), "", _meaning(field)) for name, field in _fields(model, (), None))


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the models that an annotation speaks of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from models_in(part)


def _fields(
    model: type[BaseModel], around: tuple[type[BaseModel], ...], section: Section | None
) -> Iterator[tuple[str, FieldInfo]]:
    """Yield fields by dotted name, inner ones after the field that holds them; a model inside itself only once."""
    for python_name, field in model.model_fields.items():
        name = field.alias or python_name
        yield name, field
        if section and section(name, field):
            continue
        mark = _MARKS.get(get_origin(field.annotation) or object, "")
        for inner in models_in(field.annotation):
            if inner not in (model, *around):
                yield from ((f"{name}{mark}.{key}", one) for key, one in _fields(inner, (model, *around), section))


def _key_type(field: FieldInfo) -> str:
    """Return the type as the writer of a file meets it: a key that may be left out needs no null."""
    return _type(field).replace(" or null", "").replace("any value", "step").replace("object", "section")


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
    parts = get_args(annotation)
    if isinstance(annotation, type) and not parts:
        return _class_name(annotation)
    return _compound(get_origin(annotation), parts, getattr(annotation, "__metadata__", ()))


def _class_name(kind: type) -> str:
    if issubclass(kind, Enum):
        return " or ".join(_code(str(member.value)) for member in kind)
    if issubclass(kind, BaseModel):
        return "object"
    return "RFC 3339 time" if issubclass(kind, datetime) else kind.__name__


def _compound(origin: Any, parts: tuple[Any, ...], metadata: Sequence[Any]) -> str:
    if metadata:  # Annotated
        return _name(parts[0], [*metadata, *getattr(metadata[0], "metadata", ())])
    if origin is Literal:
        return " or ".join(_code(str(part)) for part in parts)
    if origin in (Union, UnionType):
        return " or ".join(dict.fromkeys(_name(part) for part in parts))
    if not isinstance(origin, type) or not parts:
        return "value"
    if issubclass(origin, Mapping):
        return f"map of {_plural(parts[0])} to {_plural(parts[1])}"
    return f"list of {_plural(parts[0])}" if issubclass(origin, Sequence | Set) else "value"


def _plural(part: Any) -> str:
    words = _name(part)
    noun, of, rest = words.partition(" of ")
    if of:
        return f"{noun}s{of}{rest}"
    return words if words.endswith("text") and " " in words else f"{words}s"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    default = field.default if field.default is not PydanticUndefined else field.get_default(call_default_factory=True)
    unit = next((_UNITS[rule.func] for rule in field.metadata if getattr(rule, "func", None) in _UNITS), None)
    plain = to_jsonable_python(default, fallback=str)
    if plain is None or isinstance(default, BaseModel) or plain in ({}, []):
        return ""
    if unit:
        return _code(_in_unit(default, _MS, "ms") if unit == "duration" else _in_unit(default, _BYTES, ""))
    return _code(plain if isinstance(plain, str) else json.dumps(plain))


def _in_unit(value: float, units: Sequence[tuple[str, int]], smallest: str) -> str:
    name, size = next(((name, size) for name, size in units if value and value % size == 0), (smallest, 1))
    return f"{value / size:g}{name}"


def _meaning(field: FieldInfo) -> str:
    inner = [one for one in (inspect.getdoc(model) or "" for model in models_in(field.annotation)) if one]
    shortest = [rule.min_length for rule in field.metadata if isinstance(rule, MinLen) and rule.min_length > 1]
    least = f"; at least {shortest[0]}" if shortest else ""
    if field.description:
        return field.description + least
    first = inner[0].partition("\n")[0].rstrip(".") if inner else ""
    return first[:1].lower() + first[1:] + least


def _code(text: str) -> str:
    return f"`{text}`"
