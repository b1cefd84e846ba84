"""What each model is worth alone, on held-out reviews, and where a cascade of both should draw its line."""

from __future__ import annotations

from collections.abc import Sequence
from html import unescape
from typing import TYPE_CHECKING, Any

import msgspec

from headrace.streams.demo.reviews import LABELS, Label, Review, Split
from headrace.streams.demo.train import Training

if TYPE_CHECKING:
    import numpy as np

    FloatArray = np.ndarray[Any, np.dtype[np.float32]]

__all__ = [
    "ACCEPT",
    "Evaluation",
    "Line",
    "Verdict",
    "accuracy",
    "as_read",
    "cascade_lines",
    "evaluate",
    "lexicon_verdicts",
]

# From 0.55 to 0.95 the cascade's accuracy rises without a knee, 0.68 to 0.80, and the escalated share with it,
# 0.18 to 0.97 (cross-validated on the training reviews). Here it has 0.778, against 0.617 of the lexicon and 0.804 of
# the transformer, which still is spared a third of the reviews.
ACCEPT = 0.8

_TRIED = tuple(round(0.55 + 0.05 * step, 2) for step in range(9))


class Verdict(msgspec.Struct, frozen=True):
    """A label and how sure its model is of it, from 0.5 to 1."""

    label: Label
    confidence: float


class Line(msgspec.Struct, frozen=True):
    """A cascade with one value of `accept`: its accuracy, and the share of texts that go on to the second model."""

    accept: float
    accuracy: float
    escalated: float


class Evaluation(msgspec.Struct, frozen=True):
    """The figures of a training; all but the last two are about the held-out reviews.

    Attributes:
        transformer: the joined model's label of each held-out review, by id.
        lexicon: vaderSentiment's.
        accuracy: of `transformer` and `lexicon`, each alone.
        trained_on: number of reviews in the training.
        cross_validated: accuracy on training reviews not seen, by scikit-learn's C.
        lines: what a cascade does on training reviews not seen, for several values of `accept`.
    """

    transformer: dict[str, Label]
    lexicon: dict[str, Label]
    accuracy: dict[str, float]
    trained_on: int
    cross_validated: dict[str, float]
    lines: tuple[Line, ...]


def evaluate(reviews: Split, training: Training, logits: FloatArray) -> Evaluation:
    """Return the figures of a training.

    Args:
        reviews: those of the training, and the held-out ones.
        training: what came of it.
        logits: float32 ``[held_out, 2]``, what the trained head says of the held-out reviews.
    """
    truth = _truth(reviews.held_out)
    transformer = _labels(logits.argmax(axis=1))
    lexicon = [verdict.label for verdict in lexicon_verdicts(_texts(reviews.held_out))]
    ids = [review.id for review in reviews.held_out]
    return Evaluation(
        transformer=dict(zip(ids, transformer, strict=True)),
        lexicon=dict(zip(ids, lexicon, strict=True)),
        accuracy={"transformer": accuracy(transformer, truth), "lexicon": accuracy(lexicon, truth)},
        trained_on=len(reviews.train),
        cross_validated={str(strength): share for strength, share in training.accuracy.items()},
        lines=cascade_lines(_truth(reviews.train), lexicon_verdicts(_texts(reviews.train)), _labels(training.unseen)),
    )


def as_read(text: str) -> str:
    """Return the text as a model gets it from a pipeline that normalises: entities resolved, single spaces."""
    return " ".join(unescape(text).split())


def lexicon_verdicts(texts: Sequence[str]) -> list[Verdict]:
    """Return what the model `lexicon` says of each text: VADER's compound value c, sure by (1 + |c|) / 2."""
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    analyzer = SentimentIntensityAnalyzer()
    compounds = [analyzer.polarity_scores(text)["compound"] for text in texts]
    return [Verdict(LABELS[int(value >= 0)], (1 + abs(value)) / 2) for value in compounds]


def cascade_lines(truth: Sequence[Label], first: Sequence[Verdict], second: Sequence[Label]) -> tuple[Line, ...]:
    """Return how a cascade would do at several values of `accept`.

    Args:
        truth: the right labels.
        first: what the first model says; taken where it is at least as sure as `accept`.
        second: what the second model says, for all texts.
    """
    return tuple(_line(accept, truth, first, second) for accept in _TRIED)


def accuracy(given: Sequence[Label], truth: Sequence[Label]) -> float:
    """Return the share of labels that are right; 0 when there are none."""
    return sum(one == other for one, other in zip(given, truth, strict=True)) / max(1, len(truth))


def _truth(reviews: Sequence[Review]) -> list[Label]:
    return [review.label for review in reviews]


def _texts(reviews: Sequence[Review]) -> list[str]:
    return [as_read(review.text) for review in reviews]


def _labels(classes: Any) -> list[Label]:
    return [LABELS[int(number)] for number in classes]


def _line(accept: float, truth: Sequence[Label], first: Sequence[Verdict], second: Sequence[Label]) -> Line:
    answers = [one.label if one.confidence >= accept else other for one, other in zip(first, second, strict=True)]
    escalated = sum(one.confidence < accept for one in first) / max(1, len(first))
    return Line(accept=accept, accuracy=accuracy(answers, truth), escalated=escalated)
