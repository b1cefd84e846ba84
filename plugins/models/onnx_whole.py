"""A whole model in one process: from texts to logits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from headrace import Batch
from headrace.plugins.models.errors import GraphOutputError
from headrace.plugins.models.onnx_batch import Limits, Padded, cut, pad
from headrace.plugins.models.onnx_graph import Graph
from headrace.plugins.models.onnx_output import has_nan
from headrace.plugins.models.onnx_part import Chain
from headrace.plugins.models.onnx_rows import Mark, mark_of
from headrace.plugins.models.tokenizer import Encoded, Tokenizer

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Whole"]


class Whole:
    """A tokenizer and the graph behind it, in one piece or as a chain of parts."""

    def __init__(self, tokenizer: Tokenizer, graph: Graph | Chain, limits: Limits) -> None:
        self._tokenizer, self.graph, self._limits = tokenizer, graph, limits

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

    def feeds(self, texts: Sequence[str]) -> Iterator[tuple[list[int], Mapping[str, np.ndarray[Any, Any]]]]:
        """Yield the runs that these texts make: their places, and the graph's inputs."""
        for places, padded in self._runs(self._tokenizer.encode(texts)):
            given = padded.feeds()
            yield places, {name: given[name] for name in self.graph.inputs}

    def _runs(self, texts: Sequence[Encoded]) -> Iterator[tuple[list[int], Padded]]:
        for places in cut([len(text.ids) for text in texts], *self._limits):
            run = [texts[at] for at in places]
            yield places, pad(run, self._tokenizer.pad_id, self.graph.dtype)
