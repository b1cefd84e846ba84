"""Send every record to one model."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from headrace import Batch, Candidate, Catalog, Decision, Options, StepContext, hookimpl

__all__ = ["Single", "SingleOptions", "headrace_register"]


class SingleOptions(Options):
    """What a pipeline file may say of `single`."""

    model: str = Field(description="name of the model, as it stands under `models:`")


class Single:
    """Send every record to one model; a file with one model and no route means this."""

    def __init__(self, options: SingleOptions) -> None:
        self._model = options.model
        # One frozen decision for all records: routing costs nothing.
        self._decision = Decision(
            combine="single",
            steps=(Candidate(model=options.model),),
            reason=f"every record goes to {options.model}",
            propensity=1.0,
        )

    def route(self, batch: Batch) -> Sequence[Decision]:
        """Return the same decision for each record."""
        return [self._decision] * len(batch)

    def models(self, context: StepContext) -> Sequence[str]:
        """Return the one model."""
        return (self._model,)

    def orders(self, context: StepContext) -> Sequence[Sequence[str]]:
        """Return the one model."""
        return ((self._model,),)


@hookimpl
def headrace_register(catalog: Catalog) -> None:
    """Register the router `single`."""
    catalog.router("single", Single, options=SingleOptions)
