"""What travels between the parts of a sharded model: from the tensors of a run to each record's rows, and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from headrace import Batch, Record
from headrace.core.registry.shard import TOKENS, BoundaryTensor
from headrace.plugins.models.errors import BoundaryTensorError
from headrace.plugins.models.onnx_batch import Limits, cut
from headrace.plugins.models.tokenizer import Encoded

if TYPE_CHECKING:
    import numpy as np

    Rows = dict[str, np.ndarray[Any, Any]]

__all__ = ["MARK", "MARK_BYTES", "Boundary", "Mark", "Stacked", "mark_of", "rows_of", "stacked"]

MARK = "headrace:text"
"""The tensor that carries a record's `Mark`; a graph's own names never have this form."""
MARK_BYTES = 16


class Mark(NamedTuple):
    """What the output says of a text, though only the first part sees it."""

    tokens: int
    truncated: bool


class Boundary(NamedTuple):
    """What travels between two parts.

    Attributes:
        tensors: each record has a row of each.
        trims: whether the rows come without padding.
    """

    tensors: tuple[BoundaryTensor, ...]
    trims: bool


def mark_of(text: Encoded) -> Mark:
    """Return what is to be remembered of a text."""
    return Mark(len(text.ids), text.truncated)


def rows_of(tensors: Mapping[str, np.ndarray[Any, Any]], marks: Sequence[Mark], boundary: Boundary) -> Iterator[Rows]:
    """Yield the rows of each record of a run.

    Args:
        tensors: what the run gave; the first axis of each counts the records.
        marks: those of the records, in order.
        boundary: what the tensors are.
    """
    import numpy as np

    whole = slice(None)
    for at, mark in enumerate(marks):
        own = slice(mark.tokens) if boundary.trims else whole
        row = {
            given.name: tensors[given.name][at][tuple(own if axis == TOKENS else whole for axis in given.shape[1:])]
            for given in boundary.tensors
        }
        row[MARK] = np.array(mark, dtype=np.int64)
        yield row


class Stacked(NamedTuple):
    """Records that share a run.

    Attributes:
        places: where they stand in the batch.
        tensors: one row a record, in the types that the graph takes.
        marks: what the first part noted of them.
    """

    places: list[int]
    tensors: Rows
    marks: list[Mark]


def stacked(batch: Batch, boundary: Boundary, limits: Limits) -> Iterator[Stacked]:
    """Yield the runs of a batch; every record comes once.

    Rows without padding are sorted by length and padded to the longest of their run, as texts are. Others keep the
    padding of the run that they came from, so only rows of one length can share a run again.

    Args:
        batch: records with the rows that the part before gave.
        boundary: what these have to be.
        limits: of a run.

    Raises:
        BoundaryTensorError: HR337.
    """
    lengths = [_length(record, boundary) for record in batch]
    for places in _runs(lengths, boundary, limits):
        rows = [batch[at].tensors for at in places]
        longest = max(lengths[at] for at in places)
        tensors = {given.name: _stack([row[given.name] for row in rows], given, longest) for given in boundary.tensors}
        yield Stacked(places, tensors, [Mark(int(row[MARK][0]), bool(row[MARK][1])) for row in rows])


def _runs(lengths: Sequence[int], boundary: Boundary, limits: Limits) -> Iterator[list[int]]:
    if boundary.trims:
        yield from cut(lengths, *limits)
        return
    for length in dict.fromkeys(lengths):
        alike = [at for at, own in enumerate(lengths) if own == length]
        for run in cut([length] * len(alike), *limits):
            yield [alike[at] for at in run]


def _stack(rows: Sequence[np.ndarray[Any, Any]], given: BoundaryTensor, tokens: int) -> np.ndarray[Any, Any]:
    """Return rows of any length as one array; rows that crossed a link in half precision get the graph's type again."""
    import numpy as np

    shape = given.row(tokens)
    if all(row.shape == shape for row in rows):
        return np.stack(rows).astype(given.dtype, copy=False)
    padded = np.zeros((len(rows), *shape), dtype=given.dtype)
    for at, row in enumerate(rows):
        padded[at][tuple(slice(size) for size in row.shape)] = row
    return padded


def _length(record: Record, boundary: Boundary) -> int:
    """Return the tokens of a record's rows; 1 when no tensor has such an axis."""
    mark = record.tensors.get(MARK)
    if mark is None or mark.shape != (2,):
        raise _misfit(record, BoundaryTensor(name=MARK, dtype="int64", shape=("batch", 2)), mark)
    length: int | None = int(mark[0]) if boundary.trims else None
    for given in boundary.tensors:
        row = record.tensors.get(given.name)
        if row is None or row.ndim != len(given.shape) - 1:
            raise _misfit(record, given, row)
        for size, axis in zip(row.shape, given.shape[1:], strict=True):
            if axis == TOKENS and length is None:
                length = size
            if size != (length if axis == TOKENS else axis):
                raise _misfit(record, given, row)
        if row.dtype != given.dtype and not (row.dtype == "float16" and given.dtype.startswith("float")):
            raise _misfit(record, given, row)
    return 1 if length is None else length


def _misfit(record: Record, given: BoundaryTensor, row: np.ndarray[Any, Any] | None) -> BoundaryTensorError:
    found = "has none of that name" if row is None else f"brings {row.dtype}{list(row.shape)}"
    return BoundaryTensorError(
        f"record {record.id} {found} where this part takes a row of {given}",
        mend="start the workers of all parts with the same version of the model",
    )
