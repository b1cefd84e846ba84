"""Whether all numbers of a tensor are finite, asked in the cheapest way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headrace.plugins.codecs.errors import TensorNotFiniteError

if TYPE_CHECKING:
    import numpy as np

__all__ = ["refuse_infinite"]

_AT_ONCE = 500
_FEW = 4_000


def refuse_infinite(name: str, tensor: np.ndarray[Any, Any]) -> None:
    """Raise if a tensor of floats holds NaN or an infinity.

    numpy lets other threads run while it looks at more than 500 numbers, and coming back from that took ten times as
    long as the look itself. So fewer are looked at at once, until there are so many that it no longer matters.

    Raises:
        TensorNotFiniteError: HR528, with the place of the first.
    """
    import numpy as np

    flat = tensor.reshape(-1)
    step = _AT_ONCE if flat.size <= _FEW else flat.size
    for begin in range(0, flat.size, step or 1):
        finite = np.isfinite(flat[begin : begin + step])
        if finite.all():
            continue
        raise TensorNotFiniteError(
            f"tensor {name!r} has no finite {tensor.dtype} at {begin + int(np.argmin(finite))}",
            mend="publish numbers that the type holds, or set allow_nan: true",
        )
