"""The options of a step: what a pipeline file may say of it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

__all__ = ["NoOptions", "Options"]


class Options(BaseModel):
    """Base of every options model: unknown keys are refused, values are frozen once read."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, validate_default=True)


class NoOptions(Options):
    """The options of a step that has none."""
