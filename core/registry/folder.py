"""What the folder of a trained model says of it: graph, tokenizer, labels, longest text."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from headrace.core.registry.errors import ModelFolderError, ModelLabelsError, ModelLengthError
from headrace.core.registry.manifest import TENSOR, TEXT, Scores, Task
from headrace.core.registry.shard import ManifestShard
from headrace.core.tensor import TensorSpec

__all__ = ["ModelSource", "read_folder", "read_tensor_folder"]

_TOKENIZER = "tokenizer.json"
_CONFIGS = ("config.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json")
_VOCABULARIES = ("vocab.txt", "vocab.json", "merges.txt", "tokenizer.model", "spiece.model", "sentencepiece.bpe.model")
# transformers writes 1e30 as model_max_length when nobody set it.
_UNSET_LENGTH = 10_000_000
# These count positions from the padding token's id onwards, so their tables are longer than their longest text.
_OFFSET_POSITIONS = frozenset(("roberta", "xlm-roberta", "camembert", "mpnet", "longformer", "xlm-roberta-xl"))


@dataclass(frozen=True)
class ModelSource:
    """A model that is ready to be registered.

    Attributes:
        folder: where its files lie.
        graph: the ONNX file, relative to the folder; None when there are shards.
        tokenizer: tokenizer.json; None when transformers has to read the tokenizer.
        files: every file that belongs to it, relative to the folder.
        labels: names of the logits, in order.
        max_tokens: longest text, special tokens included.
        inputs: the graph's inputs; empty when nobody looked.
        batch_invariant: False when a text must not share a run with others.
        lineage: where it came from.
        shards: the parts of a sharded model, in order.
        task: what it does.
        takes: of the task tensor, what a record brings; empty until it was opened.
        gives: of the task tensor, what it answers; empty until it was opened.
        scores: of the task tensor with labels, what its scores are.
    """

    folder: Path
    graph: str | None
    tokenizer: str | None
    files: tuple[str, ...]
    labels: tuple[str, ...] = ()
    max_tokens: int = 0
    inputs: tuple[str, ...] = ()
    batch_invariant: bool = True
    lineage: Mapping[str, str] = field(default_factory=dict)
    shards: tuple[ManifestShard, ...] = ()
    task: Task = TEXT
    takes: tuple[TensorSpec, ...] = ()
    gives: tuple[TensorSpec, ...] = ()
    scores: Scores | None = None


def read_tensor_folder(folder: Path, *, graph: str | None = None, labels: Sequence[str] = ()) -> ModelSource:
    """Return what a folder holds whose graph takes and gives numbers: it needs an ONNX file, and nothing else.

    Args:
        folder: has the ONNX graph.
        graph: the ONNX file, when there are several.
        labels: names of the classes in the order of the scores, when it is a classifier.

    Raises:
        ModelFolderError: HR310, no graph, or several.
        ModelLabelsError: HR311.
    """
    _refuse_other(folder)
    found = _graph(folder, graph)
    return ModelSource(
        folder=folder,
        graph=found,
        tokenizer=None,
        files=tuple(_graph_files(folder, found)),
        labels=_labels({}, labels) if labels else (),
        lineage={"folder": folder.resolve().name},
        task=TENSOR,
    )


def read_folder(
    folder: Path, *, graph: str | None = None, labels: Sequence[str] = (), max_tokens: int | None = None
) -> ModelSource:
    """Return what a folder in the manner of Hugging Face holds; nothing in it is executed or unpickled.

    Args:
        folder: has an ONNX graph, a tokenizer and, usually, config.json.
        graph: the ONNX file, when there are several.
        labels: names of the logits in order, when config.json does not say or says it badly.
        max_tokens: longest text, when no file says or says it badly.

    Raises:
        ModelFolderError: HR310, no graph, several, or no tokenizer.
        ModelLabelsError: HR311.
        ModelLengthError: HR312.
    """
    _refuse_other(folder)
    found = _graph(folder, graph)
    tokenizer = _TOKENIZER if (folder / _TOKENIZER).is_file() else None
    config = _json(folder, "config.json")
    small = [name for name in (_TOKENIZER, *_CONFIGS, *_VOCABULARIES) if (folder / name).is_file()]
    if tokenizer is None and not set(small).intersection((*_VOCABULARIES, "tokenizer_config.json")):
        raise ModelFolderError(
            f"{folder} has no tokenizer",
            mend=f"put its {_TOKENIZER} there; `tokenizer.save_pretrained()` writes it; "
            "or import it with --task tensor, when it takes numbers",
        )
    return ModelSource(
        folder=folder,
        graph=found,
        tokenizer=tokenizer,
        files=(*_graph_files(folder, found), *small),
        labels=_labels(config, labels),
        max_tokens=max_tokens if max_tokens is not None else _max_tokens(folder, config),
        lineage=_lineage(folder, config),
    )


def _refuse_other(folder: Path) -> None:
    if not folder.is_dir():
        fault = f"{folder} is {'a file' if folder.exists() else 'not there'}"
        raise ModelFolderError(fault, mend="give the folder that holds model.onnx and its tokenizer")


def _graph(folder: Path, asked: str | None) -> str:
    if asked is not None:
        if ".." in Path(asked).parts or not (folder / asked).is_file():
            raise ModelFolderError(f"{folder} has no file {asked}", mend=_listed(folder))
        return (folder / asked).relative_to(folder).as_posix()
    for usual in ("model.onnx", "onnx/model.onnx"):
        if (folder / usual).is_file():
            return usual
    graphs = _graphs(folder)
    if len(graphs) != 1:
        raise ModelFolderError(f"{folder} has {'several graphs' if graphs else 'no ONNX graph'}", mend=_listed(folder))
    return graphs[0]


def _graphs(folder: Path) -> list[str]:
    return sorted(
        path.relative_to(folder).as_posix() for sub in (".", "onnx") for path in (folder / sub).glob("*.onnx")
    )


def _listed(folder: Path) -> str:
    graphs = _graphs(folder)
    if graphs:
        return f"name one with --graph: {', '.join(graphs)}"
    return "export the model to ONNX first, for example with `optimum-cli export onnx`"


def _graph_files(folder: Path, graph: str) -> Iterator[str]:
    """Yield the graph and the weights beside it: exporters name them model.onnx_data or model.onnx.data."""
    yield graph
    path = folder / graph
    for beside in sorted(path.parent.iterdir()):
        is_data = beside.name in (f"{path.stem}.data", f"{path.stem}.bin.data") or beside.name.startswith(
            (f"{path.name}_data", f"{path.name}.data")
        )
        if is_data and beside.is_file():
            yield beside.relative_to(folder).as_posix()


def _labels(config: Mapping[str, Any], asked: Sequence[str]) -> tuple[str, ...]:
    if config.get("problem_type") == "multi_label_classification":
        raise ModelLabelsError(
            "config.json says that a text may have several labels", mend="only models with one label a text are built"
        )
    labels = tuple(asked) or _configured_labels(config.get("id2label"))
    if len(labels) < 2:
        said = f"only one label, {labels[0]!r}" if labels else "no labels: config.json has no id2label"
        raise ModelLabelsError(f"the model has {said}", mend="give them in order: --label negative --label positive")
    for label in labels:
        if not label.strip() or not label.isprintable() or labels.count(label) > 1:
            raise ModelLabelsError(
                f"{label!r} cannot be a label, or stands twice", mend="give each logit a name of its own with --label"
            )
    return labels


def _configured_labels(id2label: Any) -> tuple[str, ...]:
    if not isinstance(id2label, Mapping):
        return ()
    try:
        by_index = {int(index): str(label) for index, label in id2label.items()}
    except ValueError:
        return ()
    return tuple(by_index[at] for at in sorted(by_index)) if sorted(by_index) == list(range(len(by_index))) else ()


def _max_tokens(folder: Path, config: Mapping[str, Any]) -> int:
    positions = _number(config.get("max_position_embeddings"))
    if positions and config.get("model_type") in _OFFSET_POSITIONS:
        positions -= (_number(config.get("pad_token_id")) or 0) + 1
    written = _number(_json(folder, "tokenizer_config.json").get("model_max_length"))
    known = [length for length in (positions, written) if length]
    if known:
        return min(known)
    truncation = _json(folder, _TOKENIZER).get("truncation")
    length = _number(truncation.get("max_length")) if isinstance(truncation, Mapping) else None
    if length is None:
        raise ModelLengthError(f"{folder} does not say how long a text may be", mend="give it: --max-tokens 512")
    return length


def _number(value: Any) -> int | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return int(value) if is_number and 1 <= value < _UNSET_LENGTH else None


def _lineage(folder: Path, config: Mapping[str, Any]) -> dict[str, str]:
    """Names only: a path of the importing machine would tell others nothing."""
    facts = {"folder": folder.resolve().name, "architecture": _first(config.get("architectures"))}
    origin = config.get("_name_or_path")
    if isinstance(origin, str) and origin and not Path(origin).is_absolute():
        facts["origin"] = origin
    return {name: value for name, value in facts.items() if value}


def _first(values: Any) -> str:
    return str(values[0]) if isinstance(values, list) and values else ""


def _json(folder: Path, name: str) -> Mapping[str, Any]:
    try:
        value = json.loads((folder / name).read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise ModelFolderError(f"{folder / name} cannot be read: {error}", mend="restore it or remove it") from None
    return value if isinstance(value, Mapping) else {}
