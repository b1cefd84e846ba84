"""The units of a batch, hashed together: numpy takes one code unit of all of them at a time.

Measured with batches of 64 units of 36 characters: 3.5 times as fast as `hash.slot` in a loop.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from headrace.core.experiments.hash import BUCKETS, OFFSET, PRIME, code_units, fnv1a, slot

if TYPE_CHECKING:
    import numpy as np

    Numbers = np.ndarray[Any, np.dtype[np.uint32]]

__all__ = ["Units"]

_FEWEST = 24
"""With fewer units the fixed cost of numpy's calls is more than a loop over them takes (measured)."""
_LONGEST = 64
"""Code points; one long unit would make all others as long, and it costs no more by itself."""
_LAST_PLANE = 0xFFFF
_CUT = 10_000
"""A number of 32 bits is hashed as text: of its digits above the last four a table holds the state (1.7 MB)."""


class Units:
    """Units in the form in which they are hashed together, whatever the seed.

    Args:
        units: the units, in order.
    """

    def __init__(self, units: Sequence[str]) -> None:
        self._units = units
        self._columns: list[Numbers] = []
        self._factors: list[Numbers] = []
        self._known: dict[tuple[str, int], list[int]] = {}  # the experiments of a layer all ask for its slots
        self._apart: list[int] = []  # indices of units that the matrix does not hold as UTF-16 does
        if len(units) >= _FEWEST:
            self._lay_out()

    def __len__(self) -> int:
        return len(self._units)

    def slots(self, seed: str, version: int = 2) -> list[int]:
        """Return the bucket of each unit, in order, as `hash.slot` has it."""
        known = self._known.get((seed, version))
        if known is None:
            known = self._known[seed, version] = self._hashed(seed, version)
        return known

    def _hashed(self, seed: str, version: int) -> list[int]:
        if not self._columns:
            return [self._alone(unit, seed, version) for unit in self._units]
        if version == 1:
            hashed = self._states(OFFSET)
            for code in code_units(seed):
                hashed ^= code
                hashed *= _prime()
        else:
            hashed = _hash_of_decimal(self._states(fnv1a(seed)))
        found: list[int] = (hashed % BUCKETS[version]).tolist()
        for index in self._apart:
            found[index] = self._alone(self._units[index], seed, version)
        return found

    def _alone(self, unit: str, seed: str, version: int) -> int:
        return slot(seed, unit, version) or 0

    def _lay_out(self) -> None:
        """Make a row of each position: the code of each unit there, 0 beyond its end, and what to multiply with.

        A step of FNV-1a with code 0 and factor 1 changes nothing, so units of all lengths go through the same steps.
        """
        import numpy as np

        lengths = [len(unit) for unit in self._units]
        width = min(max(lengths), _LONGEST)
        if width == 0:
            return
        matrix = np.array(self._units, dtype=f"U{width}").view(np.uint32).reshape(len(lengths), width)
        if max(lengths) > width:
            self._apart = [index for index, length in enumerate(lengths) if length > width]
            lengths = [min(length, width) for length in lengths]
        if matrix.max() > _LAST_PLANE:  # two code units in UTF-16, one character here
            beyond = np.flatnonzero(matrix.max(axis=1) > _LAST_PLANE).tolist()
            self._apart = sorted({*self._apart, *beyond})
        self._columns = list(np.ascontiguousarray(matrix.T))
        self._factors = list(_factors()[:width].take(lengths, axis=1))

    def _states(self, begin: int) -> Numbers:
        """Return the state of FNV-1a after each unit, from the same state before all of them."""
        import numpy as np

        xor, times = np.bitwise_xor, np.multiply  # what remains of a call once its name is found and `out=` parsed
        states = np.full(len(self._units), begin, np.uint32)
        for codes, factors in zip(self._columns, self._factors, strict=True):
            xor(states, codes, states)
            times(states, factors, states)
        return states


def _hash_of_decimal(numbers: Numbers) -> Numbers:
    """Return the hash of each number written in decimal digits."""
    import numpy as np

    high, rest = np.divmod(numbers, np.uint32(_CUT))
    states, prime = _leading_states()[high], _prime()
    for codes in _digits().take(rest, axis=1):
        np.bitwise_xor(states, codes, out=states)
        np.multiply(states, prime, out=states)
    if not high.all():  # no digits above the cut, and so no zeros before those below
        for index in np.flatnonzero(high == 0).tolist():
            states[index] = fnv1a(str(numbers[index]))
    return states


@cache
def _leading_states() -> Numbers:
    """Return the state of FNV-1a after the digits of each number that can stand above the cut."""
    import numpy as np

    numbers = np.arange((1 << 32) // _CUT + 1, dtype=np.uint32)
    states = np.full(len(numbers), OFFSET, np.uint32)
    begin, end = 0, 10  # numbers of one digit, then of two: each goes on from the state of the one without its last
    while begin < len(numbers):
        these = numbers[begin:end]
        before = states[these // 10] if begin else states[begin:end]
        states[begin:end] = (before ^ (these % 10 + ord("0"))) * _prime()
        begin, end = end, end * 10
    return states


@cache
def _digits() -> Numbers:
    """Return the codes of the digits of each number below the cut, zeros before it included: `[digit, number]`."""
    import numpy as np

    numbers = np.arange(_CUT, dtype=np.uint32)
    return np.stack([numbers // power % 10 + ord("0") for power in (1_000, 100, 10, 1)])


@cache
def _factors() -> Numbers:
    """Return what to multiply with at each position in a unit of each length: `[position, length]`."""
    import numpy as np

    is_reached = np.arange(_LONGEST)[:, None] < np.arange(_LONGEST + 1)
    return np.where(is_reached, _prime(), np.uint32(1))


@cache
def _prime() -> Any:
    import numpy as np

    return np.uint32(PRIME)
