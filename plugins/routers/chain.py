"""Run several models one after the other, each reading what the one before it wrote, or the text itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field, field_validator, model_validator

from headrace import Candidate, Catalog, Decision, Options, hookimpl
from headrace.plugins.routers.order import OneWay, Order, check_each

__all__ = ["Chain", "ChainOptions", "headrace_register"]


class ChainOptions(Options):
    """What a pipeline file may say of `chain`."""

    order: Order = Field(
        min_length=2, description="names of the models in the order in which they run; the last one's output stands"
    )
    text: str | dict[str, str] | None = Field(
        default=None,
        description="what each model but the first reads as its text: a dotted path to a text in the output before it "
        "(output.summary), or such a path for single models ({mood: output.summary}); without it, the record's text",
    )

    @field_validator("text", mode="before")
    @classmethod
    def _is_path(cls, text: Any) -> Any:
        if text is not None:
            check_each(text, _check_path)
        return text

    @model_validator(mode="after")
    def _fits(self) -> ChainOptions:
        for model in self.text if isinstance(self.text, Mapping) else ():
            if model not in self.order[1:]:
                raise ValueError(f"text names {model!r}; it may name {' and '.join(self.order[1:])}")
        return self

    def reads(self, model: str) -> str | None:
        """Return the path that this model reads; None for the record's own text."""
        if model == self.order[0]:
            return None
        return self.text.get(model) if isinstance(self.text, Mapping) else self.text


class Chain(OneWay):
    """Run all models in order; each one's output is there for the next, and the last one's stands."""

    def __init__(self, options: ChainOptions) -> None:
        super().__init__(
            Decision(
                combine="chain",
                steps=tuple(Candidate(model=name, reads=options.reads(name)) for name in options.order),
                reason=f"every record goes through {', then '.join(options.order)}",
                propensity=1.0,
            )
        )


def _check_path(path: Any, whose: str) -> None:
    keys = path.split(".") if isinstance(path, str) else []
    if len(keys) < 2 or keys[0] != "output" or not all(keys):
        raise ValueError(f"text{whose} is {path!r}; write a path into the output before it, such as output.summary")


@hookimpl
def headrace_register(catalog: Catalog) -> None:
    """Register the router `chain`."""
    catalog.router("chain", Chain, options=ChainOptions)
