"""The step `labels`: names, merged labels, and the threshold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace import Record
from headrace.plugins.postprocess.labels import LabelsOptions, labels

MakeRecord = Callable[..., Record]
NEGATIVE = {"label": "LABEL_0", "score": 0.7, "scores": {"LABEL_0": 0.7, "LABEL_1": 0.3}}


def test_labels_are_renamed_where_they_stand_and_in_the_scores(record: MakeRecord) -> None:
    options = LabelsOptions(rename={"LABEL_0": "negative", "LABEL_1": "positive"})
    output = labels(record(output={**NEGATIVE, "tokens": 7}), options).output
    assert output == {
        "label": "negative",
        "score": 0.7,
        "scores": {"negative": 0.7, "positive": 0.3},
        "tokens": 7,
    }


def test_two_labels_can_change_places(record: MakeRecord) -> None:
    options = LabelsOptions(rename={"LABEL_0": "LABEL_1", "LABEL_1": "LABEL_0"})
    output = labels(record(output=NEGATIVE), options).output
    assert output == {"label": "LABEL_1", "score": 0.7, "scores": {"LABEL_1": 0.7, "LABEL_0": 0.3}}


def test_labels_renamed_alike_become_one_which_may_outweigh_the_one_that_led(record: MakeRecord) -> None:
    stars = {"label": "5", "score": 0.4, "scores": {"1": 0.3, "2": 0.3, "5": 0.4}}
    options = LabelsOptions(rename={"1": "negative", "2": "negative", "5": "positive"}, threshold=0.5)
    output = labels(record(output=stars), options).output
    assert output == {"label": "negative", "score": 0.6, "scores": {"negative": 0.6, "positive": 0.4}}


@pytest.mark.parametrize(("score", "label"), [(0.59, "unsure"), (0.6, "LABEL_0"), (0.61, "LABEL_0")])
def test_below_the_threshold_the_label_is_unsure(record: MakeRecord, score: float, label: str) -> None:
    after = labels(record(output={"label": "LABEL_0", "score": score}), LabelsOptions(threshold=0.6))
    assert after.output is not None
    assert after.output["label"] == label


def test_the_label_that_lost_its_place_is_kept_as_top_with_its_score(record: MakeRecord) -> None:
    options = LabelsOptions(threshold=0.8, otherwise="ask a person", rename={"LABEL_0": "negative"})
    assert labels(record(output=NEGATIVE), options).output == {
        "label": "ask a person",
        "top": "negative",
        "score": 0.7,
        "scores": {"negative": 0.7, "LABEL_1": 0.3},
    }


@pytest.mark.parametrize("output", [None, {"text": "generated"}, {"embedding": [0.1]}, {}])
def test_what_has_no_label_stays_as_it_is(record: MakeRecord, output: dict[str, Any] | None) -> None:
    before = record(output=output)
    assert labels(before, LabelsOptions(threshold=0.6, rename={"a": "b"})) is before


def test_a_label_without_a_score_is_renamed_but_not_judged(record: MakeRecord) -> None:
    options = LabelsOptions(threshold=0.6, rename={"LABEL_0": "negative"})
    assert labels(record(output={"label": "LABEL_0"}), options).output == {"label": "negative"}


def test_a_label_that_stands_comes_back_in_the_same_record(record: MakeRecord) -> None:
    before = record(output=NEGATIVE)
    assert labels(before, LabelsOptions(threshold=0.6)) is before


NAMES = st.sampled_from("abc")


@given(
    scores=st.dictionaries(NAMES, st.floats(0, 1), min_size=1),
    rename=st.dictionaries(NAMES, NAMES, min_size=1),
    threshold=st.floats(0.01, 1),
)
def test_scores_keep_their_sum_and_the_label_is_one_of_them(
    record: MakeRecord, scores: dict[str, float], rename: dict[str, str], threshold: float
) -> None:
    top = max(scores, key=lambda name: scores[name])
    before = record(output={"label": top, "score": scores[top], "scores": scores})
    output = labels(before, LabelsOptions(rename=rename, threshold=threshold)).output
    assert output is not None
    assert sum(output["scores"].values()) == pytest.approx(sum(scores.values()))
    assert output["scores"][output.get("top", output["label"])] == output["score"] == max(output["scores"].values())


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({}, "nothing to do; add threshold"),
        ({"otherwise": "unsure"}, "otherwise has no threshold"),
        ({"rename": {"a": "b"}, "otherwise": "unsure"}, "otherwise has no threshold"),
        ({"threshold": 0}, "greater than 0"),
        ({"threshold": 60}, "less than or equal to 1"),
    ],
)
def test_options_that_do_nothing_or_everything_are_refused(options: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        LabelsOptions.model_validate(options)
