"""Parts of a sharded graph: one by itself, as a worker of its stage has it, or all of them in a row in one process."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headrace import Batch
from headrace.core.registry.shard import ManifestShard
from headrace.plugins.models.errors import GraphInputsError, GraphOutputError
from headrace.plugins.models.onnx_batch import MASK, Limits, Padded, cut, pad
from headrace.plugins.models.onnx_graph import logits_name, refuse_logits
from headrace.plugins.models.onnx_rows import Boundary, Mark, mark_of, rows_of, stacked
from headrace.plugins.models.onnx_session import Errors, open_session, run_error
from headrace.plugins.models.tokenizer import Encoded, Tokenizer

if TYPE_CHECKING:
    import numpy as np

    Tensors = Mapping[str, np.ndarray[Any, Any]]

__all__ = ["Chain", "FirstPart", "LaterPart", "PartGraph", "open_part"]

_RESTORE = "import the model again and shard it anew"


class PartGraph:
    """The graph of one part.

    Attributes:
        dtype: name of the integer type of the token ids.
        provider: what it runs on.
        is_last: whether it gives the logits.
        output: their name, then.
        gives: what travels on behind it.
    """

    def __init__(self, session: Any, errors: Errors, shard: ManifestShard) -> None:
        self._session, self._errors, self._shard = session, errors, shard
        _refuse_other(session, shard)
        types = {given.type for given in session.get_inputs()}
        self.dtype = "int32" if "tensor(int32)" in types else "int64"
        self.provider = str(session.get_providers()[0])
        self.gives = Boundary(shard.outputs, shard.trims)
        self.is_last = not shard.outputs
        self.output = logits_name(session) if self.is_last else ""

    def run(self, tensors: Tensors) -> dict[str, np.ndarray[Any, Any]]:
        """Return everything that the parts behind need: what this one makes, and what it hands on.

        Args:
            tensors: what the part before gave, or the texts; one row a record, padded alike.

        Raises:
            ModelMemoryError: HR326.
            GraphFailedError: HR327.
        """
        made = dict(zip(self._shard.makes, self._run(self._shard.makes, tensors), strict=True))
        return {given.name: {**tensors, **made}[given.name] for given in self._shard.outputs}

    def logits(self, tensors: Tensors) -> np.ndarray[Any, Any]:
        """Return the logits, ``[records, labels]``, as float64; the last part has them.

        Raises:
            ModelMemoryError: HR326.
            GraphFailedError: HR327.
        """
        (logits,) = self._run([self.output], tensors)
        return logits.astype("float64")  # type: ignore[no-any-return]

    def refuse_shape(self, shape: Sequence[int], texts: int, labels: Sequence[str]) -> None:
        """Refuse logits that are not those of a text classifier with these labels.

        Raises:
            GraphOutputError: HR323.
        """
        refuse_logits(self.output, shape, texts, labels)

    def _run(self, outputs: Sequence[str], tensors: Tensors) -> Any:
        feeds = {name: tensors[name] for name in self._shard.inputs}
        try:
            return self._session.run(list(outputs), feeds)
        except self._errors as error:
            shape = max((values.shape[:2] for values in feeds.values()), key=len)
            raise run_error(error, shape[0], shape[-1]) from error


class Chain:
    """All parts of a sharded graph in one process: answers as the whole one does.

    Attributes:
        inputs: names of the whole graph's inputs.
        dtype: name of their integer type.
        masks: whether it knows which tokens are padding.
        provider: what it runs on.
        output: name of the logits.
    """

    def __init__(self, parts: Sequence[PartGraph], inputs: Sequence[str]) -> None:
        self._parts, self.inputs = parts, tuple(inputs)
        self.dtype, self.provider = parts[0].dtype, parts[0].provider
        self.masks = MASK in inputs
        self.output = parts[-1].output

    def run(self, texts: Padded) -> np.ndarray[Any, Any]:
        """Return the logits, ``[texts, labels]``, as float64.

        Raises:
            ModelMemoryError: HR326.
            GraphFailedError: HR327.
        """
        tensors: Tensors = texts.feeds()
        for part in self._parts[:-1]:
            tensors = part.run(tensors)
        return self._parts[-1].logits(tensors)

    def refuse_shape(self, shape: Sequence[int], texts: int, labels: Sequence[str]) -> None:
        """Refuse logits that are not those of a text classifier with these labels.

        Raises:
            GraphOutputError: HR323.
        """
        self._parts[-1].refuse_shape(shape, texts, labels)


class FirstPart:
    """The part that sees the texts."""

    def __init__(self, tokenizer: Tokenizer, graph: PartGraph, limits: Limits) -> None:
        self._tokenizer, self.graph, self._limits = tokenizer, graph, limits

    def part(self, batch: Batch) -> list[Tensors]:
        """Return each text's row of every boundary tensor, in order."""
        return self.rows(self._tokenizer.encode(batch.texts))

    def rows(self, texts: Sequence[Encoded]) -> list[Tensors]:
        """Return what becomes of texts that are encoded already."""
        found: list[Tensors] = [{}] * len(texts)
        for places in cut([len(text.ids) for text in texts], *self._limits):
            run = [texts[at] for at in places]
            tensors = self.graph.run(pad(run, self._tokenizer.pad_id, self.graph.dtype).feeds())
            _put(found, places, rows_of(tensors, [mark_of(text) for text in run], self.graph.gives))
        return found

    def try_out(self, probes: Sequence[str], labels: Sequence[str]) -> None:
        """Run a few texts, so that a part that cannot run stops the worker, not each record."""
        self.rows(self._tokenizer.encode(probes))


class LaterPart:
    """A part that takes what the one before gave; it needs no tokenizer."""

    def __init__(self, graph: PartGraph, boundary: Boundary, limits: Limits) -> None:
        self.graph, self._boundary, self._limits = graph, boundary, limits

    def part(self, batch: Batch) -> list[Tensors]:
        """Return each record's row of every boundary tensor, in order.

        Raises:
            BoundaryTensorError: HR337.
        """
        found: list[Tensors] = [{}] * len(batch)
        for run in stacked(batch, self._boundary, self._limits):
            _put(found, run.places, rows_of(self.graph.run(run.tensors), run.marks, self.graph.gives))
        return found

    def judge(self, batch: Batch) -> tuple[np.ndarray[Any, Any], list[Mark]]:
        """Return the logits and marks of the records, in order; for the last part.

        Raises:
            BoundaryTensorError: HR337.
        """
        import numpy as np

        marks: list[Mark] = [Mark(0, False)] * len(batch)
        logits = np.empty((0, 0))
        for run in stacked(batch, self._boundary, self._limits):
            found = self.graph.logits(run.tensors)
            if not len(logits):
                logits = np.empty((len(batch), found.shape[1]))
            logits[run.places] = found
            _put(marks, run.places, run.marks)
        return logits, marks

    def try_out(self, probes: Sequence[str], labels: Sequence[str]) -> None:
        """Run rows of zeros: whether shapes, types and labels agree does not hang on what they hold."""
        import numpy as np

        tensors = {one.name: np.zeros((2, *one.row(1)), dtype=one.dtype) for one in self._boundary.tensors}
        if self.graph.is_last:
            self.graph.refuse_shape(self.graph.logits(tensors).shape, 2, labels)
        else:
            self.graph.run(tensors)


def open_part(folder: Path, shard: ManifestShard, *, threads: int, providers: Sequence[str] | None) -> PartGraph:
    """Return the graph of one part.

    Args:
        folder: where the model's files are.
        shard: the part.
        threads: processor threads that a run may use.
        providers: which to use, in order; None chooses.

    Raises:
        ConfigError: HR321 to HR323.
        MachineError: HR320, HR326, HR328.
    """
    return PartGraph(*open_session(folder / shard.file, threads=threads, providers=providers), shard)


def _put(places: list[Any], at: Sequence[int], values: Iterable[Any]) -> None:
    for place, value in zip(at, values, strict=True):
        places[place] = value


def _refuse_other(session: Any, shard: ManifestShard) -> None:
    """The file's hash is right, so a graph that is not what the manifest says of it was registered wrongly."""
    takes = {given.name for given in session.get_inputs()}
    if takes != set(shard.inputs):
        raise GraphInputsError(f"{shard.file} takes {sorted(takes)}; its manifest says otherwise", mend=_RESTORE)
    gives = {given.name for given in session.get_outputs()}
    if not gives.issuperset(shard.makes):
        raise GraphOutputError(f"{shard.file} gives {sorted(gives)}; its manifest says otherwise", mend=_RESTORE)
