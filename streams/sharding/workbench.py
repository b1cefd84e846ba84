"""Where a model is taken apart: places are looked for, costs measured, pieces written."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from headrace.core.registry.folder import ModelSource
from headrace.core.registry.manifest import Manifest
from headrace.core.registry.shard import BATCH, TOKENS, BoundaryTensor, ManifestShard
from headrace.streams.sharding.anatomy import Anatomy
from headrace.streams.sharding.balance import choose
from headrace.streams.sharding.chain import PartChain
from headrace.streams.sharding.cost import cost_by_size, cost_by_time, shares_by_size, shares_by_time
from headrace.streams.sharding.cut import Piece, cut_graph
from headrace.streams.sharding.errors import NoPlaceToCutError
from headrace.streams.sharding.library import graph_files, open_session, write_graph
from headrace.streams.sharding.padding import may_trim
from headrace.streams.sharding.probe import probe, sample
from headrace.streams.sharding.version import SHARDED_FROM

if TYPE_CHECKING:
    import numpy as np

    Tensors = Mapping[str, np.ndarray[Any, Any]]

__all__ = ["Wish", "Workbench", "input_tensors"]

# As many texts of such a length are timed at once; also the length by which places are compared.
_TEXTS, _TOKENS = 8, 64
_MASK = "attention_mask"
# Lengths of the texts that padding is tried with.
_RAGGED = (3, 6, 11)


@dataclass(frozen=True)
class Wish:
    """How a model is to be cut.

    Attributes:
        parts: how many; at least 2.
        by: what the parts are to have in equal measure.
    """

    parts: int
    by: Literal["time", "size"] = "time"


@dataclass(frozen=True)
class Workbench:
    """A whole model, and what is needed to cut it."""

    whole: Manifest
    anatomy: Anatomy
    row: Tensors
    folder: Path
    tell: Callable[[str], None]

    def cut(self, wish: Wish) -> list[Piece]:
        """Return the pieces that the wish asks for."""
        anatomy, crossings = self.anatomy, self.anatomy.crossings()
        self.tell(f"looking for places to cut among {len(anatomy.work)} nodes")
        tensors = self._tensors(frozenset().union(*crossings))
        widths = [self._width(at, crossing, tensors) for at, crossing in enumerate(crossings)]
        if wish.by == "time":
            self.tell("measuring each node")
        costs = cost_by_size(anatomy) if wish.by == "size" else cost_by_time(anatomy, self._usual(), self.folder)
        cuts = choose(costs, widths, wish.parts)
        if cuts is None:
            usable = sum(width is not None for width in widths)
            fault = f"{self.whole.reference} has {usable} places to cut; {wish.parts} parts need {wish.parts - 1}"
            raise NoPlaceToCutError(fault, mend=f"ask for at most {usable + 1} parts" if usable else "keep it whole")
        return cut_graph(anatomy, cuts, tensors)

    def source(self, pieces: Sequence[Piece], wish: Wish, files: Path, kept: Path) -> ModelSource:
        """Write the pieces, and return them as a model that is ready to be registered."""
        shards = [self._shard(piece, at, kept) for at, piece in enumerate(pieces, start=1)]
        self.tell("measuring the parts")
        chain = PartChain([open_session(kept / shard.file) for shard in shards], [shard.makes for shard in shards])
        if wish.by == "size":
            shares = shares_by_size([[kept / file for file in shard.files] for shard in shards])
        else:
            shares = shares_by_time(chain, self._usual())
        trims = [self._trims(chain, shard, at) for at, shard in enumerate(shards)]
        of_graph = graph_files(files / str(self.whole.graph))
        others = [file for file in self.whole.files if files / file not in of_graph]
        for file in others:
            (kept / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(files / file, kept / file)
        facts = zip(shards, shares, trims, strict=True)
        shards = [shard.model_copy(update={"share": share, "trims": trim}) for shard, share, trim in facts]
        return ModelSource(
            folder=kept,
            graph=None,
            tokenizer=self.whole.tokenizer,
            files=(*(file for shard in shards for file in shard.files), *others),
            labels=self.whole.labels,
            max_tokens=self.whole.max_tokens,
            inputs=tuple(self.row),
            batch_invariant=self.whole.batch_invariant,
            lineage={
                **self.whole.lineage,
                SHARDED_FROM: self.whole.reference,
                "cut": f"{wish.parts} parts by {wish.by}",
            },
            shards=tuple(shards),
        )

    def _shard(self, piece: Piece, number: int, kept: Path) -> ManifestShard:
        path = kept / f"part-{number}.onnx"
        weights = write_graph(piece.model, path)
        return ManifestShard(
            file=path.name,
            weights=weights.name if weights else None,
            inputs=piece.inputs,
            outputs=piece.outputs,
            passes=piece.passes,
        )

    def _trims(self, chain: PartChain, shard: ManifestShard, at: int) -> bool:
        """Return whether padding may be left away behind a part; texts that run alone have none."""
        if not shard.outputs or not self.whole.batch_invariant or _MASK not in self.row:
            return False
        return may_trim(chain, self._ragged(), at, shard.outputs)

    def _tensors(self, names: frozenset[str]) -> dict[str, BoundaryTensor]:
        """Return what may travel: tensors that the probe finds fit, and the inputs of the graph."""
        found = probe(
            self.anatomy.model,
            names,
            self.row,
            self.folder,
            max_tokens=self.whole.max_tokens,
            by_row=self.whole.batch_invariant,
        )
        return input_tensors(found, self.row)

    def _width(self, place: int, crossing: frozenset[str], tensors: Mapping[str, BoundaryTensor]) -> float | None:
        """Return the bytes that cross a place for one text of usual length; None when something cannot travel."""
        if not crossing.issubset(tensors):
            return None
        later = {name for node in self.anatomy.work[place + 1 :] for name in node.input}
        _, roots = self.anatomy.remade(later)
        travels = crossing | roots.intersection(self.anatomy.inputs)
        return float(sum(tensors[name].row_bytes(_TOKENS) for name in travels))

    def _ragged(self) -> dict[str, np.ndarray[Any, Any]]:
        """Return texts of several lengths, padded to the longest."""
        import numpy as np

        tensors = sample(self.row, 3, min(_RAGGED[-1], self.whole.max_tokens))
        mask = np.arange(tensors[_MASK].shape[1]) < np.array(_RAGGED)[:, None]
        return {name: values * mask.astype(values.dtype) for name, values in tensors.items()}

    def _usual(self) -> dict[str, np.ndarray[Any, Any]]:
        return sample(self.row, _TEXTS, min(_TOKENS, self.whole.max_tokens))


def input_tensors(tensors: Mapping[str, BoundaryTensor], inputs: Tensors) -> dict[str, BoundaryTensor]:
    """Return what may travel: these tensors, and the inputs of the graph."""
    own = {
        name: BoundaryTensor.model_validate({"name": name, "dtype": str(values.dtype), "shape": (BATCH, TOKENS)})
        for name, values in inputs.items()
    }
    return {**tensors, **own}
