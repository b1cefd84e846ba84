"""Ask a cheap model first, and a dearer one only when the cheap one is not sure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field, field_validator, model_validator

from headrace import Candidate, Catalog, Decision, Options, hookimpl
from headrace.plugins.routers.order import OneWay, Order, check_each

__all__ = ["Cascade", "CascadeOptions", "headrace_register"]

Score = Annotated[float, Field(gt=0, le=1)]
Rule = Score | str
"""When an output is accepted: the least `output.score`, or a CEL expression over `output`."""


class CascadeOptions(Options):
    """What a pipeline file may say of `cascade`."""

    order: Order = Field(
        min_length=2, description="names of the models in the order in which they are asked; the last one is final"
    )
    accept: Rule | dict[str, Rule] = Field(
        description="when an output is accepted and no further model asked: the least score (0.9), a CEL expression "
        "over output (output.score > 0.9), or one of these for each model but the last ({quick: 0.9})"
    )

    @field_validator("accept", mode="before")
    @classmethod
    def _is_rule(cls, accept: Any) -> Any:
        check_each(accept, _check_rule)
        return accept

    @model_validator(mode="after")
    def _fits(self) -> CascadeOptions:
        if isinstance(self.accept, Mapping):
            asked = self.order[:-1]
            for model in self.accept:
                if model not in asked:
                    raise ValueError(f"accept names {model!r}; it may name {_and(asked)}, and the last one is final")
            for model in asked:
                if model not in self.accept:
                    raise ValueError(f"accept says nothing of {model!r}; add {model}: 0.9")
        return self

    def rule(self, model: str) -> Rule:
        """Return when the output of this model is accepted."""
        return self.accept[model] if isinstance(self.accept, Mapping) else self.accept


class Cascade(OneWay):
    """Ask the models in order until an output is accepted; the last one's stands in any case."""

    def __init__(self, options: CascadeOptions) -> None:
        *asked, last = options.order
        super().__init__(
            Decision(
                combine="cascade",
                steps=(*(Candidate(model=name, accept_if=options.rule(name)) for name in asked), Candidate(model=last)),
                reason="the first output that is accepted",
                propensity=1.0,
            )
        )


def _check_rule(rule: Any, whose: str) -> None:
    if isinstance(rule, str):
        _check_expression(rule)
        return
    is_number = isinstance(rule, int | float) and not isinstance(rule, bool)
    if not is_number or not 0 < rule <= 1:
        what = rule if is_number else "neither a score nor an expression"
        raise ValueError(f"accept{whose} is {what}; write a score above 0 and at most 1, or output.score > 0.9")


def _check_expression(source: str) -> None:
    from headrace.core.config.expression import compile_expression

    if "output" not in compile_expression(source, None, ("output",)).names:
        raise ValueError(f"{source!r} says nothing of output; write output.score > 0.9, or a number without quotes")


def _and(names: Sequence[str]) -> str:
    return " and ".join(names)


@hookimpl
def headrace_register(catalog: Catalog) -> None:
    """Register the router `cascade`."""
    catalog.router("cascade", Cascade, options=CascadeOptions)
