"""Lines of a source, byte for byte, as soon as they are there."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from hypothesis import given
from hypothesis.strategies import binary, integers, lists

from headrace.streams.client.lines import Lines


def lines_of(chunks: Iterable[bytes]) -> Lines:
    pieces = iter([*chunks, b""])
    return Lines(lambda: next(pieces))


def test_a_line_keeps_its_bytes_and_loses_its_end() -> None:
    lines = lines_of([b'{"a": 1}\r\n \xff\x00 \n\n\r\r\nlast'])
    assert list(lines) == [b'{"a": 1}', b" \xff\x00 ", b"", b"\r", b"last"]
    assert (lines.number, lines.read_bytes) == (5, 23)


def test_an_empty_source_has_no_lines_and_a_last_line_end_begins_none() -> None:
    assert list(lines_of([])) == []
    assert list(lines_of([b"a\n"])) == [b"a"]


def test_a_line_is_there_before_the_next_is_read() -> None:
    pieces = [b"a\nb\nc", b"d\n", b""]
    lines = Lines(lambda: pieces.pop(0))
    assert (next(lines), lines.is_waiting) == (b"a", False)
    assert (next(lines), lines.is_waiting, len(pieces)) == (b"b", True, 2)
    assert (next(lines), lines.number) == (b"cd", 3)


@given(text=binary(max_size=60), cuts=lists(integers(0, 60), max_size=8))
def test_where_the_source_is_cut_never_changes_its_lines(text: bytes, cuts: list[int]) -> None:
    places = [0, *sorted(cut for cut in cuts if 0 < cut < len(text)), len(text)]
    pieces = [text[start:end] for start, end in pairwise(places) if start < end]
    whole = [line.removesuffix(b"\r") for line in text.removesuffix(b"\n").split(b"\n")] if text else []
    assert list(lines_of(pieces)) == whole
