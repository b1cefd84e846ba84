"""Whether padding may be left away between two parts, and be put back as zeros: tried, never assumed.

A row without padding is smaller on the wire, does not depend on the texts that it once shared a run with, and can share
the next run with any others. It is not always allowed: a mask's penalty that itself crosses the cut has to be
something else than zero where there is no token.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from headrace.core.registry.shard import TOKENS, BoundaryTensor
from headrace.streams.sharding.chain import PartChain

if TYPE_CHECKING:
    import numpy as np

    Tensors = Mapping[str, np.ndarray[Any, Any]]

__all__ = ["may_trim"]

_NOISE = 1e-5
# So many tokens of zeros more than the longest text has: a run may hold a longer neighbour.
_MORE = 2


def may_trim(chain: PartChain, feeds: Tensors, at: int, outputs: Sequence[BoundaryTensor]) -> bool:
    """Return whether the parts behind one give the same logits when padding is cut off and put back as zeros.

    Args:
        chain: the parts.
        feeds: inputs for texts of several lengths; ``attention_mask`` tells them.
        at: the part whose outputs travel, counted from 0.
        outputs: what travels.
    """
    import numpy as np

    given = chain.run(feeds, end=at + 1)
    expected = chain.last(chain.run(given, at + 1))
    lengths = feeds["attention_mask"].sum(axis=1).tolist()
    travelled = {one.name: _without_padding(given[one.name], one, lengths) for one in outputs}
    found = chain.last(chain.run(travelled, at + 1))
    size = max(1.0, float(np.abs(expected).max(initial=0.0)))
    return bool(np.allclose(found, expected, rtol=0, atol=_NOISE * size))


def _without_padding(values: np.ndarray[Any, Any], tensor: BoundaryTensor, lengths: Sequence[int]) -> Any:
    """Return the tensor with zeros for everything that is not a text's own, and room for a longer text."""
    import numpy as np

    found = np.zeros((len(lengths), *tensor.row(max(lengths) + _MORE)), dtype=values.dtype)
    for at, length in enumerate(lengths):
        own = tuple(slice(length) if axis == TOKENS else slice(None) for axis in tensor.shape[1:])
        found[at][own] = values[at][own]
    return found
