"""What a folder says of the model inside, and what is asked of the user when it does not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from headrace.core.errors import HeadraceError
from headrace.core.registry.errors import ModelFolderError, ModelLabelsError, ModelLengthError
from headrace.core.registry.folder import read_folder

CONFIG = {"id2label": {"0": "negative", "1": "positive"}, "max_position_embeddings": 512}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    put(tmp_path, "model.onnx", "graph")
    put(tmp_path, "tokenizer.json", {})
    put(tmp_path, "config.json", CONFIG)
    return tmp_path


def put(folder: Path, name: str, content: Any) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))


def refusal(folder: Path, **options: Any) -> HeadraceError:
    with pytest.raises(HeadraceError) as caught:
        read_folder(folder, **options)
    return caught.value


def test_a_folder_as_hugging_face_lays_it_out_needs_no_options(folder: Path) -> None:
    put(folder, "config.json", {**CONFIG, "architectures": ["Bert"], "_name_or_path": "org/name"})
    for name in ("tokenizer_config.json", "special_tokens_map.json", "vocab.txt"):
        put(folder, name, "{}")
    for name in ("README.md", "pytorch_model.bin", "training_args.pkl", "modeling_own.py", "model.safetensors"):
        put(folder, name, "not ours")
    source = read_folder(folder)
    assert (source.graph, source.tokenizer) == ("model.onnx", "tokenizer.json")
    assert (source.labels, source.max_tokens) == (("negative", "positive"), 512)
    assert sorted(source.files) == [
        "config.json",
        "model.onnx",
        "special_tokens_map.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "vocab.txt",
    ]
    assert source.lineage == {"folder": folder.name, "architecture": "Bert", "origin": "org/name"}


def test_a_path_of_the_importing_machine_is_no_lineage(folder: Path) -> None:
    put(folder, "config.json", {**CONFIG, "_name_or_path": "/home/ann/model"})
    assert read_folder(folder).lineage == {"folder": folder.name}


# -- the graph


def test_the_graph_may_lie_in_onnx_with_its_weights_beside_it(folder: Path) -> None:
    (folder / "model.onnx").unlink()
    for name in ("model.onnx", "model.onnx_data", "model.onnx_data_1", "model_quantized.onnx", "other.onnx_data"):
        put(folder, f"onnx/{name}", "x")
    source = read_folder(folder)
    assert source.graph == "onnx/model.onnx"
    assert [name for name in source.files if name.startswith("onnx/")] == [
        "onnx/model.onnx",
        "onnx/model.onnx_data",
        "onnx/model.onnx_data_1",
    ]


def test_a_single_graph_of_any_name_is_taken(folder: Path) -> None:
    (folder / "model.onnx").rename(folder / "minilm.onnx")
    assert read_folder(folder).graph == "minilm.onnx"


@pytest.mark.provokes("HR310")
def test_several_graphs_are_listed_so_that_one_can_be_named(folder: Path) -> None:
    (folder / "model.onnx").rename(folder / "small.onnx")
    put(folder, "onnx/big.onnx", "x")
    error = refusal(folder)
    assert isinstance(error, ModelFolderError)
    assert error.mend == "name one with --graph: onnx/big.onnx, small.onnx"
    assert read_folder(folder, graph="onnx/big.onnx").graph == "onnx/big.onnx"
    assert refusal(folder, graph="none.onnx").mend == error.mend


@pytest.mark.provokes("HR310")
def test_a_graph_outside_of_the_folder_is_not_taken(folder: Path) -> None:
    put(folder.parent, "outside.onnx", "x")
    assert isinstance(refusal(folder, graph="../outside.onnx"), ModelFolderError)


@pytest.mark.provokes("HR310")
def test_weights_of_pytorch_alone_are_no_model(folder: Path) -> None:
    (folder / "model.onnx").unlink()
    put(folder, "pytorch_model.bin", "x")
    assert "export the model to ONNX" in refusal(folder).mend


@pytest.mark.provokes("HR310")
def test_a_folder_that_is_none_is_told(folder: Path) -> None:
    assert "is not there" in refusal(folder / "none").fault
    assert "is a file" in refusal(folder / "model.onnx").fault


# -- the tokenizer


@pytest.mark.provokes("HR310")
def test_a_folder_without_a_tokenizer_is_refused(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    assert "has no tokenizer" in refusal(folder).fault


def test_a_vocabulary_is_left_to_transformers(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    put(folder, "vocab.txt", "[PAD]")
    assert read_folder(folder).tokenizer is None


# -- the labels


def test_labels_come_in_the_order_of_their_numbers(folder: Path) -> None:
    put(folder, "config.json", {**CONFIG, "id2label": {"10": "k", **{str(at): "jihgfedcba"[at] for at in range(10)}}})
    assert read_folder(folder).labels == tuple("jihgfedcbak")


def test_labels_that_are_given_win(folder: Path) -> None:
    assert read_folder(folder, labels=("no", "yes")).labels == ("no", "yes")


@pytest.mark.provokes("HR311")
@pytest.mark.parametrize("id2label", [None, {}, [], {"0": "only"}, {"a": "b", "c": "d"}, {"0": "a", "2": "b"}])
def test_labels_that_nobody_says_are_asked_for(folder: Path, id2label: Any) -> None:
    put(folder, "config.json", {**CONFIG, "id2label": id2label})
    error = refusal(folder)
    assert isinstance(error, ModelLabelsError)
    assert "--label negative --label positive" in error.mend


@pytest.mark.provokes("HR311")
@pytest.mark.parametrize("labels", [("a", "a"), ("a", ""), ("a", " "), ("a", "\x1b[31m"), ("a", "\ud800"), ("a",)])
def test_labels_that_cannot_be_are_refused(folder: Path, labels: tuple[str, ...]) -> None:
    assert isinstance(refusal(folder, labels=labels), ModelLabelsError)


@pytest.mark.provokes("HR311")
def test_a_model_with_several_labels_a_text_is_refused(folder: Path) -> None:
    put(folder, "config.json", {**CONFIG, "problem_type": "multi_label_classification"})
    assert "several labels" in refusal(folder, labels=("a", "b")).fault


# -- the longest text


@pytest.mark.parametrize(
    ("config", "tokenizer_config", "truncation", "expected"),
    [
        ({"max_position_embeddings": 512}, {}, None, 512),
        ({"max_position_embeddings": 512}, {"model_max_length": 128}, None, 128),
        ({"max_position_embeddings": 512}, {"model_max_length": 1024}, None, 512),
        ({"max_position_embeddings": 512}, {"model_max_length": 1e30}, None, 512),
        ({"max_position_embeddings": 514, "model_type": "roberta", "pad_token_id": 1}, {}, None, 512),
        ({}, {"model_max_length": 64}, {"max_length": 32}, 64),
        ({}, {}, {"max_length": 32}, 32),
        ({"max_position_embeddings": -1}, {"model_max_length": True}, {"max_length": 32}, 32),
    ],
)
def test_the_longest_text_is_what_the_files_say(
    folder: Path, config: dict[str, Any], tokenizer_config: dict[str, Any], truncation: Any, expected: int
) -> None:
    put(folder, "config.json", {"id2label": CONFIG["id2label"], **config})
    put(folder, "tokenizer_config.json", tokenizer_config)
    put(folder, "tokenizer.json", {"truncation": truncation})
    assert read_folder(folder).max_tokens == expected


@pytest.mark.provokes("HR312")
def test_a_length_that_nobody_says_is_asked_for(folder: Path) -> None:
    put(folder, "config.json", {"id2label": CONFIG["id2label"]})
    error = refusal(folder)
    assert isinstance(error, ModelLengthError)
    assert "--max-tokens" in error.mend
    assert read_folder(folder, max_tokens=77).max_tokens == 77


@pytest.mark.provokes("HR310")
@pytest.mark.parametrize("content", ["{", "\udcff".encode("utf-8", "surrogateescape"), b"\xff\xfe\x00"])
def test_a_config_that_cannot_be_read_is_named(folder: Path, content: str | bytes) -> None:
    (folder / "config.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    assert "config.json cannot be read" in refusal(folder).fault
