"""Ask several models at once, and make one answer of theirs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

from pydantic import Field, field_validator, model_validator

from headrace import Batch, Candidate, Catalog, Decision, Options, StepContext, hookimpl
from headrace.core.config.units import Milliseconds
from headrace.core.routing.decision import Join

__all__ = ["Parallel", "ParallelOptions", "headrace_register"]

Weight = Annotated[float, Field(gt=0, le=1e9)]
_WEIGHED = ("vote", "average")


class ParallelOptions(Options):
    """What a pipeline file may say of `parallel`."""

    models: tuple[str, ...] = Field(min_length=2, description="names of the models that are asked at once")
    join: Join = Field(
        description="best: the answer with the highest score; vote: the label that most models gave; average: the mean "
        "of each label's scores; first: the answer that comes first"
    )
    quorum: int | None = Field(
        default=None, ge=1, description="how many answers suffice; the others are not waited for; default: all"
    )
    deadline: Milliseconds | None = Field(
        default=None,
        description="how long answers are waited for, from the moment that the record's first batch began; then those "
        "that came are joined",
    )
    weights: dict[str, Weight] | None = Field(
        default=None, description="what a model counts in a vote or an average, such as {expert: 2}; default: 1 each"
    )

    @field_validator("models")
    @classmethod
    def _is_without_repeats(cls, models: tuple[str, ...]) -> tuple[str, ...]:
        for model in models:
            if models.count(model) > 1:
                raise ValueError(f"{model!r} is asked twice; name each model once")
        return models

    @model_validator(mode="after")
    def _fits(self) -> ParallelOptions:
        if self.quorum is not None and self.join == "first":
            raise ValueError("with join: first one answer suffices; remove quorum")
        if self.quorum is not None and self.quorum > len(self.models):
            raise ValueError(f"quorum is {self.quorum}, and there are {len(self.models)} models")
        if self.deadline is not None and self.deadline <= 0:
            raise ValueError("deadline is 0, so no answer could come in time; write 500ms, or remove it")
        if self.weights is not None and self.join not in _WEIGHED:
            raise ValueError(f"weights say nothing of join: {self.join}; remove them, or join by vote or average")
        for model in self.weights or ():
            if model not in self.models:
                raise ValueError(f"weights name {model!r}; they may name {' and '.join(self.models)}")
        return self

    def weight(self, model: str) -> float:
        """Return what this model's answer counts."""
        weights: Mapping[str, float] = self.weights or {}
        return float(weights.get(model, 1.0))


class Parallel:
    """Ask all models at once, and join what they answer."""

    def __init__(self, options: ParallelOptions) -> None:
        self._models = options.models
        # One frozen decision for all records: routing costs nothing.
        self._decision = Decision(
            combine="parallel",
            steps=tuple(Candidate(model=name, weight=options.weight(name)) for name in options.models),
            reason=f"every record goes to {', '.join(options.models)}",
            propensity=1.0,
            join=options.join,
            quorum=options.quorum,
            deadline_ms=options.deadline,
        )

    def route(self, batch: Batch) -> Sequence[Decision]:
        """Return the same decision for each record."""
        return [self._decision] * len(batch)

    def models(self, context: StepContext) -> Sequence[str]:
        """Return the models in the order of the file."""
        return self._models

    def orders(self, context: StepContext) -> Sequence[Sequence[str]]:
        """Return each model alone: none of them follows another."""
        return tuple((model,) for model in self._models)

    def joins(self, context: StepContext) -> Sequence[Decision]:
        """Return the one decision."""
        return (self._decision,)


@hookimpl
def headrace_register(catalog: Catalog) -> None:
    """Register the router `parallel`."""
    catalog.router("parallel", Parallel, options=ParallelOptions)
