"""Run an ONNX graph from the registry: classify texts, or turn the numbers of records into others."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from headrace import Batch, Catalog, ModelFacts, Options, Output, ShardFacts, StepContext, hookimpl
from headrace.core.errors import HeadraceError
from headrace.core.options import TUNING
from headrace.core.registry.errors import ModelLengthError
from headrace.core.registry.manifest import TENSOR, Manifest
from headrace.core.registry.store import Registry
from headrace.plugins.models.onnx_batch import Limits
from headrace.plugins.models.onnx_cost import CostTable
from headrace.plugins.models.onnx_opening import Opening, refuse_index
from headrace.plugins.models.onnx_output import outputs_of
from headrace.plugins.models.onnx_part import FirstPart, LaterPart
from headrace.plugins.models.onnx_rows import MARK_BYTES
from headrace.plugins.models.onnx_whole import Whole
from headrace.plugins.models.tensor_output import refuse_outputs
from headrace.plugins.models.tensor_whole import Look, TensorModel

if TYPE_CHECKING:
    import numpy as np

__all__ = ["MicroBatch", "OnnxModel", "OnnxOptions"]

_log = logging.getLogger(__name__)
# Short, long and empty: where padding and masks can be wrong.
_PROBES = ("", "A text.", "A somewhat longer text, so that the short ones have to be padded.")


_MOST_ROWS = 4096


class MicroBatch(Options):
    """How many records may share one run of the graph. Results do not depend on it, speed and memory do."""

    records: int = Field(
        default=8, ge=1, le=_MOST_ROWS, description="most records in a run; of tensors by default all of a batch"
    )
    tokens: int = Field(default=4096, ge=1, description="most tokens in a run, padding included")


class OnnxOptions(Options):
    """What a pipeline file may say of `onnx`."""

    model: str = Field(description="the model in the registry: NAME@VERSION or NAME@ALIAS")
    max_tokens: int | None = Field(
        default=None, ge=1, description="longest text in tokens, longer ones are truncated; default: the model's own"
    )
    micro_batch: MicroBatch = Field(
        default=MicroBatch(), description="how many records share one run of the graph", json_schema_extra=TUNING
    )
    outputs: tuple[str, ...] | None = Field(
        default=None,
        description="of a model of tensors, the outputs that results tell; default: all, or with labels none but these",
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
    """Run an ONNX graph from the registry: a text classifier, or one that takes and gives numbers.

    Of a text it says `label`, `score`, `scores`, `tokens` and `truncated`; of tensors `outputs`, by name, or with
    labels `label`, `score` and `scores`. A sharded model answers as the whole one does: all its parts in one process,
    or one part a stage.
    """

    def __init__(self, options: OnnxOptions) -> None:
        self._options = options
        self._opened: Whole | FirstPart | LaterPart | TensorModel | None = None
        self._labels: tuple[str, ...] = ()
        self._reference, self._longest, self._threads = "", 1, 1

    @property
    def inputs(self) -> tuple[str, ...]:
        """The graph's inputs, once the whole model is open."""
        return self._opened.graph.inputs if isinstance(self._opened, Whole) else ()

    @property
    def output(self) -> str:
        """The name of the graph's logits, once the whole model is open."""
        return self._opened.graph.output if isinstance(self._opened, Whole) else ""

    def look(self) -> Look | None:
        """Return what only an open model of tensors tells; None of one that reads texts."""
        return self._opened.look() if isinstance(self._opened, TensorModel) else None

    def facts(self, context: StepContext) -> ModelFacts:
        """Return what the manifest says; files are looked at, not read.

        Raises:
            ConfigError: HR301 to HR305, HR312, HR342: the model is not there, not whole, takes shorter texts, or lacks
                an output.
        """
        registry = Registry(context.registry)
        manifest = registry.resolve(self._wanted(context))
        registry.check(manifest)
        refuse_outputs(manifest, self._options.outputs)
        return ModelFacts(
            version=manifest.reference,
            labels=manifest.labels,
            size_bytes=manifest.size_bytes,
            hash=manifest.hash,
            shards=_shard_facts(manifest, self._max_tokens(manifest)),
            reference=self._options.model,
            inputs=manifest.takes,
        )

    def open(self, context: StepContext) -> None:
        """Verify and load what this worker needs, and run a few texts: the whole model, or one part of it.

        Of a part no other part's file is opened, and only the first one has a tokenizer.

        Raises:
            ConfigError: HR301 to HR312, HR321 to HR324, HR338: what is wrong with the model.
            MachineError: HR309, HR320, HR326, HR328: what is wrong with the machine.
        """
        registry, index = Registry(context.registry), context.shard
        manifest = registry.resolve(context.version or self._wanted(context))
        self._max_tokens(manifest)  # before anything is read: it may be refused
        if index is not None:
            refuse_index(manifest, index)
        opening = self._opening(manifest, registry.files(manifest if index is None else manifest.part(index)), context)
        with _told_of(manifest.reference):
            self._opened = self._tensor_model(opening) if manifest.task == TENSOR else self._text_model(opening, index)
        self._labels, opened = manifest.labels, self._opened
        self._reference, self._longest, self._threads = manifest.reference, opening.max_tokens, opening.threads
        which = "" if index is None else f", part {index + 1} of {len(manifest.shards or ())},"
        _log.info("%s%s runs on %s, threads %d", manifest.reference, which, opened.graph.provider, opening.threads)

    def _text_model(self, opening: Opening, index: int | None) -> Whole | FirstPart | LaterPart:
        opened = opening.whole() if index is None else opening.part(index)
        opened.try_out(_PROBES, opening.manifest.labels)
        return opened

    def _tensor_model(self, opening: Opening) -> TensorModel:
        options = self._options
        most = options.micro_batch.records if "micro_batch" in options.model_fields_set else _MOST_ROWS
        opened = opening.tensors(options.outputs, most)
        opened.try_out()
        return opened

    def warm_up(self) -> None:
        """Find out which texts had better share a run, and which run alone."""
        if isinstance(self._opened, Whole):
            table = self._opened.measure(_PROBES[-1], self._longest, self._threads)
            if table is not None:
                _log.info("%s: %d kinds of runs measured; %s", self._reference, len(table.measured), _told(table))

    def close(self) -> None:
        """Let go of graph and tokenizer."""
        self._opened = None

    def infer(self, batch: Batch) -> Sequence[Output]:
        """Return label, score and scores of each text, or what a model of tensors says, in order.

        Raises:
            InputTensorError: HR329, a record does not bring what the model takes.
            NotANumberError: HR325.
            ModelMemoryError: HR326.
            GraphFailedError: HR327.
            BoundaryTensorError: HR337, a record does not bring what the last part takes.
        """
        if not len(batch):
            return []
        opened = self._opened
        if opened is None or isinstance(opened, FirstPart):
            raise RuntimeError("infer before open")
        if isinstance(opened, TensorModel):
            return opened.answer(batch)
        logits, marks = opened.judge(batch)
        return outputs_of(batch, logits, marks, self._labels)

    def part(self, batch: Batch) -> Sequence[Mapping[str, np.ndarray[Any, Any]]]:
        """Return each record's row of every tensor that the parts behind this one need, in order.

        Raises:
            ModelMemoryError: HR326.
            GraphFailedError: HR327.
            BoundaryTensorError: HR337, a record does not bring what this part takes.
        """
        opened = self._opened
        if opened is None or isinstance(opened, Whole | TensorModel):
            raise RuntimeError("part before open")
        return opened.part(batch)

    def feeds(self, texts: Sequence[str]) -> Iterator[tuple[list[int], Mapping[str, np.ndarray[Any, Any]]]]:
        """Yield the runs that these texts would make: their places, and the inputs of the whole graph.

        Tools that cut or compare graphs need exactly what the graph would get.
        """
        return self._opened.feeds(texts) if isinstance(self._opened, Whole) else iter(())

    def _wanted(self, context: StepContext) -> str:
        """Return the reference of the file, or what an alias that was moved since means now."""
        moved = context.aliases.get(self._options.model)
        return self._options.model if moved is None else f"{self._options.model.partition('@')[0]}@{moved}"

    def _opening(self, manifest: Manifest, folder: Path, context: StepContext) -> Opening:
        options = self._options
        return Opening(
            manifest,
            folder,
            max_tokens=self._max_tokens(manifest),
            threads=options.threads or context.threads,
            providers=options.providers,
            latency_ms=context.batch_latency_ms,
            limits=Limits(options.micro_batch.records, min(options.micro_batch.tokens, context.batch_tokens)),
        )

    def _max_tokens(self, manifest: Manifest) -> int:
        asked = self._options.max_tokens
        if asked is not None and manifest.task == TENSOR:
            raise ModelLengthError(f"{manifest.reference} takes no text", mend="leave max_tokens away")
        if asked is not None and asked > manifest.max_tokens:
            fault = f"{manifest.reference} takes {manifest.max_tokens} tokens; max_tokens asks for {asked}"
            raise ModelLengthError(fault, mend=f"lower max_tokens to {manifest.max_tokens}, or leave it away")
        return asked or manifest.max_tokens


@hookimpl
def headrace_register(catalog: Catalog) -> None:
    """Register `onnx`."""
    catalog.model("onnx", OnnxModel, options=OnnxOptions)


def _told(table: CostTable) -> str:
    """Return for some lengths how many texts run quickest together: `8 of 16 tokens together 1.14 times as quick`."""
    found = []
    for tokens in sorted({tokens for _, tokens in table.measured}):
        rows = max(
            (rows for rows, at in table.measured if at == tokens), key=lambda many: many / table.ms(many, tokens)
        )
        if rows > 1:
            gain = rows * table.ms(1, tokens) / table.ms(rows, tokens)
            found.append(f"{rows} of {tokens} tokens together {gain:.2f} times as quick")
    return ", ".join(found) or "texts are quickest one by one"


@contextmanager
def _told_of(reference: str) -> Iterator[None]:
    """Begin the errors of libraries that know only files with the model's name: a pipeline may have several."""
    try:
        yield
    except HeadraceError as error:
        error.fault = f"{reference}: {error.fault}"
        raise


def _shard_facts(manifest: Manifest, max_tokens: int) -> tuple[ShardFacts, ...]:
    return tuple(
        ShardFacts(
            size_bytes=sum(manifest.files[file].size for file in shard.files),
            hash=manifest.part(at).hash,
            bytes_per_record=sum(one.row_bytes(max_tokens) for one in shard.outputs)
            + (MARK_BYTES * bool(shard.outputs)),
        )
        for at, shard in enumerate(manifest.shards or ())
    )
