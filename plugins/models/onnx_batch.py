"""How the texts of a batch share runs of a model: sorted by length, so that little padding is computed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from headrace.plugins.models.tokenizer import Encoded

if TYPE_CHECKING:
    import numpy as np

__all__ = ["IDS", "MASK", "TYPES", "Limits", "Padded", "cut", "pad"]

IDS, MASK, TYPES = "input_ids", "attention_mask", "token_type_ids"


class Limits(NamedTuple):
    """How much one run takes: most texts, and most tokens, padding included."""

    records: int
    tokens: int


class Padded(msgspec.Struct, frozen=True):
    """Token ids of one run, `[texts, tokens]`, padded on the right; `mask` is 1 for a token and 0 for padding."""

    ids: np.ndarray[Any, Any]
    mask: np.ndarray[Any, Any]
    type_ids: np.ndarray[Any, Any]

    def feeds(self) -> dict[str, np.ndarray[Any, Any]]:
        """Return the arrays under the names that graphs have for them."""
        return {IDS: self.ids, MASK: self.mask, TYPES: self.type_ids}


def cut(lengths: Sequence[int], records: int, tokens: int) -> Iterator[list[int]]:
    """Yield the positions of the texts that share a run, shortest first; every position comes once.

    Args:
        lengths: tokens of each text.
        records: most texts in a run; at least 1.
        tokens: most tokens in a run, padding included; a longer text runs alone.
    """
    run: list[int] = []
    for at in sorted(range(len(lengths)), key=lengths.__getitem__):
        # Sorted, so this text is the longest so far: all others are padded to it.
        if run and (len(run) >= records or (len(run) + 1) * lengths[at] > tokens):
            yield run
            run = []
        run.append(at)
    if run:
        yield run


def pad(texts: Sequence[Encoded], pad_id: int, dtype: Any) -> Padded:
    """Return the texts of one run as arrays.

    Args:
        texts: encoded texts; none is empty.
        pad_id: fills the rest.
        dtype: the integer type that the graph takes.
    """
    import numpy as np

    lengths = np.fromiter((len(text.ids) for text in texts), dtype=np.int64, count=len(texts))
    mask = np.arange(lengths.max()) < lengths[:, None]
    ids, types = np.full(mask.shape, pad_id, dtype=dtype), np.zeros(mask.shape, dtype=dtype)
    # Row by row, the True places of the mask are the texts' tokens in order.
    ids[mask] = np.fromiter(chain.from_iterable(text.ids for text in texts), dtype=dtype, count=lengths.sum())
    for row, text in enumerate(texts):
        if text.type_ids is not None:
            types[row, : lengths[row]] = text.type_ids
    return Padded(ids, mask.astype(dtype), types)
