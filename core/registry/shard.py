"""One part of a sharded model, as its manifest has it: its file, what it takes, and what travels on behind it."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Literal

from pydantic import Field, model_validator

from headrace.core.registry.section import FilePath, Section

__all__ = ["BATCH", "TOKENS", "BoundaryTensor", "ManifestShard", "refuse_gaps"]

BATCH, TOKENS = "batch", "tokens"
_BYTES = {"float64": 8, "int64": 8, "float32": 4, "int32": 4, "float16": 2, "int8": 1, "uint8": 1, "bool": 1}


class BoundaryTensor(Section):
    """A tensor that travels from one part to the next, a row a record.

    Attributes:
        name: its name in the graph.
        dtype: its type, as numpy names it.
        shape: its axes, such as ``["batch", "tokens", 384]``; the first is always ``batch``.
    """

    name: str = Field(min_length=1)
    dtype: Literal["float64", "int64", "float32", "int32", "float16", "int8", "uint8", "bool"]
    shape: tuple[int | Literal["batch", "tokens"], ...]

    @model_validator(mode="after")
    def _is_by_record(self) -> BoundaryTensor:
        if self.shape[:1] != (BATCH,) or BATCH in self.shape[1:]:
            raise ValueError(f"the first axis of {self.name!r}, and no other, has to be {BATCH!r}")
        return self

    def row(self, tokens: int) -> tuple[int, ...]:
        """Return the shape of one record's row when its run is padded to so many tokens."""
        return tuple(tokens if axis == TOKENS else int(axis) for axis in self.shape[1:])

    def row_bytes(self, tokens: int) -> int:
        """Return the bytes of one record's row."""
        return prod(self.row(tokens)) * _BYTES[self.dtype]

    def __str__(self) -> str:
        return f"{self.name} {self.dtype}[{', '.join(map(str, self.shape))}]"


class ManifestShard(Section):
    """A part of a sharded model; what the parts give runs from the first to the last.

    Attributes:
        file: its ONNX graph.
        weights: the file of its weights, when they are too many for the graph's own file.
        inputs: the tensors that its graph takes: inputs of the whole graph, or what earlier parts gave.
        outputs: everything that the parts behind it need, from this part or an earlier one; empty for the last part.
        passes: names of those outputs that it hands on as they came: its graph does not make them.
        trims: whether rows leave it without their padding, and the next part pads them with zeros as it needs; that it
            changes nothing was tried when the model was cut.
        share: its part of the whole cost, from 0 to 1, as it was measured when the model was cut.
    """

    file: FilePath
    weights: FilePath | None = None
    inputs: tuple[str, ...] = Field(min_length=1)
    outputs: tuple[BoundaryTensor, ...] = ()
    passes: tuple[str, ...] = ()
    trims: bool = False
    share: float = Field(default=0.0, ge=0, le=1)

    @property
    def files(self) -> tuple[str, ...]:
        """Every file that a worker of this part opens, but for the first part's tokenizer."""
        return (self.file,) if self.weights is None else (self.file, self.weights)

    @property
    def makes(self) -> tuple[str, ...]:
        """Names of the outputs that its graph makes."""
        return tuple(output.name for output in self.outputs if output.name not in self.passes)


def refuse_gaps(shards: Sequence[ManifestShard], inputs: Sequence[str]) -> None:
    """Refuse parts of which one needs what nobody gives it.

    Args:
        shards: the parts, in order.
        inputs: the inputs of the whole graph.

    Raises:
        ValueError: what does not hold together.
    """
    if len(shards) < 2:
        raise ValueError("a sharded model has at least two parts")
    files = [file for shard in shards for file in shard.files]
    if len(set(files)) != len(files):
        raise ValueError("two parts share a file")
    given = tuple(inputs)
    for at, shard in enumerate(shards, start=1):
        lacking = sorted({*shard.inputs, *shard.passes}.difference(given))
        if lacking:
            raise ValueError(f"part {at} needs {lacking[0]!r}, which nothing before it gives")
        given = tuple(output.name for output in shard.outputs)
        if len(set(given)) != len(given) or not set(shard.passes).issubset(given):
            raise ValueError(f"part {at} gives a tensor twice, or passes one that it does not give")
        if bool(given) == (at == len(shards)):
            raise ValueError(f"part {at} {'is the last one and gives tensors' if given else 'gives nothing'}")
