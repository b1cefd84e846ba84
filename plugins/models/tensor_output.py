"""From the tensors that a graph gives to what results say: its outputs by name, or label and scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from headrace import Output, Record, TensorSpec
from headrace.core.registry.manifest import TENSOR, Manifest, Scores
from headrace.plugins.models.errors import GraphOutputError, NotANumberError, OutputUnknownError
from headrace.plugins.models.onnx_output import probabilities

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Answers", "refuse_outputs", "scores_of"]


class Answers:
    """Which outputs of a graph are asked for, and what becomes of them.

    Attributes:
        names: outputs that are asked for.
        scored: the one with the scores of the labels; None when the model has no labels.

    Args:
        gives: the numeric outputs.
        manifest: says the labels, and what their scores are.
        asked: names of outputs that a result tells; None for the labels alone, or for all when there are none.

    Raises:
        GraphOutputError: HR323, no output can be the labels' scores.
        OutputUnknownError: HR342, there is no output of that name.
    """

    def __init__(self, gives: Sequence[TensorSpec], manifest: Manifest, asked: Sequence[str] | None) -> None:
        self._labels, self._scores = manifest.labels, manifest.scores
        self.scored = _scored(gives, self._labels) if self._labels else None
        every = tuple(spec.name for spec in gives)
        _refuse_unknown(asked, every)
        self._told = tuple(asked) if asked is not None else () if self._labels else every
        self.names = tuple(dict.fromkeys((*([self.scored] if self.scored else ()), *self._told)))

    def of(self, records: Sequence[Record], found: Sequence[np.ndarray[Any, Any]]) -> Sequence[Output]:
        """Return the output of each record of a run.

        Args:
            records: the records, for errors.
            found: what the graph gave for each name; the first axis of each counts the records.

        Raises:
            NotANumberError: HR325.
        """
        for name, values in zip(self.names, found, strict=True):
            _refuse_nan(name, values, records)
        by_name = dict(zip(self.names, found, strict=True))
        outputs = [{} for _ in records] if self.scored is None else self._judged(by_name[self.scored])
        if self._told:
            lists = [by_name[name].tolist() for name in self._told]
            for output, *rows in zip(outputs, *lists, strict=True):
                output["outputs"] = dict(zip(self._told, rows, strict=True))
        return outputs

    def refuse_shapes(self, found: Sequence[np.ndarray[Any, Any]]) -> None:
        """Refuse scores that are not one a label.

        Raises:
            GraphOutputError: HR323.
        """
        if self.scored is not None:
            self._rows(found[self.names.index(self.scored)])

    def _judged(self, values: np.ndarray[Any, Any]) -> list[dict[str, Any]]:
        scores, labels = self._rows(values), self._labels
        return [
            {"label": labels[best], "score": row[best], "scores": dict(zip(labels, row, strict=True))}
            for row, best in zip(scores.tolist(), scores.argmax(axis=1).tolist(), strict=True)
        ]

    def _rows(self, values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Return the probabilities of the labels, a row a record."""
        import numpy as np

        rows = values.reshape(len(values), -1).astype("float64")
        if rows.shape[1] != len(self._labels) and (rows.shape[1], len(self._labels)) != (1, 2):
            raise _misfit(str(self.scored), rows.shape[1], self._labels)
        if self._scores != "probabilities":
            return probabilities(rows)
        return np.concatenate([1 - rows, rows], axis=1) if rows.shape[1] == 1 else rows


def refuse_outputs(manifest: Manifest, asked: Sequence[str] | None) -> None:
    """Refuse names of outputs that a model does not give.

    Raises:
        OutputUnknownError: HR342.
    """
    if asked is not None and manifest.task != TENSOR:
        fault = f"{manifest.reference} classifies texts, and has no outputs to choose from"
        raise OutputUnknownError(fault, mend="leave outputs away")
    _refuse_unknown(asked, tuple(spec.name for spec in manifest.gives))


def scores_of(found: Sequence[np.ndarray[Any, Any]]) -> Scores:
    """Return what scores seem to be: probabilities are between 0 and 1, and those of a record add up to 1."""
    import numpy as np

    rows = np.concatenate(found).astype("float64")
    within = bool(((rows >= 0) & (rows <= 1)).all())
    adds_up = rows.shape[1] == 1 or bool(np.allclose(rows.sum(axis=1), 1, atol=1e-3))
    return "probabilities" if within and adds_up else "logits"


def _scored(gives: Sequence[TensorSpec], labels: Sequence[str]) -> str:
    """Return the first output of fractions that has a number a label; else, with a free axis, the first that may."""
    floats = [spec for spec in gives if spec.dtype.startswith("float")]
    for least in (True, False):
        for spec in floats:
            count = spec.size_bytes // spec.itemsize if spec.is_fixed else 0
            if count == len(labels) or (count, len(labels)) == (1, 2) or (not least and not spec.is_fixed):
                return spec.name
    said = ", ".join(map(str, gives))
    raise GraphOutputError(
        f"no output has a score for each of the {len(labels)} labels; the graph gives {said}",
        mend="import it with one --label a score",
    )


def _refuse_unknown(asked: Sequence[str] | None, every: Sequence[str]) -> None:
    for name in asked or ():
        if name not in every:
            raise OutputUnknownError(f"the graph gives no {name!r}", mend=f"it gives {', '.join(every)}")


def _misfit(name: str, count: int, labels: Sequence[str]) -> GraphOutputError:
    fault = f"the output {name!r} has {count} scores, and there are {len(labels)} labels"
    return GraphOutputError(fault, mend="import it with one --label a score")


def _refuse_nan(name: str, values: np.ndarray[Any, Any], records: Sequence[Record]) -> None:
    """A NaN compares as false with everything, and JSON has neither it nor infinity."""
    import numpy as np

    if values.dtype.kind != "f":
        return
    finite = np.isfinite(values)
    if not finite.all():
        record = records[int(np.argmin(finite.reshape(len(values), -1).all(axis=1)))]
        raise NotANumberError(
            f"the model's output {name!r} for record {record.id} is not a finite number", mend="export it in float32"
        )
