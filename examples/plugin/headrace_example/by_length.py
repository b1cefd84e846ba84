"""Send short texts to one model and long ones to another."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from headrace import Batch, Candidate, Catalog, Decision, Options, Record, StepContext, hookimpl

__all__ = ["ByLength", "ByLengthOptions", "headrace_register"]


class ByLengthOptions(Options):
    """What a pipeline file may say of `by-length`."""

    short: str = Field(description="name of the model for short texts, as it stands under `models:`")
    long: str = Field(description="name of the model for long ones")
    words: int = Field(default=40, ge=1, description="most words of a short text")


class ByLength:
    """Send a text to the model for its length, counted in words."""

    def __init__(self, options: ByLengthOptions) -> None:
        self._words = options.words
        # Decisions are frozen, so one for each choice serves all records: routing costs only the counting.
        self._short = _decision(options.short, f"at most {options.words} words")
        self._long = _decision(options.long, f"more than {options.words} words")

    def route(self, batch: Batch) -> Sequence[Decision]:
        """Return one decision a record, in order."""
        return [self._decide(record) for record in batch]

    def models(self, context: StepContext) -> Sequence[str]:
        """Return both models, so that `headrace check` can tell a mistyped one."""
        return [decision.steps[0].model for decision in (self._short, self._long)]

    def orders(self, context: StepContext) -> Sequence[Sequence[str]]:
        """Return that each of them is the only one that a record visits."""
        return [[model] for model in self.models(context)]

    def _decide(self, record: Record) -> Decision:
        return self._short if len(record.text.split()) <= self._words else self._long


def _decision(model: str, reason: str) -> Decision:
    return Decision(combine="single", steps=(Candidate(model=model),), reason=reason, propensity=1.0)


@hookimpl
def headrace_register(catalog: Catalog) -> None:
    """Register the router `by-length`."""
    catalog.router("by-length", ByLength, options=ByLengthOptions)
