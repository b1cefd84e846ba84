"""What a tensor has to be: its name, its type and its shape, in the words of codecs, manifests and plans.

Types are named as numpy names them. Publishers may also use the names of the Open Inference Protocol (KServe v2).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import prod
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator

__all__ = [
    "DTYPE_HEADER",
    "FREE",
    "MOST_AXES",
    "SHAPE_HEADER",
    "Dtype",
    "Shape",
    "TensorSpec",
    "dtype_named",
    "most_bytes",
]

Dtype = Literal[
    "float16",
    "float32",
    "float64",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "bool",
]
FREE = -1
"""An axis of any size, as the Open Inference Protocol writes it."""
MOST_AXES = 32
"""What every numpy takes."""

DTYPE_HEADER, SHAPE_HEADER = "tensor.dtype", "tensor.shape"
"""Headers of a message whose value is raw tensors: one of each a tensor, in order."""

_DTYPES: tuple[Dtype, ...] = get_args(Dtype)
_BYTES: dict[str, int] = {"bool": 1, **{name: int(name.lstrip("floatuin")) // 8 for name in _DTYPES if name != "bool"}}
_PROTOCOL: dict[str, Dtype] = {
    name.upper().replace("FLOAT", "FP"): name for name in _DTYPES
}  # FP32, INT64, UINT8, BOOL
# The shortest number of JSON with a comma, "0,", has 2 bytes and may become 8: so much can a list grow.
_GROWTH = 4


def _sized(shape: tuple[int, ...]) -> tuple[int, ...]:
    if any(size != FREE and size < 1 for size in shape):
        raise ValueError("the size of an axis is at least 1, or -1 for any")
    return shape


Shape = Annotated[tuple[int, ...], Field(max_length=MOST_AXES), AfterValidator(_sized)]


class TensorSpec(BaseModel):
    """A tensor of one record.

    Attributes:
        name: its name, as the model's graph has it.
        dtype: its type, as numpy names it.
        shape: the sizes of its axes; -1 for one of any size.
    """

    model_config = ConfigDict(defer_build=True, extra="forbid", frozen=True)

    name: str = Field(min_length=1)
    dtype: Dtype
    shape: tuple[int, ...] = Field(max_length=MOST_AXES)

    _has_sizes = field_validator("shape")(_sized)

    @property
    def is_fixed(self) -> bool:
        """Whether every axis has a size."""
        return FREE not in self.shape

    @property
    def itemsize(self) -> int:
        """Bytes of one number."""
        return _BYTES[self.dtype]

    @property
    def size_bytes(self) -> int:
        """Bytes of all of its numbers, when it is fixed."""
        return int(prod(self.shape)) * self.itemsize

    def fits(self, shape: Sequence[int]) -> bool:
        """Whether a shape may be one of this tensor's; an axis that is free on either side fits any."""
        return shape == self.shape or (
            len(shape) == len(self.shape)
            and all(FREE in (own, other) or own == other for own, other in zip(self.shape, shape, strict=True))
        )

    def __str__(self) -> str:
        return f"{self.name} {self.dtype}[{', '.join('any' if size == FREE else str(size) for size in self.shape)}]"


def dtype_named(name: str) -> Dtype | None:
    """Return the type that a name means, `float32` or `FP32`; None when there is none of that name."""
    found = _PROTOCOL.get(name.upper())
    return found or next((dtype for dtype in _DTYPES if dtype == name), None)


def most_bytes(specs: Iterable[TensorSpec], max_bytes: int) -> int:
    """Return the most that the tensors of a message take.

    Args:
        specs: what they are.
        max_bytes: the largest message.
    """
    return sum(spec.size_bytes if spec.is_fixed else _GROWTH * max_bytes for spec in specs)
