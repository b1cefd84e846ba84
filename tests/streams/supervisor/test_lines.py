"""Bytes cut into lines: whatever the chunks, the same lines; nothing lost, nothing without limit."""

from __future__ import annotations

from hypothesis import given
from hypothesis.strategies import binary, integers, lists, text

from headrace.streams.supervisor.lines import Lines


def cut(chunks: list[bytes], longest: int = 1000) -> list[bytes]:
    lines = Lines(longest)
    return [line for chunk in chunks for line in lines.feed(chunk)] + lines.rest()


@given(lists(binary(max_size=20)), integers(4, 30))
def test_where_chunks_end_changes_nothing_and_no_byte_is_lost(chunks: list[bytes], longest: int) -> None:
    whole = b"".join(chunks).replace(b"\r", b"")
    found = cut([chunk.replace(b"\r", b"") for chunk in chunks], longest)
    assert b"".join(found) == whole.replace(b"\n", b"")
    assert all(len(line) <= longest for line in found)
    assert found == cut([whole], longest)


@given(lists(text(min_size=1).filter(lambda one: "\n" not in one and "\r" not in one)))
def test_lines_that_fit_come_as_they_were(said: list[str]) -> None:
    lines = [one.encode(errors="replace") for one in said]
    assert cut([b"".join(line + b"\r\n" for line in lines)], 10_000) == lines


@given(text("é€🙂", min_size=1), integers(4, 9))
def test_a_long_line_is_not_cut_inside_a_character(said: str, longest: int) -> None:
    assert "".join(piece.decode() for piece in cut([said.encode()], longest)) == said


def test_what_is_left_without_an_end_of_line_comes_once() -> None:
    lines = Lines()
    assert lines.feed(b"one\ntw") == [b"one"]
    assert lines.rest() == [b"tw"]
    assert lines.rest() == []
