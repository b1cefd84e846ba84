"""Which variant a unit meets: a pure function of the unit, the experiment and, for a segment, the record.

Everything that has to hold is asked: a unit, its part of the layer, coverage, the segment. Nothing is remembered, so
grouping, partitions and restarts change no answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from headrace.core.experiments.bucket import (
    bucket_ranges,
    choose,
    in_slice,
    layer_seed,
    layer_slots,
    variant_slots,
)
from headrace.core.experiments.experiment import Assigned, Experiment
from headrace.core.experiments.hash import point
from headrace.core.experiments.units import Units
from headrace.core.wire.errors import WhenFailedError

if TYPE_CHECKING:
    from headrace.core.record import Record

__all__ = ["SEGMENT_FIELDS", "Assigner", "Enrolment", "Fields", "assign", "segment_fields", "variants"]

Fields = Mapping[str, Any]
"""What a segment may speak of, by name."""

SEGMENT_FIELDS = ("value", "headers", "tags", "key", "unit")
"""The names of those fields."""


def segment_fields(record: Record) -> dict[str, Any]:
    """Return what a segment may say of a record.

    The same as rules of a router may: headers are a map of texts, of a name that stands twice the last one counts, a
    null value is empty. A key that is not UTF-8 is null, as in results.
    """
    return {
        "value": record.value,
        "headers": {name: (value or b"").decode("utf-8", "replace") for name, value in record.headers},
        "tags": dict(record.tags),
        "key": _key(record.key),
        "unit": record.unit,
    }


def assign(unit: str | None, experiment: Experiment, fields: Fields) -> str | None:
    """Return the variant that a unit meets; None when it is not enrolled.

    Args:
        unit: who or what the experiment is about; a record without one, or with an empty one, is not enrolled.
        experiment: the experiment.
        fields: what its segment speaks of; not looked at when it has none.
    """
    if not unit:
        return None
    if experiment.layer is not None and not in_slice(unit, experiment.layer, experiment.layer_range):
        return None
    at = point(experiment.seed, unit, experiment.hash_version)
    index = -1 if at is None else choose(at, _ranges(experiment))
    if index < 0 or not _is_meant(experiment, fields):
        return None
    return experiment.variants[index]


def variants(units: Sequence[str], experiment: Experiment) -> list[str | None]:
    """Return the variant of each unit, in order, segments left out; the same as `assign` says, for many at once.

    Args:
        units: none of them empty; batches of 64 are enough to be fast.
        experiment: made ready at its first call, and remembered.
    """
    return [assigned.variant if assigned else None for assigned in _enrolment(experiment).draw(Units(units))]


class Enrolment:
    """An experiment made ready to be asked again and again: each bucket has its answer already.

    Args:
        experiment: the experiment.
    """

    def __init__(self, experiment: Experiment) -> None:
        self.experiment = experiment
        names = [Assigned(experiment.id, experiment.phase, variant) for variant in experiment.variants]
        indices = variant_slots(_ranges(experiment), experiment.hash_version)
        self._drawn = [names[index] if index >= 0 else None for index in indices]
        self._own = layer_slots(experiment.layer_range)

    def draw(self, units: Units) -> list[Assigned | None]:
        """Return what each unit meets if its segment does not speak against it, in order; no unit may be empty."""
        experiment, drawn = self.experiment, self._drawn
        slots = units.slots(experiment.seed, experiment.hash_version)
        if experiment.layer is None:
            return [drawn[slot] for slot in slots]
        own = self._own
        places = units.slots(layer_seed(experiment.layer), 1)
        return [drawn[slot] if place in own else None for slot, place in zip(slots, places, strict=True)]

    def is_meant(self, fields: Fields) -> bool:
        """Whether the experiment's segment is about this record; one that cannot be evaluated over it is not."""
        return _is_meant(self.experiment, fields)


class Assigner:
    """All experiments of a pipeline, made ready.

    Args:
        experiments: those of the plan. A unit that the holdout has meets no other.
    """

    def __init__(self, experiments: Sequence[Experiment]) -> None:
        ready = [Enrolment(experiment) for experiment in experiments]
        self._holdouts = [enrolment for enrolment in ready if enrolment.experiment.keeps_out]
        self._others = [enrolment for enrolment in ready if not enrolment.experiment.keeps_out]

    def assign(self, units: Sequence[str | None], fields: Callable[[int], Fields]) -> list[tuple[Assigned, ...]]:
        """Return what each record meets, in order; () where it has no unit, or meets nothing.

        Args:
            units: the unit of each record; None or empty where it has none.
            fields: makes what segments speak of, by the record's index; called only when a segment asks.
        """
        present = [index for index, unit in enumerate(units) if unit]
        if len(present) == len(units):
            return self._assign(Units(units), present, fields)  # type: ignore[arg-type]  # none of them is None
        met: list[tuple[Assigned, ...]] = [()] * len(units)
        some = self._assign(Units([units[index] or "" for index in present]), present, fields)
        for index, assigned in zip(present, some, strict=True):
            met[index] = assigned
        return met

    def _assign(
        self, units: Units, indices: Sequence[int], fields: Callable[[int], Fields]
    ) -> list[tuple[Assigned, ...]]:
        met: list[tuple[Assigned, ...]] = [()] * len(units)
        for enrolment in self._others:
            drawn = enrolment.draw(units)
            has_segment = enrolment.experiment.segment is not None
            for at, assigned in enumerate(drawn):
                if assigned is not None and (not has_segment or enrolment.is_meant(fields(indices[at]))):
                    met[at] += (assigned,)
        for enrolment in self._holdouts:
            for at, held in enumerate(enrolment.draw(units)):
                if held is not None:
                    met[at] = (held,)
        return met


@lru_cache(maxsize=64)
def _enrolment(experiment: Experiment) -> Enrolment:
    return Enrolment(experiment)


def _ranges(experiment: Experiment) -> list[tuple[float, float]]:
    return bucket_ranges(len(experiment.variants), experiment.coverage, experiment.weights)


def _is_meant(experiment: Experiment, fields: Fields) -> bool:
    if experiment.segment is None:
        return True
    try:
        # Only what it names: turning a large value into CEL's takes longer than most expressions.
        return experiment.segment.holds({name: fields[name] for name in experiment.segment.names})
    except WhenFailedError:  # such as a field that this record lacks: a segment is about records that have it
        return False


def _key(key: bytes | None) -> str | None:
    try:
        return None if key is None else key.decode()
    except UnicodeDecodeError:
        return None
