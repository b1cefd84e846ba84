"""Texts to compare models on."""

from __future__ import annotations

from pathlib import Path

import pytest

from headrace.streams.sharding.errors import TextsMissingError
from headrace.streams.sharding.parity import BATCHES
from headrace.streams.sharding.texts import OWN, read_texts


def test_there_are_more_own_texts_than_a_batch_has_and_no_two_are_equal() -> None:
    assert len(set(OWN)) == len(OWN) > max(BATCHES)
    assert read_texts(None) == list(OWN)


def test_a_file_has_a_text_a_line(tmp_path: Path) -> None:
    (tmp_path / "texts").write_text("one\n\n two \r\nünder\n", encoding="utf-8")
    assert read_texts(tmp_path / "texts") == ["one", " two ", "ünder"]


def test_a_text_may_lie_in_json(tmp_path: Path) -> None:
    (tmp_path / "texts").write_text('{"a": {"b": "one"}}\n\n{"a": {"b": ""}}\n')
    assert read_texts(tmp_path / "texts", ("a", "b")) == ["one", ""]


@pytest.mark.provokes("HR336")
@pytest.mark.parametrize(
    ("content", "keys", "fault"),
    [
        (None, (), "cannot be read"),
        (b"\xff\xfe", (), "cannot be read"),
        (b"\n \n", (), "has no texts"),
        (b'{"a": "one"}\n{', ("a",), "texts:2 is not JSON"),
        (b'{"a": "one"}\n{"a": 2}', ("a",), "texts:2 has no text at a"),
    ],
)
def test_what_has_no_texts_is_refused(tmp_path: Path, content: bytes | None, keys: tuple[str, ...], fault: str) -> None:
    if content is not None:
        (tmp_path / "texts").write_bytes(content)
    with pytest.raises(TextsMissingError, match=fault):
        read_texts(tmp_path / "texts", keys)
