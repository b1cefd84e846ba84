"""The tensors of records that were read together: each tensor is one array, of which every record has a row.

Views of single rows, and one array made of them again for the model, took as long as a small model does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

__all__ = ["TensorRow", "together"]


class TensorRow(Mapping[str, "Array"]):
    """The tensors of one record by name, each a row of an array that others have rows of, too.

    Args:
        columns: the arrays, all with as many rows.
        at: which row is this record's.
    """

    __slots__ = ("at", "columns")

    def __init__(self, columns: Mapping[str, Array], at: int) -> None:
        self.columns, self.at = columns, at

    def __getitem__(self, name: str) -> Array:
        row: Array = self.columns[name][self.at]
        return row

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def __len__(self) -> int:
        return len(self.columns)

    def __repr__(self) -> str:
        return f"TensorRow({dict(self)!r})"


def together(rows: Sequence[Mapping[str, Array]], name: str) -> Array | None:
    """Return one tensor of these records, with an axis that counts them, if they are rows of the same array.

    Nothing is copied where the rows lie one after the other.
    """
    first = rows[0] if rows else None
    if type(first) is not TensorRow or name not in first.columns:
        return None
    columns, places = first.columns, []
    for row in rows:
        if type(row) is not TensorRow or row.columns is not columns:
            return None
        places.append(row.at)
    begin, end = places[0], places[0] + len(places)
    whole = columns[name]
    return whole[begin:end] if places == list(range(begin, end)) else whole[places]
