"""Tables of the fields of a pydantic model: key, type, default, meaning."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from table import code, table

from headrace.core.config.experiment import ExperimentFile
from headrace.core.schema.keys import field_rows, key_rows, models_in

__all__ = ["field_table", "header_table", "key_table"]


def key_table(model: type[BaseModel], without: Sequence[str] = ()) -> str:
    """Return what a file may say: one row a key, those of inner sections dotted."""
    rows = [(code(row.key), *row[1:]) for row in key_rows(model, _section) if row.key not in without]
    return table(("Key", "Type", "Default", "Meaning"), rows) if rows else "No options."


def field_table(model: type[BaseModel]) -> str:
    """Return what a message has: one row a field, those of inner objects dotted."""
    rows = [(code(row.key), row.type, row.meaning) for row in field_rows(model)]
    return table(("Field", "Type", "Meaning"), rows)


def header_table(model: type[BaseModel]) -> str:
    """Return the headers of a message: all of them are texts."""
    return table(("Header", "Value"), [(code(row.key), row.meaning) for row in field_rows(model)])


def _section(name: str, field: FieldInfo) -> str | None:
    models = list(models_in(field.annotation))
    has_own_table = any(
        model.__module__.endswith(("config.pipeline", "config.broker")) or model is ExperimentFile for model in models
    )
    return f"[section](#{name})" if has_own_table else None
