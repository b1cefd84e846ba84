"""How a model of the registry is opened: whole, all parts of a sharded one in a row, or one part of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from headrace import TensorSpec
from headrace.core.registry.manifest import Manifest
from headrace.plugins.models.errors import ShardIndexError, TensorsChangedError
from headrace.plugins.models.onnx_batch import MASK, Limits
from headrace.plugins.models.onnx_graph import Graph, open_graph
from headrace.plugins.models.onnx_part import Chain, FirstPart, LaterPart, PartGraph, open_part
from headrace.plugins.models.onnx_rows import Boundary
from headrace.plugins.models.onnx_whole import Whole
from headrace.plugins.models.tensor_graph import open_tensor_graph
from headrace.plugins.models.tensor_whole import TensorModel
from headrace.plugins.models.tokenizer import open_tokenizer

__all__ = ["Opening", "refuse_index"]


@dataclass(frozen=True)
class Opening:
    """What a model is opened with.

    Attributes:
        manifest: of the model.
        folder: where its files are; of a part only that part's have to be there.
        max_tokens: longest text, special tokens included.
        threads: processor threads that a run may use.
        providers: which to use, in order; None chooses.
        limits: most texts and tokens of a run, where texts may share one.
        latency_ms: most that a run of several texts may take; None for any time.
    """

    manifest: Manifest
    folder: Path
    max_tokens: int
    threads: int
    providers: tuple[str, ...] | None
    limits: Limits
    latency_ms: float | None = None

    def whole(self) -> Whole:
        """Return the whole model, from texts to logits."""
        tokenizer = open_tokenizer(self.folder, self.manifest.tokenizer, self.max_tokens)
        graph = self._graph()
        return Whole(tokenizer, graph, self._shared(masks=graph.masks), self.latency_ms)

    def part(self, index: int) -> FirstPart | LaterPart:
        """Return one part, counted from 0; nothing of the others is opened."""
        limits, shards = self._shared(masks=MASK in self.manifest.inputs), self.manifest.shards or ()
        if index > 0:
            before = shards[index - 1]
            return LaterPart(self._part(index), Boundary(before.outputs, before.trims), limits)
        tokenizer = open_tokenizer(self.folder, self.manifest.tokenizer, self.max_tokens)
        return FirstPart(tokenizer, self._part(index), limits)

    def tensors(self, outputs: Sequence[str] | None, most: int) -> TensorModel:
        """Return a model that takes numbers.

        Args:
            outputs: names of those that results tell.
            most: records that may share a run.

        Raises:
            TensorsChangedError: HR343.
        """
        path = self.folder / (self.manifest.graph or "")
        graph = open_tensor_graph(path, threads=self.threads, providers=self.providers)
        if self.manifest.takes:  # nobody has looked at one that is being imported
            _refuse_changed("takes", self.manifest.takes, graph.takes)
            _refuse_changed("gives", self.manifest.gives, graph.gives)
        return TensorModel(graph, self.manifest, most, outputs)

    def _graph(self) -> Graph | Chain:
        if self.manifest.graph is None:
            parts = [self._part(at) for at in range(len(self.manifest.shards or ()))]
            return Chain(parts, self.manifest.inputs)
        return open_graph(self.folder / self.manifest.graph, threads=self.threads, providers=self.providers)

    def _part(self, index: int) -> PartGraph:
        shard = (self.manifest.shards or ())[index]
        return open_part(self.folder, shard, threads=self.threads, providers=self.providers)

    def _shared(self, *, masks: bool) -> Limits:
        """Texts whose scores would change by sharing a run get one each."""
        return self.limits if masks and self.manifest.batch_invariant else Limits(1, self.limits.tokens)


def _refuse_changed(word: str, said: Sequence[TensorSpec], found: Sequence[TensorSpec]) -> None:
    if tuple(said) != tuple(found):
        fault = f"the graph {word} {', '.join(map(str, found))}; its manifest says {', '.join(map(str, said))}"
        raise TensorsChangedError(fault, mend="import the model again")


def refuse_index(manifest: Manifest, index: int) -> None:
    """Refuse a part that the model does not have.

    Raises:
        ShardIndexError: HR338.
    """
    count = len(manifest.shards or ())
    if index >= count:
        has = f"has {count} parts" if count else "is whole"
        fault = f"a worker is to open part {index + 1} of {manifest.reference}, which {has}"
        raise ShardIndexError(fault, mend="give all workers the same registry, and start the pipeline again")
