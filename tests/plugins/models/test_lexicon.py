"""The model `lexicon`: VADER's judgement, as label, score and scores."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.metadata import version
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from vaderSentiment import vaderSentiment

from headrace import Batch, Record, StepContext
from headrace.plugins.models.lexicon import Lexicon, LexiconOptions

MakeRecord = Callable[..., Record]
CONTEXT = StepContext(pipeline="reviews", name="quick", registry="")
WORDS = st.sampled_from(
    """
    but no not never so this without doubt least at very good GOOD bad awful AWFUL film the kind of sort shit yeah
    right isn't GREAT! great!!! :) :D 😀 😡 but, uh-uh ? or nor
    kiss death to die bus stop
    """.split()  # noqa: SIM905 - words read better in lines than in a column
)


@pytest.fixture(scope="module")
def lexicon() -> Iterator[Lexicon]:
    model = Lexicon(LexiconOptions())
    model.open(CONTEXT)
    yield model
    model.close()


@pytest.fixture(scope="module")
def vader() -> Any:
    return vaderSentiment.SentimentIntensityAnalyzer()


def infer(model: Lexicon, record: Record) -> dict[str, Any]:
    return dict(model.infer(Batch([record]))[0])


@example(text="it felt like the kiss of death")
@given(text=st.lists(WORDS, max_size=40).map(" ".join) | st.text(st.characters()))
def test_the_scores_are_exactly_those_of_vader(lexicon: Lexicon, vader: Any, record: MakeRecord, text: str) -> None:
    compound = vader.polarity_scores(text)["compound"]
    output = infer(lexicon, record(text))
    assert output["scores"]["positive"] == pytest.approx((1 + compound) / 2, abs=1e-9)
    assert output["scores"]["negative"] == pytest.approx((1 - compound) / 2, abs=1e-9)
    assert output["label"] == ("positive" if compound >= 0 else "negative")
    assert output["score"] == max(output["scores"].values())
    assert "truncated" not in output


def test_praise_is_positive_and_blame_is_negative(lexicon: Lexicon, record: MakeRecord) -> None:
    assert infer(lexicon, record("A wonderful, moving film."))["label"] == "positive"
    assert infer(lexicon, record("A terrible, boring film."))["label"] == "negative"


@pytest.mark.parametrize("text", ["", " ", "the table is brown", "这部电影", "\ud83d", "\x00"])
def test_a_text_without_known_words_scores_a_half(lexicon: Lexicon, record: MakeRecord, text: str) -> None:
    half = {"label": "positive", "score": 0.5, "scores": {"negative": 0.5, "positive": 0.5}}
    assert infer(lexicon, record(text)) == half


def test_of_a_long_text_the_beginning_counts_and_the_output_says_so(record: MakeRecord) -> None:
    model = Lexicon(LexiconOptions(characters=10))
    model.open(CONTEXT)
    assert infer(model, record("good film."))["label"] == "positive"
    assert "truncated" not in infer(model, record("good film."))
    output = infer(model, record("good film. terrible awful bad"))
    assert output == {**infer(model, record("good film.")), "truncated": True}


# VADER itself takes hours for these, since it makes all words lower case anew for each word that it knows.
@pytest.mark.timeout(30)
@pytest.mark.parametrize("piece", ["x y z good ", "but good ", "no ", "😀", "!", "but :) x "])
def test_a_huge_text_takes_no_longer_than_its_beginning(lexicon: Lexicon, record: MakeRecord, piece: str) -> None:
    assert infer(lexicon, record(piece * 200_000))["truncated"] is True


def test_the_labels_have_the_names_of_the_options(record: MakeRecord) -> None:
    options = LexiconOptions.model_validate({"labels": {"positive": "POS", "negative": "NEG"}})
    model = Lexicon(options)
    assert model.facts(CONTEXT).labels == ("NEG", "POS")
    model.open(CONTEXT)
    output = infer(model, record("awful"))
    assert output["label"] == "NEG"
    assert set(output["scores"]) == {"NEG", "POS"}


def test_two_labels_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="give them different names"):
        LexiconOptions.model_validate({"labels": {"positive": "negative"}})


def test_the_version_is_that_of_vader_and_known_without_opening() -> None:
    facts = Lexicon(LexiconOptions()).facts(CONTEXT)
    assert facts.version == f"vader-{version('vaderSentiment')}"
    assert facts.labels == ("negative", "positive")
