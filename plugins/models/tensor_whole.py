"""A model of tensors: from the inputs that records bring to what their results say."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from headrace import Batch, Output, Record, TensorSpec
from headrace.core.registry.manifest import Manifest, Scores
from headrace.core.tensor_row import together
from headrace.plugins.models.errors import InputTensorError
from headrace.plugins.models.tensor_graph import TensorGraph
from headrace.plugins.models.tensor_output import Answers, scores_of

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Look", "TensorModel"]

_PROBES = 16
_NOISE = 1e-5


class Look(NamedTuple):
    """What an open model tells of itself, for its manifest.

    Attributes:
        inputs: names of the graph's inputs.
        takes: what a record brings.
        gives: what the graph answers.
        scores: what the scores of the labels seem to be; None when it has no labels.
        batch_invariant: whether a record's answer was seen not to depend on those it shares a run with.
    """

    inputs: tuple[str, ...]
    takes: tuple[TensorSpec, ...]
    gives: tuple[TensorSpec, ...]
    scores: Scores | None
    batch_invariant: bool


class TensorModel:
    """A graph whose inputs the records bring.

    Args:
        graph: takes and gives numbers.
        manifest: of the model.
        most: records that may share a run.
        outputs: names of those that a result tells; None for the labels alone, or for all when there are none.
    """

    def __init__(self, graph: TensorGraph, manifest: Manifest, most: int, outputs: Sequence[str] | None) -> None:
        self.graph = graph
        self._takes = graph.takes
        self._answers = Answers(graph.gives, manifest, outputs)
        shares = graph.first_axis == "batch" and manifest.batch_invariant
        self._most = most if shares else 1

    def answer(self, batch: Batch) -> list[Output]:
        """Return the output of each record, in order.

        Raises:
            InputTensorError: HR329, a record does not bring what the graph takes.
            NotANumberError: HR325.
            ModelMemoryError: HR326.
            GraphFailedError: HR327.
        """
        outputs: list[Output] = [{}] * len(batch)
        for places in self._runs(batch):
            records = [batch.records[at] for at in places]
            found = self.graph.run([record.tensors for record in records], self._answers.names)
            for at, output in zip(places, self._answers.of(records, found), strict=True):
                outputs[at] = output
        return outputs

    def try_out(self) -> None:
        """Run what stands for two records, so that a graph that cannot answer stops the worker, not each record.

        Where an axis other than the first is free nobody knows which sizes it takes, and nothing is run.

        Raises:
            GraphOutputError: HR323.
        """
        if all(spec.is_fixed for spec in self._takes):
            count = 2 if self.graph.first_axis == "batch" else 1
            self._answers.refuse_shapes(self.graph.run(list(_probes(self._takes, count)), self._answers.names))

    def look(self) -> Look:
        """Return what a manifest has to say, tried where every axis has a size; where one has none nobody knows any."""
        is_fixed = all(spec.is_fixed for spec in self._takes)
        scores: Scores | None = None
        if self._answers.scored is not None:
            scores = self._seen_scores(self._answers.scored) if is_fixed else "logits"
        return Look(
            inputs=tuple(spec.name for spec in self._takes),
            takes=self._takes,
            gives=self.graph.gives,
            scores=scores,
            batch_invariant=not is_fixed or self.graph.first_axis != "batch" or self._is_invariant(),
        )

    def _seen_scores(self, name: str) -> Scores:
        return scores_of([self.graph.run([row], [name])[0].reshape(1, -1) for row in _probes(self._takes, _PROBES)])

    def _is_invariant(self) -> bool:
        """Compare each record alone with the same among others: dynamic quantisation mixes them."""
        import numpy as np

        names, rows = self._answers.names, list(_probes(self._takes, _PROBES))
        together = self.graph.run(rows, names)
        alone = zip(*(self.graph.run([row], names) for row in rows), strict=True)
        return all(
            np.allclose(one, np.concatenate(other), rtol=_NOISE, atol=_NOISE, equal_nan=True)
            for one, other in zip(together, alone, strict=True)
        )

    def _runs(self, batch: Batch) -> Iterator[Sequence[int]]:
        """Yield the places of records that share a run: those of one shape."""
        if all(_are_all(batch, spec) for spec in self._takes):
            runs: Sequence[Sequence[int]] = [range(len(batch))]
        else:
            by_shape: dict[Any, list[int]] = defaultdict(list)
            for at, record in enumerate(batch):
                by_shape[self._shapes(record)].append(at)
            runs = list(by_shape.values())
        for places in runs:
            for begin in range(0, len(places), self._most):
                yield places[begin : begin + self._most]

    def _shapes(self, record: Record) -> tuple[tuple[int, ...], ...]:
        tensors = record.tensors
        for spec in self._takes:
            found = tensors.get(spec.name)
            if found is None or found.dtype != spec.dtype or (found.shape != spec.shape and not spec.fits(found.shape)):
                raise _misfit(record, spec, found)
        return tuple(tensors[spec.name].shape for spec in self._takes)


def _are_all(batch: Batch, spec: TensorSpec) -> bool:
    """Whether every record brings a tensor of just this shape; where an axis is free none does."""
    import numpy as np

    name, shape, dtype = spec.name, spec.shape, np.dtype(spec.dtype)
    shared = together([record.tensors for record in batch.records], name)
    if shared is not None:
        return bool(shared.shape[1:] == shape and shared.dtype == dtype)
    found = [record.tensors.get(name) for record in batch.records]
    return all(each is not None and each.shape == shape and each.dtype == dtype for each in found)


def _probes(takes: Sequence[TensorSpec], count: int) -> Iterator[Mapping[str, np.ndarray[Any, Any]]]:
    """Yield inputs of records that are no record's: numbers between 0 and 1, for which every type has room."""
    import numpy as np

    rng = np.random.default_rng(7)
    for _ in range(count):
        yield {spec.name: rng.random(tuple(map(abs, spec.shape))).round(3).astype(spec.dtype) for spec in takes}


def _misfit(record: Record, spec: TensorSpec, found: np.ndarray[Any, Any] | None) -> InputTensorError:
    brings = "brings none of that name" if found is None else f"brings {found.dtype}{list(found.shape)}"
    return InputTensorError(
        f"record {record.id} {brings} where the model takes {spec}",
        mend="let input.codec read it so; `headrace check` compares the two",
    )
