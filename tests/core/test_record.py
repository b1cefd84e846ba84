"""Records, messages and batches: what a step may rely on."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.core.record import Batch, Position, Record
from tests.support.made import message, record, texts


def test_a_position_names_itself_as_ids_do() -> None:
    assert str(Position("reviews", 3, 7)) == "reviews:3:7"


@pytest.mark.parametrize("made", [record("a"), message(b"a")])
def test_what_a_step_is_given_cannot_be_altered(made: Any) -> None:
    with pytest.raises(AttributeError):
        made.key = b"other"


def test_a_changed_record_is_another_one_and_the_first_is_as_it_was() -> None:
    first = record("a")
    changed = first.with_text("b").with_tag("seen", "yes").with_output({"label": "good"}).replace(attempt=2)
    assert (changed.text, changed.tags, changed.output, changed.attempt) == ("b", {"seen": "yes"}, {"label": "good"}, 2)
    assert first == record("a")


@given(texts)
def test_a_text_that_is_the_same_makes_no_new_record(text: str) -> None:
    made = record(text)
    assert made.with_text(text) is made


def test_tags_add_up() -> None:
    assert record().with_tag("a", "1").with_tag("b", "2").with_tag("a", "3").tags == {"a": "3", "b": "2"}


def test_a_filtered_record_says_why_and_has_no_more_work() -> None:
    gone = record("a").filtered("spam")
    assert (gone.status, gone.reason, gone.is_live) == ("filtered", "spam", False)
    assert record("a").is_live


@given(st.lists(texts, max_size=5), st.slices(5))
def test_a_batch_is_a_sequence_of_its_records(given_texts: list[str], part: slice) -> None:
    records = [record(text) for text in given_texts]
    batch = Batch(records)
    assert (list(batch), len(batch), batch.texts) == (records, len(records), given_texts)
    assert isinstance(batch[part], Batch)
    assert list(batch[part]) == records[part]
    assert [batch[at] for at in range(len(batch))] == records


def test_mapping_a_batch_keeps_its_order() -> None:
    def shout(one: Record) -> Record:
        return one.with_text(one.text.upper())

    assert Batch([record("a"), record("b")]).map(shout).texts == ["A", "B"]
