"""The figures: what the lexicon says, and what a cascade of two makes of it."""

from __future__ import annotations

import numpy as np
import pytest

from headrace.streams.demo.evaluate import Verdict, accuracy, as_read, cascade_lines, evaluate, lexicon_verdicts
from headrace.streams.demo.reviews import Review, Split
from headrace.streams.demo.train import Head, Training


def test_the_lexicon_is_surer_the_stronger_the_words() -> None:
    awful, plain, good, great = lexicon_verdicts(["awful, horrible", "a table", "good", "good, great, wonderful!"])
    assert [verdict.label for verdict in (awful, plain, good, great)] == ["negative"] + ["positive"] * 3
    assert plain.confidence == 0.5
    assert 0.5 < good.confidence < great.confidence < 1
    assert awful.confidence > 0.8


def test_the_demos_lexicon_judges_as_the_model_lexicon_does() -> None:
    from headrace import Batch, Record
    from headrace.core.record import Position
    from headrace.plugins.models.lexicon import Lexicon, LexiconOptions

    texts = ["good", "not good at all", "a table", "awful, horrible, BAD!!", "great :)"]
    model = Lexicon(LexiconOptions())
    model.open(None)  # type: ignore[arg-type]
    records = [Record(id=text, source=Position("t", 0, 0), text=text) for text in texts]
    outputs = model.infer(Batch(records))
    verdicts = lexicon_verdicts(texts)
    assert [verdict.label for verdict in verdicts] == [output["label"] for output in outputs]
    assert [verdict.confidence for verdict in verdicts] == pytest.approx([output["score"] for output in outputs])


def test_a_cascade_takes_the_first_answer_where_it_is_sure_enough() -> None:
    first = [Verdict("positive", 0.6), Verdict("positive", 0.75), Verdict("negative", 0.9), Verdict("negative", 0.5)]
    lines = cascade_lines(
        ["positive", "negative", "negative", "positive"], first, ["negative", "negative", "positive", "positive"]
    )
    by_accept = {line.accept: (line.accuracy, line.escalated) for line in lines}
    assert list(by_accept) == [0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95]
    assert by_accept[0.6] == (0.75, 0.25)  # 0.6 is sure enough: positive, positive (wrong), negative, second
    assert by_accept[0.8] == (0.75, 0.75)
    assert by_accept[0.95] == (0.5, 1.0)


def test_what_is_read_has_no_entities_and_single_spaces() -> None:
    assert as_read(" Lovely &amp;  Amazing\n") == "Lovely & Amazing"


def test_accuracy_of_nothing_is_nought() -> None:
    assert accuracy([], []) == 0


def test_the_figures_are_of_the_held_out_reviews_and_the_lines_of_the_others() -> None:
    train = (Review("1", "good", "positive"), Review("2", "good", "negative"))
    held_out = (Review("3", "bad", "negative"), Review("4", "a table", "negative"))
    head = Head(np.zeros((1, 2), np.float32), np.zeros(2, np.float32))
    training = Training(head, 0.1, {0.1: 0.5, 1.0: 0.25}, np.array([1, 0]))
    found = evaluate(Split(train, held_out), training, np.array([[1, 2], [2, 1]], np.float32))
    assert found.transformer == {"3": "positive", "4": "negative"}
    assert found.lexicon == {"3": "negative", "4": "positive"}
    assert found.accuracy == {"transformer": 0.5, "lexicon": 0.5}
    assert (found.trained_on, found.cross_validated) == (2, {"0.1": 0.5, "1.0": 0.25})
    assert (found.lines[0].escalated, found.lines[-1].accuracy) == (0, 1)
