"""The reviews: read whole, mended, and split the same way for everyone."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.streams.demo.errors import ArchiveContentError
from headrace.streams.demo.reviews import Review, parse_reviews, split


def reviews() -> st.SearchStrategy[list[Review]]:
    texts = st.text(st.characters(codec="utf-8"), max_size=20)
    return st.lists(texts, max_size=40).map(
        lambda found: [Review(str(at), text, "positive") for at, text in enumerate(found)]
    )


def test_a_rating_above_nought_is_positive_and_any_other_negative() -> None:
    found = parse_reviews(b"1\t0.1\tfine\r\n2\t0\tso so\r\n3\t-3.9\tawful\n")
    assert [(review.id, review.text, review.label) for review in found] == [
        ("1", "fine", "positive"),
        ("2", "so so", "negative"),
        ("3", "awful", "negative"),
    ]


def test_lost_apostrophes_come_back_and_questions_stay() -> None:
    found = parse_reviews("1\t1\tCube?s shop? Is it  fun &amp; clichés?".encode())
    assert found[0].text == "Cube's shop? Is it  fun &amp; clichés?"


@pytest.mark.provokes("HR425")
@pytest.mark.parametrize("line", ["2\tno number\ttext", "2\tnan\ttext", "2\t1", "2\t1\ta\tb", "text"])
def test_a_line_that_is_no_review_is_named(line: str) -> None:
    with pytest.raises(ArchiveContentError, match="no review in line 3"):
        parse_reviews(f"1\t1\tfine\r\n\r\n{line}".encode())


def test_reviews_in_another_encoding_are_refused() -> None:
    with pytest.raises(ArchiveContentError, match="not UTF-8"):
        parse_reviews("1\t1\tclichés".encode("latin-1"))


@given(found=reviews(), held_out=st.integers(0, 45), seed=st.integers(0, 9))
def test_the_split_takes_every_review_once_and_does_not_depend_on_their_order(
    found: list[Review], held_out: int, seed: int
) -> None:
    shuffled = random.Random(seed).sample(found, len(found))
    cut = split(found, held_out)
    assert cut == split(shuffled, held_out)
    assert sorted([*cut.train, *cut.held_out], key=lambda review: int(review.id)) == found
    assert len(cut.held_out) == min(held_out, len(found))


def test_the_split_never_changes() -> None:
    """A changed order would let reviews that a cached model has learned into its examination."""
    cut = split([Review(str(at), f"text {at}", "negative") for at in range(12)], 5)
    assert [review.id for review in cut.held_out] == ["6", "7", "11", "10", "3"]
