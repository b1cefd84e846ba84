"""A whole model in one process: from texts to logits."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from headrace import Batch
from headrace.plugins.models.errors import GraphOutputError
from headrace.plugins.models.onnx_batch import Limits, Padded, cheapest, cut, pad
from headrace.plugins.models.onnx_cost import CostTable, measure, shapes
from headrace.plugins.models.onnx_graph import Graph
from headrace.plugins.models.onnx_output import has_nan
from headrace.plugins.models.onnx_part import Chain
from headrace.plugins.models.onnx_rows import Mark, mark_of
from headrace.plugins.models.tokenizer import Encoded, Tokenizer

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Whole"]


class Whole:
    """A tokenizer and the graph behind it, in one piece or as a chain of parts.

    Args:
        tokenizer: turns texts into tokens.
        graph: turns tokens into logits.
        limits: of a run.
        latency_ms: most that a run of several texts may take, once runs were measured; None for any time.

    Attributes:
        costs: what runs take, once they were measured.
    """

    def __init__(
        self, tokenizer: Tokenizer, graph: Graph | Chain, limits: Limits, latency_ms: float | None = None
    ) -> None:
        self._tokenizer, self.graph, self._limits = tokenizer, graph, limits
        self._latency_ms = latency_ms
        self.costs: CostTable | None = None

    def judge(self, batch: Batch) -> tuple[np.ndarray[Any, Any], list[Mark]]:
        """Return the logits of the texts, float64 ``[texts, labels]``, and what is to be said of each, in order."""
        import numpy as np

        texts = self._tokenizer.encode(batch.texts)
        logits = np.empty((0, 0))
        for places, padded in self._runs(texts):
            found = self.graph.run(padded)
            if not len(logits):
                logits = np.empty((len(texts), found.shape[1]))
            logits[places] = found
        return logits, [mark_of(text) for text in texts]

    def try_out(self, probes: Sequence[str], labels: Sequence[str]) -> None:
        """Run a few texts, so that a model that cannot answer stops the worker, not each record.

        Raises:
            GraphOutputError: HR323.
        """
        for places, padded in self._runs(self._tokenizer.encode(probes)):
            logits = self.graph.run(padded)
            self.graph.refuse_shape(logits.shape, len(places), labels)
            if has_nan(logits):
                raise GraphOutputError("the graph's logits are not numbers", mend="export the model in float32")

    def measure(self, text: str, max_tokens: int, threads: int) -> CostTable | None:
        """Time runs of several shapes; from now on texts share runs where that is quicker.

        Args:
            text: its tokens are repeated, for runs of any length.
            max_tokens: of the longest text.
            threads: of a run. Of a single one its own time is taken, which others on its core do not lengthen.
        """
        if self._limits.records == 1:
            return None
        ids = self._tokenizer.encode([text])[0].ids

        def run(rows: int, tokens: int) -> None:
            one = Encoded((list(ids) * (tokens // len(ids) + 1))[:tokens], None, False)
            self.graph.run(pad([one] * rows, self._tokenizer.pad_id, self.graph.dtype))

        clock = time.thread_time if threads == 1 else time.perf_counter
        self.costs = measure(run, shapes(self._limits.records, max_tokens, self._limits.tokens), clock=clock)
        return self.costs

    def feeds(self, texts: Sequence[str]) -> Iterator[tuple[list[int], Mapping[str, np.ndarray[Any, Any]]]]:
        """Yield the runs that these texts make: their places, and the graph's inputs."""
        for places, padded in self._runs(self._tokenizer.encode(texts)):
            given = padded.feeds()
            yield places, {name: given[name] for name in self.graph.inputs}

    def _runs(self, texts: Sequence[Encoded]) -> Iterator[tuple[list[int], Padded]]:
        for places in self._cut([len(text.ids) for text in texts]):
            run = [texts[at] for at in places]
            yield places, pad(run, self._tokenizer.pad_id, self.graph.dtype)

    def _cut(self, lengths: Sequence[int]) -> Iterable[list[int]]:
        if self.costs is None:
            return cut(lengths, *self._limits)
        return cheapest(lengths, self.costs.ms, self._limits, self._latency_ms)
