"""The options of a step: what a pipeline file may say of it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, JsonValue

__all__ = ["TUNING", "NoOptions", "Options", "SinkOptions"]

TUNING: dict[str, JsonValue] = {"x-tuning": True}
"""`json_schema_extra` of an option that changes speed or memory, never a result: it is left out of the plan's hash."""


class Options(BaseModel):
    """Base of every options model: unknown keys are refused, values are frozen once read."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, validate_default=True)


class NoOptions(Options):
    """The options of a step that has none."""


class SinkOptions(Options):
    """Base of every sink's options: `when` selects results; the runtime evaluates it, the sink never sees it."""

    when: str | None = Field(
        default=None, description="CEL expression over the result's fields; only results for which it is true are sent"
    )
