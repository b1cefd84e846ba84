"""Split traffic into the variants of the pipeline's experiments, by unit, as GrowthBook does."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from headrace import Assigned, Batch, Catalog, StepContext, hookimpl
from headrace.core.experiments.assign import Assigner, Fields, segment_fields

__all__ = ["Split", "headrace_register"]


class Split:
    """Say which variant of each experiment a record's unit meets; the same unit meets the same one everywhere."""

    def __init__(self) -> None:
        self._assigner = Assigner(())

    def open(self, context: StepContext) -> None:
        """Make the experiments ready: each of their buckets gets its answer once."""
        self._assigner = Assigner(context.experiments)

    def close(self) -> None:
        """Give everything back."""
        self._assigner = Assigner(())

    def split(self, batch: Batch) -> Sequence[tuple[Assigned, ...]]:
        """Return what each record meets, in order."""

        @cache
        def fields(index: int) -> Fields:
            return segment_fields(batch[index])

        return self._assigner.assign([record.unit for record in batch], fields)


@hookimpl
def headrace_register(catalog: Catalog) -> None:
    """Register the splitter `split`."""
    catalog.splitter("split", Split)
