"""From pydantic's findings to problems with place, code and mend."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args, get_origin

from pydantic import BaseModel, SecretStr, ValidationError

from headrace.core.config.document import Document, Path_
from headrace.core.config.errors import InvalidValueError, MissingKeyError, UnknownKeyError
from headrace.core.config.suggestion import suggest
from headrace.core.errors import HeadraceError

__all__ = ["problems_of"]

# What pydantic calls a finding -> how to mend it; {name} comes from the finding's context.
_MENDS = {
    "int_parsing": "write a whole number",
    "int_type": "write a whole number",
    "int_from_float": "write a whole number",
    "float_parsing": "write a number",
    "float_type": "write a number",
    "bool_parsing": "write true or false",
    "bool_type": "write true or false",
    "string_type": "write text; quote it if it looks like a number",
    "list_type": "write a list: [a, b], or lines that begin with -",
    "dict_type": "write keys and values",
    "model_type": "write keys and values",
    "model_attributes_type": "write keys and values",
    "literal_error": "write {expected}",
    "greater_than": "write a number greater than {gt}",
    "greater_than_equal": "write at least {ge}",
    "less_than": "write a number less than {lt}",
    "less_than_equal": "write at most {le}",
    "too_short": "write at least {min_length}",
    "string_too_short": "write at least {min_length} characters",
    "string_pattern_mismatch": "it must match {pattern}",
}

_HIDDEN = object()
"""Stands for a value that is never shown: a secret, or what the environment gave."""


def problems_of(
    error: ValidationError, model: type[BaseModel], document: Document, prefix: Path_ = ()
) -> Iterator[HeadraceError]:
    """Yield a problem for each finding.

    Args:
        error: what pydantic found.
        model: the model that was validated, for the names known at each place.
        document: knows the places.
        prefix: path of the validated value in the document.
    """
    for finding in error.errors(include_url=False):
        yield _problem(dict(finding), finding["loc"], model, document, prefix)


def _problem(
    finding: dict[str, Any], raw_loc: Path_, model: type[BaseModel], document: Document, prefix: Path_
) -> HeadraceError:
    loc = tuple(key for key in raw_loc if key != "[key]")
    path = (*prefix, *loc)
    place = document.place if loc == raw_loc else document.key_place
    name, around = str(loc[-1]) if loc else "", _dotted(path[:-1])
    if finding["type"] == "extra_forbidden":
        known = _known_keys(model, loc[:-1])
        return UnknownKeyError(
            f"unknown key {name!r}{f' in {around}' if around else ''}",
            mend=suggest(name, known),
            place=document.key_place(path),
        )
    if finding["type"] == "missing":
        return MissingKeyError(
            f"{_dotted(path[:-1]) or 'the file'} needs {name!r}",
            mend=f"add {name}: …{_described(model, loc)}",
            place=document.place(path[:-1]),
        )
    if _is_secret(model, loc) or document.is_from_environment(path):
        finding = {**finding, "input": _HIDDEN}
    fault, mend = _fault_and_mend(finding)
    return InvalidValueError(f"{_dotted(path) or 'the file'}: {fault}", mend=mend, place=place(path))


def _fault_and_mend(finding: dict[str, Any]) -> tuple[str, str]:
    if finding["input"] is _HIDDEN:
        how = _MENDS.get(finding["type"], "correct it; it is not shown, since it may be a secret")
        return "its value is not allowed", how.format(**finding.get("ctx", {}))
    if finding["type"] in ("value_error", "assertion_error"):
        fault, _, hint = str(finding["ctx"]["error"]).partition("; ")
        return _cut(fault, 200), hint or "see docs/pipeline-file.md"
    fault = f"{_cut(repr(finding['input']), 60)} is not allowed"
    mend = _MENDS.get(finding["type"])
    if mend is None:
        return fault, finding["msg"][:1].lower() + finding["msg"][1:]
    return fault, mend.format(**finding.get("ctx", {}))


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 3] + "..."


def _known_keys(model: type[BaseModel], loc: Path_) -> list[str]:
    inner = _model_at(model, loc)
    return [field.alias or name for name, field in inner.model_fields.items()] if inner else []


def _is_secret(model: type[BaseModel], loc: Path_) -> bool:
    inner = _model_at(model, loc[:-1]) if loc else None
    field = inner.model_fields.get(str(loc[-1])) if inner else None
    return field is not None and SecretStr in (field.annotation, *get_args(field.annotation))


def _described(model: type[BaseModel], loc: Path_) -> str:
    inner = _model_at(model, loc[:-1])
    field = inner.model_fields.get(str(loc[-1])) if inner else None
    return f" ({field.description})" if field and field.description else ""


def _model_at(model: type[BaseModel], loc: Path_) -> type[BaseModel] | None:
    """Follow the fields of models along a finding's location; list indices and union tags lead nowhere new.

    A key of a map is a name of the user's own, which may be that of a field, and leads nowhere new either.
    """
    found: type[BaseModel] | None = model
    is_in_map = False
    for key in loc:
        field = found.model_fields.get(str(key)) if found and not is_in_map else None
        is_in_map = field is not None and get_origin(field.annotation) is dict
        if field is not None:
            found = next(_models_in(field.annotation), None)
    return found


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models_in(part)


def _dotted(path: Path_) -> str:
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path).lstrip(".")
