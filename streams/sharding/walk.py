"""Records that walk through the parts of a model, as they do over links."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from headrace.core.record import Batch, Output

if TYPE_CHECKING:
    import numpy as np

__all__ = ["as_sent", "halved", "walk", "walk_one"]

Link = Callable[["np.ndarray[Any, Any]"], "np.ndarray[Any, Any]"]


def as_sent(row: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return a row as it is."""
    return row


def halved(row: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return a row of floating-point numbers in half precision, infinite beyond 65,504; others as they are."""
    import numpy as np

    with np.errstate(over="ignore"):
        return row.astype("float16") if row.dtype.kind == "f" else row


def walk(parts: Sequence[Any], batch: Batch, link: Link = as_sent) -> list[Output]:
    """Return the answers of the last part.

    Args:
        parts: steps that have opened the parts, in order.
        batch: records with texts.
        link: what becomes of each row between two parts.
    """
    for part in parts[:-1]:
        batch = walk_one(part, batch, link)
    return list(parts[-1].infer(batch))


def walk_one(part: Any, batch: Batch, link: Link = as_sent) -> Batch:
    """Return the records as they leave a part: with its rows, and with nothing else that the next one reads."""
    rows = zip(batch, part.part(batch), strict=True)
    return Batch([record.replace(tensors={name: link(one) for name, one in row.items()}) for record, row in rows])
