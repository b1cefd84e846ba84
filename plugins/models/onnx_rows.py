"""What travels between the parts of a sharded model: from the tensors of a run to each record's rows, and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from headrace import Batch, Record
from headrace.core.registry.shard import TOKENS, BoundaryTensor
from headrace.plugins.models.errors import BoundaryTensorError
from headrace.plugins.models.tokenizer import Encoded

if TYPE_CHECKING:
    import numpy as np

    Rows = dict[str, np.ndarray[Any, Any]]

__all__ = ["MARK", "MARK_BYTES", "Mark", "mark_of", "rows_of", "stacked"]

MARK = "headrace:text"
"""The tensor that carries a record's `Mark`; a graph's own names never have this form."""
MARK_BYTES = 16


class Mark(NamedTuple):
    """What the output says of a text, though only the first part sees it."""

    tokens: int
    truncated: bool


def mark_of(text: Encoded) -> Mark:
    """Return what is to be remembered of a text."""
    return Mark(len(text.ids), text.truncated)


def rows_of(tensors: Mapping[str, np.ndarray[Any, Any]], marks: Sequence[Mark]) -> Iterator[Rows]:
    """Yield the rows of each record of a run.

    Args:
        tensors: what the run gave; the first axis of each counts the records.
        marks: those of the records, in order.
    """
    import numpy as np

    for at, mark in enumerate(marks):
        row = {name: values[at] for name, values in tensors.items()}
        row[MARK] = np.array(mark, dtype=np.int64)
        yield row


class Stacked(NamedTuple):
    """Records of equal shapes, ready for a run.

    Attributes:
        places: where they stand in the batch.
        tensors: one row a record, in the types that the graph takes.
        marks: what the first part noted of them.
    """

    places: list[int]
    tensors: Rows
    marks: list[Mark]


def stacked(batch: Batch, boundary: Sequence[BoundaryTensor], records: int, tokens: int) -> Iterator[Stacked]:
    """Yield the runs of a batch; every record comes once.

    A row keeps the padding of the run that it came from, so only rows of one length can share a run again.

    Args:
        batch: records with the rows that the part before gave.
        boundary: what these have to be.
        records: most records in a run.
        tokens: most tokens in a run, padding included; a longer record runs alone.

    Raises:
        BoundaryTensorError: HR337.
    """
    import numpy as np

    by_length: dict[int, list[int]] = {}
    for at, record in enumerate(batch):
        by_length.setdefault(_length(record, boundary), []).append(at)
    for length, alike in by_length.items():
        most = max(1, min(records, tokens // max(length, 1)))
        for start in range(0, len(alike), most):
            places = alike[start : start + most]
            rows = [batch[at].tensors for at in places]
            # Rows that crossed a link in half precision become what the graph takes again.
            tensors = {
                given.name: np.stack([row[given.name] for row in rows]).astype(given.dtype, copy=False)
                for given in boundary
            }
            yield Stacked(places, tensors, [Mark(int(row[MARK][0]), bool(row[MARK][1])) for row in rows])


def _length(record: Record, boundary: Sequence[BoundaryTensor]) -> int:
    """Return the tokens of a record's rows, padding included; 1 when no tensor has such an axis."""
    length: int | None = None
    for given in boundary:
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
    mark = record.tensors.get(MARK)
    if mark is None or mark.shape != (2,):
        raise _misfit(record, BoundaryTensor(name=MARK, dtype="int64", shape=("batch", 2)), mark)
    return 1 if length is None else length


def _misfit(record: Record, given: BoundaryTensor, row: np.ndarray[Any, Any] | None) -> BoundaryTensorError:
    found = "has none of that name" if row is None else f"brings {row.dtype}{list(row.shape)}"
    return BoundaryTensorError(
        f"record {record.id} {found} where this part takes a row of {given}",
        mend="start the workers of all parts with the same version of the model",
    )
