"""A function on a record is tested like any function."""

from __future__ import annotations

import pytest

from headrace import Position, Record
from headrace_example.emphasis import EmphasisOptions, emphasis


def record(text: str) -> Record:
    return Record(id="1", source=Position("letters", 0, 0), text=text, tags={"language": "en"})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I like it", "calm"),
        ("I LIKE IT SO MUCH", "shouting"),
        ("I LIKE IT SO MUCH!!!", "shouting"),
        ("OK", "calm"),
        ("I like it!", "calm"),
        ("I like it!!", "insisting"),
        ("ICH LIEBE STRASSEN", "shouting"),
        ("我非常非常非常非常非常喜欢", "calm"),
        ("", "calm"),
    ],
)
def test_a_text_shouts_insists_or_is_calm(text: str, expected: str) -> None:
    assert emphasis(record(text), EmphasisOptions()).tags == {"language": "en", "emphasis": expected}


def test_the_file_may_say_when_a_text_shouts() -> None:
    strict = EmphasisOptions(capitals=0.2, letters=3, marks=1)
    assert emphasis(record("Oh No"), strict).tags["emphasis"] == "shouting"
    assert emphasis(record("oh no!"), strict).tags["emphasis"] == "insisting"


def test_the_record_itself_stays_as_it_was() -> None:
    given = record("I LIKE IT SO MUCH")
    emphasis(given, EmphasisOptions())
    assert given == record("I LIKE IT SO MUCH")
