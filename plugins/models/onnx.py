"""Classify texts with an ONNX graph from the registry."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pydantic import Field

from headrace import Batch, Catalog, ModelFacts, Options, Output, StepContext, hookimpl
from headrace.core.errors import HeadraceError
from headrace.core.options import TUNING
from headrace.core.registry.errors import ModelLengthError
from headrace.core.registry.manifest import Manifest
from headrace.core.registry.store import Registry
from headrace.plugins.models.errors import GraphOutputError, NotANumberError
from headrace.plugins.models.onnx_batch import cut, pad
from headrace.plugins.models.onnx_graph import Graph, open_graph
from headrace.plugins.models.tokenizer import Encoded, Tokenizer, open_tokenizer

if TYPE_CHECKING:
    import numpy as np

__all__ = ["MicroBatch", "OnnxModel", "OnnxOptions"]

_log = logging.getLogger(__name__)
# Short, long and empty: where padding and masks can be wrong.
_PROBES = ("", "A text.", "A somewhat longer text, so that the short ones have to be padded.")


class MicroBatch(Options):
    """How many texts share one run of the graph. Results do not depend on it, speed and memory do."""

    records: int = Field(default=8, ge=1, le=4096, description="most texts in a run")
    tokens: int = Field(default=4096, ge=1, description="most tokens in a run, padding included")


class OnnxOptions(Options):
    """What a pipeline file may say of `onnx`."""

    model: str = Field(description="the model in the registry: NAME@VERSION or NAME@ALIAS")
    max_tokens: int | None = Field(
        default=None, ge=1, description="longest text in tokens, longer ones are truncated; default: the model's own"
    )
    micro_batch: MicroBatch = Field(
        default=MicroBatch(), description="how many texts share one run of the graph", json_schema_extra=TUNING
    )
    providers: tuple[str, ...] | None = Field(
        default=None, min_length=1, description="such as [cuda, cpu]; default: CUDA where it works, else the processor"
    )
    threads: int | None = Field(
        default=None,
        ge=1,
        le=1024,
        description="processor threads of a run; default: what the machine has to spare",
        json_schema_extra=TUNING,
    )


class OnnxModel:
    """Classify texts with an ONNX graph from the registry: `label`, `score`, `scores`, `tokens`, `truncated`."""

    def __init__(self, options: OnnxOptions) -> None:
        self._options = options
        self._graph: Graph | None = None
        self._tokenizer: Tokenizer | None = None
        self._labels: tuple[str, ...] = ()
        self._records, self._tokens = options.micro_batch.records, options.micro_batch.tokens

    @property
    def inputs(self) -> tuple[str, ...]:
        """The graph's inputs, once it is open."""
        return self._graph.inputs if self._graph else ()

    def facts(self, context: StepContext) -> ModelFacts:
        """Return what the manifest says; files are looked at, not read.

        Raises:
            ConfigError: HR301 to HR305, HR312: the model is not there, not whole, or takes shorter texts.
        """
        registry = Registry(context.registry)
        manifest = registry.resolve(self._options.model)
        registry.check(manifest)
        self._max_tokens(manifest)
        return ModelFacts(manifest.reference, manifest.labels, manifest.size_bytes, manifest.hash)

    def open(self, context: StepContext) -> None:
        """Verify every file, load graph and tokenizer, and run a few texts.

        Raises:
            ConfigError: HR301 to HR312, HR321 to HR324: what is wrong with the model.
            MachineError: HR309, HR320, HR326, HR328: what is wrong with the machine.
        """
        registry = Registry(context.registry)
        manifest = registry.resolve(context.version or self._options.model)
        max_tokens = self._max_tokens(manifest)
        folder = registry.files(manifest)
        threads = self._options.threads or context.threads
        with _told_of(manifest.reference):
            self._tokenizer = open_tokenizer(folder, manifest.tokenizer, max_tokens)
            self._graph = open_graph(folder / manifest.graph, threads=threads, providers=self._options.providers)
            self._labels = manifest.labels
            self._tokens = min(self._options.micro_batch.tokens, context.batch_tokens)
            if not (self._graph.masks and manifest.batch_invariant):
                self._records = 1
            self._try()
        _log.info("%s runs on %s, threads %d", manifest.reference, self._graph.provider, threads)

    def close(self) -> None:
        """Let go of graph and tokenizer."""
        self._graph = self._tokenizer = None

    def infer(self, batch: Batch) -> Sequence[Output]:
        """Return label, score and scores of each text, in order.

        Raises:
            NotANumberError: HR325.
            ModelMemoryError: HR326.
            GraphFailedError: HR327.
        """
        if not len(batch):
            return []
        tokenizer, graph = self._opened()
        texts = tokenizer.encode(batch.texts)
        scores = _probabilities(self._logits(texts, tokenizer, graph))
        _refuse_nan(scores, batch)
        return self._outputs(texts, scores)

    def _opened(self) -> tuple[Tokenizer, Graph]:
        if self._tokenizer is None or self._graph is None:
            raise RuntimeError("infer before open")
        return self._tokenizer, self._graph

    def _max_tokens(self, manifest: Manifest) -> int:
        asked = self._options.max_tokens
        if asked is not None and asked > manifest.max_tokens:
            fault = f"{manifest.reference} takes {manifest.max_tokens} tokens; max_tokens asks for {asked}"
            raise ModelLengthError(fault, mend=f"lower max_tokens to {manifest.max_tokens}, or leave it away")
        return asked or manifest.max_tokens

    def _try(self) -> None:
        """Run texts of different lengths, so that a model that cannot answer stops the worker, not each record."""
        tokenizer, graph = self._opened()
        texts = tokenizer.encode(_PROBES)
        for rows in cut([len(text.ids) for text in texts], self._records, self._tokens):
            logits = graph.run(pad([texts[row] for row in rows], tokenizer.pad_id, graph.dtype))
            graph.refuse_shape(logits.shape, len(rows), self._labels)
            if _has_nan(logits):
                raise GraphOutputError("the graph's logits are not numbers", mend="export the model in float32")

    def _logits(self, texts: list[Encoded], tokenizer: Tokenizer, graph: Graph) -> np.ndarray[Any, Any]:
        import numpy as np

        logits = np.empty((0, 0))
        for rows in cut([len(text.ids) for text in texts], self._records, self._tokens):
            found = graph.run(pad([texts[row] for row in rows], tokenizer.pad_id, graph.dtype))
            if not len(logits):
                logits = np.empty((len(texts), found.shape[1]))
            logits[rows] = found
        return logits

    def _outputs(self, texts: list[Encoded], scores: np.ndarray[Any, Any]) -> list[Output]:
        labels = self._labels
        outputs: list[Output] = []
        for text, row, best in zip(texts, scores.tolist(), scores.argmax(axis=1).tolist(), strict=True):
            output: dict[str, Any] = {
                "label": labels[best],
                "score": row[best],
                "scores": dict(zip(labels, row, strict=True)),
                "tokens": len(text.ids),
            }
            if text.truncated:
                output["truncated"] = True
            outputs.append(output)
        return outputs


@hookimpl
def headrace_register(catalog: Catalog) -> None:
    """Register `onnx`."""
    catalog.model("onnx", OnnxModel, options=OnnxOptions)


@contextmanager
def _told_of(reference: str) -> Iterator[None]:
    """Begin the errors of libraries that know only files with the model's name: a pipeline may have several."""
    try:
        yield
    except HeadraceError as error:
        error.fault = f"{reference}: {error.fault}"
        raise


def _probabilities(logits: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return softmax by row; a single logit is that of the second of two labels."""
    import numpy as np

    if logits.shape[1] == 1:
        logits = np.concatenate([np.zeros_like(logits), logits], axis=1)
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    total: np.ndarray[Any, Any] = powers / powers.sum(axis=1, keepdims=True)
    return total


def _has_nan(values: np.ndarray[Any, Any]) -> bool:
    import numpy as np

    return bool(np.isnan(values).any())


def _refuse_nan(scores: np.ndarray[Any, Any], batch: Batch) -> None:
    if _has_nan(scores):
        import numpy as np

        record = batch[int(np.isnan(scores).any(axis=1).argmax())]
        raise NotANumberError(f"the model's scores for record {record.id} are NaN", mend="export it in float32")
