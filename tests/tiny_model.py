"""Tiny models with random weights in folders such as Hugging Face has them; the faults of real exports are options."""

from __future__ import annotations

import json
import string
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper, save

WORDS = ("good", "bad", "film", "the", "a", "was", "not", "broken")
WIDTH = 8
LABELS = ("negative", "positive")
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")


def vocabulary() -> dict[str, int]:
    """Words, and every letter, so that any text has tokens of its own."""
    letters = [*string.ascii_lowercase, *string.digits, ".", ",", "!"]
    tokens = [*SPECIAL, *WORDS, *(one for one in letters if one not in WORDS), *(f"##{one}" for one in letters)]
    return {token: index for index, token in enumerate(tokens)}


def write_tokenizer(folder: Path, *, special: bool = True, types: bool = False) -> None:
    """Write tokenizer.json: a WordPiece tokenizer like BERT's."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    vocab = vocabulary()
    tokenizer = Tokenizer(models.WordPiece(vocab, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    if special:
        tokenizer.post_processor = processors.TemplateProcessing(
            single="[CLS]:2 $A:0 [SEP]:0" if types else "[CLS] $A [SEP]",
            pair=None,
            special_tokens=[(token, vocab[token]) for token in ("[CLS]", "[SEP]")],
        )
    tokenizer.save(str(folder / "tokenizer.json"))


def write_graph(
    path: Path,
    *,
    logits: int = 2,
    inputs: Sequence[str] = ("input_ids", "attention_mask", "token_type_ids"),
    output: str = "logits",
    first: str | None = None,
    integer: int = TensorProto.INT64,
    shape: Sequence[str | int] = ("texts", "tokens"),
    rank: int = 2,
    nan: str | None = None,
    vocabulary_size: int | None = None,
    layers: int = 1,
    skip: bool = False,
    seed: int = 0,
) -> None:
    """Write a graph with layers of attention, mean pooling and a head.

    Args:
        path: where to.
        logits: how many.
        inputs: their names, in order; without attention_mask padding is attended to, as in a bad export.
        output: name of the logits.
        first: name of another output that comes before the logits.
        integer: type of the inputs.
        shape: of the inputs.
        rank: of the output; 3 leaves pooling out.
        nan: a word for which the weights are not numbers.
        vocabulary_size: rows of the embedding, when the tokenizer is another one.
        layers: how many; what comes out of all but the last is named state_0, state_1 and so on.
        skip: whether the head also sees the mean of the embeddings: a tensor that every layer is jumped by.
        seed: of the weights.
    """
    rng = np.random.default_rng(seed)
    table = rng.normal(size=(vocabulary_size or len(vocabulary()), WIDTH)).astype(np.float32)
    if nan is not None:
        table[vocabulary()[nan]] = np.nan
    weights = {
        "table": table,
        "types": rng.normal(size=(4, WIDTH)).astype(np.float32),
        "head": rng.normal(size=(WIDTH, logits)).astype(np.float32),
        "far": np.float32(-1e9),
        "one": np.float32(1),
        "axis1": np.array([1], np.int64),
        "axis2": np.array([2], np.int64),
    }
    weights |= {f"weight_{at}": rng.normal(size=(WIDTH, WIDTH)).astype(np.float32) for at in range(layers - 1)}
    masked = "attention_mask" in inputs
    nodes = [*_embedding(inputs), *(_mask() if masked else ())]
    for at in range(layers - 1):
        nodes += _layer(at, masked=masked)
    nodes += _attention("embedded" if layers == 1 else f"state_{layers - 2}", "", masked=masked)
    nodes += [*_pooling("mixed", "pooled", masked=masked), *(_skip(masked=masked) if skip else ())]
    nodes += _head("mixed" if rank != 2 else "all" if skip else "pooled", output)
    outputs = [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["texts", logits] if rank == 2 else None)]
    if first is not None:
        nodes.append(helper.make_node("Identity", ["embedded"], [first]))
        outputs.insert(0, helper.make_tensor_value_info(first, TensorProto.FLOAT, None))
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(name, integer, list(shape)) for name in inputs],
        outputs,
        [numpy_helper.from_array(np.asarray(value), name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    save(model, str(path))


def write_model(folder: Path, *, config: dict[str, Any] | None = None, **kinks: Any) -> Path:
    """Write a whole folder: graph, tokenizer, config.json. Returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = {name: kinks.pop(name) for name in ("special", "types") if name in kinks}
    write_tokenizer(folder, **tokenizer)
    write_graph(folder / "model.onnx", **kinks)
    facts = {
        "architectures": ["BertForSequenceClassification"],
        "id2label": {str(index): label for index, label in enumerate(LABELS)},
        "max_position_embeddings": 64,
    }
    (folder / "config.json").write_text(json.dumps(facts if config is None else config))
    return folder


def _embedding(inputs: Sequence[str]) -> list[Any]:
    nodes = [helper.make_node("Gather", ["table", "input_ids"], ["words"])]
    if "token_type_ids" in inputs:
        nodes.append(helper.make_node("Gather", ["types", "token_type_ids"], ["kinds"]))
        return [*nodes, helper.make_node("Add", ["words", "kinds"], ["embedded"])]
    return [*nodes, helper.make_node("Identity", ["words"], ["embedded"])]


def _mask() -> list[Any]:
    return [
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Sub", ["one", "mask"], ["absent"]),
        helper.make_node("Mul", ["absent", "far"], ["penalty"]),
        helper.make_node("Unsqueeze", ["penalty", "axis1"], ["penalties"]),
        helper.make_node("Unsqueeze", ["mask", "axis2"], ["column"]),
        helper.make_node("ReduceSum", ["column", "axis1"], ["count"], keepdims=0),
    ]


def _layer(at: int, *, masked: bool) -> list[Any]:
    source = f"state_{at - 1}" if at else "embedded"
    return [
        *_attention(source, f"_{at}", masked=masked),
        helper.make_node("MatMul", [f"mixed_{at}", f"weight_{at}"], [f"weighed_{at}"]),
        helper.make_node("Tanh", [f"weighed_{at}"], [f"state_{at}"]),
    ]


def _attention(source: str, layer: str, *, masked: bool) -> list[Any]:
    likeness, attention = f"likeness{layer}", f"attention{layer}"
    nodes = [
        helper.make_node("Transpose", [source], [f"turned{layer}"], perm=[0, 2, 1]),
        helper.make_node("MatMul", [source, f"turned{layer}"], [likeness]),
    ]
    if masked:
        nodes.append(helper.make_node("Add", [likeness, "penalties"], [f"masked{layer}"]))
    return [
        *nodes,
        helper.make_node("Softmax", [f"masked{layer}" if masked else likeness], [attention], axis=-1),
        helper.make_node("MatMul", [attention, source], [f"mixed{layer}"]),
    ]


def _pooling(source: str, pooled: str, *, masked: bool) -> list[Any]:
    if not masked:
        return [helper.make_node("ReduceMean", [source], [pooled], axes=[1], keepdims=0)]
    return [
        helper.make_node("Mul", [source, "column"], [f"present_{source}"]),
        helper.make_node("ReduceSum", [f"present_{source}", "axis1"], [f"sum_{source}"], keepdims=0),
        helper.make_node("Div", [f"sum_{source}", "count"], [pooled]),
    ]


def _skip(*, masked: bool) -> list[Any]:
    return [
        *_pooling("embedded", "jumped", masked=masked),
        helper.make_node("Add", ["pooled", "jumped"], ["all"]),
    ]


def _head(source: str, output: str) -> list[Any]:
    return [helper.make_node("MatMul", [source, "head"], [output])]
