"""GrowthBook's hash of a unit, so that its SDKs and Headrace put the same user into the same bucket.

Source: GrowthBook's SDK specification, https://docs.growthbook.io/lib/build-your-own, "hashing".

FNV-1a takes a text code unit by code unit, and what that is, GrowthBook leaves to each SDK's language. JavaScript takes
those of UTF-16 (`charCodeAt`), each of 16 bits as a whole; so does the Python SDK 4.0. One that takes UTF-8 bytes puts
units beyond ASCII into other buckets, one that takes code points those with emoji. We take UTF-16, since browsers are
where most units come from. A lone surrogate, which JavaScript may send, is a code unit like any other.
"""

from __future__ import annotations

__all__ = ["BUCKETS", "OFFSET", "PRIME", "code_units", "fnv1a", "point", "slot"]

OFFSET = 0x811C9DC5
PRIME = 0x01000193
_MASK = 0xFFFFFFFF
BUCKETS = {1: 1_000, 2: 10_000}
"""How many buckets each version of the hash has."""


def code_units(text: str) -> bytes | memoryview:
    """Return the UTF-16 code units of a text, as something that iterates over whole numbers."""
    if text.isascii():
        return text.encode()
    # "H" is the machine's own byte order, and so is "utf-16" after its mark of one unit.
    return memoryview(text.encode("utf-16", "surrogatepass"))[2:].cast("H")


def fnv1a(text: str, state: int = OFFSET) -> int:
    """Return the FNV-1a hash of 32 bits; with the state after a text, that of both texts one after the other."""
    for unit in code_units(text):
        state = ((state ^ unit) * PRIME) & _MASK
    return state


def slot(seed: str, unit: str, version: int = 2) -> int | None:
    """Return the bucket of a unit, from 0 to below `BUCKETS[version]`; None for a version that there is not."""
    if version == 2:
        return fnv1a(str(fnv1a(seed + unit))) % BUCKETS[2]
    return fnv1a(unit + seed) % BUCKETS[1] if version == 1 else None


def point(seed: str, unit: str, version: int = 2) -> float | None:
    """Return where a unit falls, at least 0 and less than 1; None for a version that there is not."""
    found = slot(seed, unit, version)
    return None if found is None else found / BUCKETS[version]
