"""From texts to ids: cut like the library cuts, told when cut, never by code of the model's folder."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.core.registry.errors import ModelLengthError
from headrace.plugins.models.errors import ModelLibraryError, TokenizerUnreadableError
from headrace.plugins.models.tokenizer import Encoded, Tokenizer, open_tokenizer
from tests.tiny_model import vocabulary, write_tokenizer

MAX = 12


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tokenizer")
    write_tokenizer(folder)
    return folder


@pytest.fixture(scope="module")
def fast(folder: Path) -> Tokenizer:
    return open_tokenizer(folder, "tokenizer.json", MAX)


@pytest.fixture(scope="module")
def library(folder: Path) -> Any:
    from tokenizers import Tokenizer as Library

    tokenizer = Library.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(MAX)
    return tokenizer


def settings_of(folder: Path, **settings: Any) -> Path:
    """Return a copy of the tokenizer with padding or truncation of its own, as exporters leave them."""
    from tokenizers import Tokenizer as Library

    write_tokenizer(folder)
    tokenizer = Library.from_file(str(folder / "tokenizer.json"))
    if "pad_id" in settings:
        tokenizer.enable_padding(pad_id=settings["pad_id"], length=128)
    if "direction" in settings:
        tokenizer.enable_truncation(5, direction=settings["direction"])
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


# -- cutting


WORDS = st.lists(st.sampled_from(["good", "x" * 250, "film,", "\n", "é", "a"]), max_size=120)


@given(words=WORDS, glue=st.sampled_from([" ", "  ", ""]))
def test_a_text_of_any_length_is_cut_as_the_library_cuts_the_whole(
    fast: Tokenizer, library: Any, words: list[str], glue: str
) -> None:
    text = glue.join(words)
    (found,), whole = fast.encode([text]), library.encode(text)
    assert (found.ids, found.truncated) == (whole.ids, bool(whole.overflowing))


def test_a_megabyte_is_not_read_to_its_end(fast: Tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    library: Any = fast._tokenizer  # type: ignore[attr-defined]

    class Watched:
        def encode_batch_fast(self, texts: list[str]) -> Any:
            seen.extend(map(len, texts))
            return library.encode_batch_fast(texts)

    monkeypatch.setattr(fast, "_tokenizer", Watched())
    (found,) = fast.encode(["good " * 200_000])
    assert found.truncated
    assert len(found.ids) == MAX
    assert seen == [MAX * 16 - 3]


def test_a_long_text_of_few_tokens_is_read_whole(fast: Tokenizer) -> None:
    (found,) = fast.encode([f"{'x' * 150} {'y' * 150} good"])
    unknown = vocabulary()["[UNK]"]
    assert list(found.ids) == [2, unknown, unknown, vocabulary()["good"], 3]
    assert not found.truncated


def test_padding_and_truncation_of_the_file_are_not_those_of_the_model(tmp_path: Path) -> None:
    tokenizer = open_tokenizer(settings_of(tmp_path, pad_id=7, direction="right"), "tokenizer.json", MAX)
    (found,) = tokenizer.encode(["good film the a was not"])
    assert len(found.ids) == 8
    assert not found.truncated
    assert tokenizer.pad_id == 7


def test_a_tokenizer_that_keeps_the_end_keeps_it(tmp_path: Path) -> None:
    tokenizer = open_tokenizer(settings_of(tmp_path, direction="left"), "tokenizer.json", 4)
    (found,) = tokenizer.encode(["good " * 500 + "bad film"])
    assert list(found.ids) == [2, vocabulary()["bad"], vocabulary()["film"], 3]
    assert found.truncated


@given(texts=st.lists(st.text(st.characters()), max_size=10))
def test_each_text_is_encoded_by_itself(fast: Tokenizer, texts: list[str]) -> None:
    assert fast.encode(texts) == [fast.encode([text])[0] for text in texts]


def test_a_text_of_no_tokens_gets_one(tmp_path: Path) -> None:
    write_tokenizer(tmp_path, special=False)
    tokenizer = open_tokenizer(tmp_path, "tokenizer.json", MAX)
    assert tokenizer.encode([""]) == [Encoded([tokenizer.pad_id], None, False)]


@pytest.mark.provokes("HR312")
def test_a_limit_below_the_special_tokens_is_refused(folder: Path) -> None:
    with pytest.raises(ModelLengthError, match="adds 2 special tokens"):
        open_tokenizer(folder, "tokenizer.json", 2)


# -- tokenizers that cannot be loaded


@pytest.mark.provokes("HR324")
@pytest.mark.parametrize("content", ["", "{", "{}", '{"version": "1.0", "model": {"type": "Future"}}'])
def test_a_damaged_tokenizer_is_refused_in_one_line(tmp_path: Path, content: str) -> None:
    (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(TokenizerUnreadableError) as caught:
        open_tokenizer(tmp_path, "tokenizer.json", MAX)
    assert "\n" not in str(caught.value)


@pytest.mark.provokes("HR328")
@pytest.mark.parametrize(("library", "file"), [("tokenizers", "tokenizer.json"), ("transformers", None)])
def test_a_library_that_cannot_be_imported_is_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch, library: str, file: str | None
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ModelLibraryError, match=f"{library} cannot be imported"):
        open_tokenizer(folder, file, MAX)


# -- tokenizers that transformers reads


def write_config(folder: Path, **config: Any) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "tokenizer_config.json").write_text(json.dumps(config))


def test_a_vocabulary_without_tokenizer_json_gives_the_same_ids(tmp_path: Path, fast: Tokenizer) -> None:
    write_config(tmp_path, tokenizer_class="BertTokenizer")
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    (tmp_path / "vocab.txt").write_text("\n".join(vocabulary()) + "\n")
    texts = ["the film was good", "", "bad " * 30, "cut \ud83d"]
    assert open_tokenizer(tmp_path, None, MAX).encode(texts) == fast.encode(texts)


def test_a_tokenizer_written_in_python_is_cut_and_says_so(tmp_path: Path) -> None:
    write_config(tmp_path, tokenizer_class="ByT5Tokenizer")
    (tmp_path / "config.json").write_text('{"model_type": "t5"}')
    short, long, empty, cut = open_tokenizer(tmp_path, None, MAX).encode(["good", "a" * 50, "", "a\ud800"])
    assert (len(short.ids), short.truncated) == (5, False)
    assert (len(long.ids), long.truncated) == (MAX, True)
    assert (len(empty.ids), empty.truncated) == (1, False)
    assert not cut.truncated


@pytest.mark.provokes("HR324")
def test_code_in_the_folder_is_never_run(tmp_path: Path) -> None:
    write_config(tmp_path, tokenizer_class="Own", auto_map={"AutoTokenizer": ["own.Own", None]})
    (tmp_path / "config.json").write_text('{"model_type": "own", "auto_map": {"AutoConfig": "own.Config"}}')
    (tmp_path / "vocab.txt").write_text("a\n")
    (tmp_path / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    with pytest.raises(TokenizerUnreadableError):
        open_tokenizer(tmp_path, None, MAX)
    assert not (tmp_path / "ran").exists()


def test_transformers_says_nothing_on_the_terminal(tmp_path: Path) -> None:
    write_config(tmp_path, tokenizer_class="ByT5Tokenizer")
    (tmp_path / "config.json").write_text('{"model_type": "t5"}')
    code = (
        "import pathlib; from headrace.plugins.models.tokenizer import open_tokenizer;"
        f"open_tokenizer(pathlib.Path({str(tmp_path)!r}), None, 12).encode(['a' * 5000])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout + done.stderr == ""
