"""The demo's movie reviews: labelled snippets, the same 2,000 of them held out on every machine."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from headrace.streams.demo.archive import read_member
from headrace.streams.demo.errors import ArchiveContentError

__all__ = ["HELD_OUT", "LABELS", "Label", "Review", "Split", "parse_reviews", "read_reviews", "split"]

Label = Literal["negative", "positive"]
LABELS: tuple[Label, Label] = ("negative", "positive")  # a label's place is its class number and its logit

HELD_OUT = 2_000

_OUTER = "vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz"
_INNER = "hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt"
# Two snippets lost an apostrophe to somebody's encoding: `Cube?s personal revelations`.
_LOST_APOSTROPHE = re.compile(r"(?<=\w)\?(?=\w)")


class Review(msgspec.Struct, frozen=True):
    """A snippet of a movie review and whether people found it positive. Its text may hold HTML entities."""

    id: str
    text: str
    label: Label


class Split(NamedTuple):
    """The reviews to learn from, and those that no choice may ever look at."""

    train: tuple[Review, ...]
    held_out: tuple[Review, ...]


def read_reviews(distribution: Path) -> tuple[Review, ...]:
    """Return all reviews in the source distribution of vaderSentiment.

    Raises:
        UnsafeArchiveError: HR424.
        ArchiveContentError: HR425.
    """
    return parse_reviews(read_member(distribution, _OUTER, _INNER), str(distribution))


def parse_reviews(data: bytes, where: str = "the file of reviews") -> tuple[Review, ...]:
    """Return the reviews of a file: id, mean rating from -4 to 4, text; a rating above 0 is positive.

    Raises:
        ArchiveContentError: HR425, a line is something else; the message says which.
    """
    try:
        lines = data.decode("utf-8").replace("\r\n", "\n").split("\n")
    except UnicodeDecodeError as error:
        raise ArchiveContentError(
            f"{where} holds reviews that are not UTF-8", mend="remove it and try again"
        ) from error
    return tuple(_review(line, at, where) for at, line in enumerate(lines, 1) if line.strip())


def split(reviews: Iterable[Review], held_out: int = HELD_OUT) -> Split:
    """Return the reviews in an order made from their texts' hashes, cut in two.

    The order does not depend on the order given, and what occurs twice stands together, so that nothing is both
    learned and held out, but for twins at the very cut.
    """
    ordered = sorted(reviews, key=lambda review: (sha256(review.text.encode()).digest(), review.id))
    return Split(train=tuple(ordered[held_out:]), held_out=tuple(ordered[:held_out]))


def _review(line: str, at: int, where: str) -> Review:
    fields: Sequence[str] = line.split("\t")
    rating = _rating(fields[1]) if len(fields) == 3 else math.nan
    if math.isnan(rating):
        raise ArchiveContentError(f"{where} holds no review in line {at}", mend="remove it and try again")
    text = _LOST_APOSTROPHE.sub("'", fields[2].strip())
    return Review(id=fields[0], text=text, label="positive" if rating > 0 else "negative")


def _rating(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
