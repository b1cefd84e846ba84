"""How the texts of a batch share runs of a model: sorted by length, so that little padding is computed.

Where runs were measured (`onnx_cost.py`) the cuts are those that cost least; else as many texts share one as may.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from headrace.plugins.models.tokenizer import Encoded

if TYPE_CHECKING:
    import numpy as np

__all__ = ["IDS", "MASK", "TYPES", "Limits", "Padded", "cheapest", "cut", "pad"]

IDS, MASK, TYPES = "input_ids", "attention_mask", "token_type_ids"


class Limits(NamedTuple):
    """How much one run takes.

    Attributes:
        records: most texts.
        tokens: most tokens, padding included.
    """

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


def cheapest(
    lengths: Sequence[int], cost_ms: Callable[[int, int], float], limits: Limits, latency_ms: float | None
) -> list[list[int]]:
    """Return the positions of the texts that share a run, shortest first, such that all runs together cost least.

    Texts may always run one by one, so the runs are never expected to take longer than that.

    Args:
        lengths: tokens of each text.
        cost_ms: what a run of so many texts, padded to so many tokens, takes.
        limits: of a run; a text that is longer runs alone.
        latency_ms: most that a run of several texts may take; None for any time.
    """
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    # total[n] is the least cost of the n shortest texts, rows[n] how many of them are in the last run then. Only
    # neighbours share a run: a longer text among shorter ones would only add padding.
    total, rows = [0.0], [0]
    for end in range(1, len(order) + 1):
        longest = lengths[order[end - 1]]
        best, size = total[end - 1] + cost_ms(1, longest), 1
        for many in range(2, min(limits.records, end, limits.tokens // longest) + 1):
            took = cost_ms(many, longest)
            if total[end - many] + took < best and (latency_ms is None or took <= latency_ms):
                best, size = total[end - many] + took, many
        total.append(best)
        rows.append(size)
    runs: list[list[int]] = []
    end = len(order)
    while end:
        runs.append(order[end - rows[end] : end])
        end -= rows[end]
    return runs[::-1]


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
