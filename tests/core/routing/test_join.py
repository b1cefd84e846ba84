"""Several answers become one: which one, why, and that the order in which they came changes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.core.record import Record
from headrace.core.routing.join import Verdict, is_enough, joined
from headrace.core.routing.part import Part, part_of
from headrace.core.routing.slip import Slip
from tests.support.parts import answered, asked, broken, parallel, verdict_facts


def said(label: str, score: float) -> dict[str, Any]:
    rest = {"positive": "negative", "negative": "positive"}[label]
    return {"label": label, "score": score, "scores": {label: score, rest: 1 - score}}


def parts(slip: Slip, answers: Sequence[Mapping[str, Any] | None], order: Sequence[int] = ()) -> dict[int, Part]:
    copies = asked(slip)
    came = [
        broken(copy) if answer is None else answered(copy, answer) for copy, answer in zip(copies, answers, strict=True)
    ]
    return {at: part_of(came[at]) for at in order or range(len(came))}


def end(slip: Slip, *answers: Mapping[str, Any] | None, **said: Any) -> Verdict:
    return joined(asked(slip)[0], parts(slip, answers), **said)


def made(verdict: Verdict) -> Record:
    assert verdict.failure is None
    return verdict.record


def told(verdict: Verdict) -> Any:
    slip = made(verdict).slip
    assert slip is not None
    assert (slip.next, slip.branch, slip.failed) == (None, None, None)
    return slip.path, slip.served_model, slip.version, slip.reason


POSITIVE, NEGATIVE = said("positive", 0.8), said("negative", 0.7)


def test_best_takes_the_highest_score() -> None:
    verdict = end(parallel("best"), said("positive", 0.6), said("negative", 0.9), said("positive", 0.8))
    assert made(verdict).output == said("negative", 0.9)
    assert told(verdict) == (("a", "b", "c"), "b", "b@1", "b scored 0.9, the best of 3")


def test_of_equal_scores_the_best_is_the_first_in_the_file() -> None:
    assert told(end(parallel("best"), POSITIVE, POSITIVE, POSITIVE))[1] == "a"


def test_vote_takes_the_label_that_most_said_and_the_surest_of_those_serves() -> None:
    verdict = end(parallel("vote"), said("negative", 0.6), said("positive", 0.99), said("negative", 0.7))
    assert made(verdict).output == {**said("negative", 0.7), "votes": {"negative": 2, "positive": 1}}
    assert told(verdict) == (("a", "b", "c"), "c", "c@1", "2 of 3 said 'negative'")


def test_a_tie_goes_to_the_higher_sum_of_scores_and_then_to_the_first() -> None:
    two = parallel("vote", ("a", "b"))
    assert told(end(two, said("negative", 0.6), said("positive", 0.8)))[1] == "b"
    assert told(end(two, said("negative", 0.7), said("positive", 0.7)))[1] == "a"


def test_weights_count_in_a_vote() -> None:
    verdict = end(parallel("vote", weights=[3, 1, 1.5]), NEGATIVE, POSITIVE, POSITIVE)
    assert (made(verdict).output or {})["votes"] == {"negative": 3, "positive": 2.5}
    assert told(verdict)[1] == "a"


def test_average_is_the_mean_of_each_label_s_scores() -> None:
    verdict = end(parallel("average"), said("positive", 0.9), said("negative", 0.6), said("positive", 0.6))
    output = made(verdict).output or {}
    assert output["label"] == "positive"
    assert output["scores"] == pytest.approx({"positive": 1.9 / 3, "negative": 1.1 / 3})
    assert output["score"] == output["scores"]["positive"]
    assert told(verdict) == (("a", "b", "c"), None, None, "the average of 3")


def test_an_average_is_weighted() -> None:
    verdict = end(parallel("average", ("a", "b"), [3, 1]), said("positive", 1.0), said("negative", 1.0))
    assert (made(verdict).output or {})["scores"] == {"positive": 0.75, "negative": 0.25}


def test_first_takes_what_came_first() -> None:
    slip = parallel("first")
    verdict = joined(asked(slip)[0], parts(slip, [POSITIVE, NEGATIVE, None], order=(2, 1, 0)))
    assert told(verdict) == (("b",), "b", "b@1", "b answered first; a was not waited for; c failed (HR501)")


def test_what_each_model_said_and_its_version_and_score_are_told() -> None:
    slip = made(end(parallel("vote", ("a", "b")), POSITIVE, NEGATIVE)).slip
    assert slip is not None
    assert slip.joined is not None
    assert slip.outputs == {"a": POSITIVE, "b": NEGATIVE}
    assert slip.joined.versions == {"a": "a@1", "b": "b@1"}
    assert slip.joined.scores == {"a": 0.8, "b": 0.7}


def test_times_add_up_and_the_most_tries_count() -> None:
    slip = parallel("best", ("a", "b"))
    one, other = asked(slip)
    copies = [answered(one, POSITIVE, inference_ms=3, attempt=2), answered(other, POSITIVE, inference_ms=4)]
    record = made(joined(one, {at: part_of(copy) for at, copy in enumerate(copies)}))
    assert (record.inference_ms, record.attempt) == (7, 2)


def test_a_branch_that_failed_is_told_and_the_others_are_joined() -> None:
    assert told(end(parallel("vote"), POSITIVE, None, POSITIVE))[3] == "2 of 2 said 'positive'; b failed (HR501)"


def test_a_late_end_joins_what_came_and_says_who_was_late() -> None:
    slip = parallel("vote", deadline_ms=500)
    verdict = joined(asked(slip)[0], parts(slip, [POSITIVE, NEGATIVE, NEGATIVE], order=(1,)), is_late=True)
    late = "a did not answer within 500 ms; c did not answer within 500 ms"
    assert told(verdict)[3] == f"1 of 1 said 'negative'; {late}"


@pytest.mark.provokes("HR530")
def test_a_record_that_no_model_answers_fails_and_says_with_what_each_did() -> None:
    failure = end(parallel("vote", ("a", "b")), None, None).failure
    assert failure is not None
    assert failure.code == "HR530"
    assert "none of 2 models answered: a failed (HR501: it hurts); b failed" in failure.message


@pytest.mark.provokes("HR531")
def test_a_record_without_an_answer_in_time_fails() -> None:
    slip = parallel("vote", deadline_ms=500)
    failure = joined(asked(slip)[0], {}, is_late=True).failure
    assert failure is not None
    assert failure.code == "HR531"
    assert failure.message.startswith("no model answered within 500 ms")


@pytest.mark.provokes("HR532")
@pytest.mark.parametrize(
    ("join", "answer"),
    [
        ("best", {"label": "positive"}),
        ("best", {"score": float("nan")}),
        ("best", {"score": True}),
        ("vote", {"score": 1.0}),
        ("vote", {"label": 3}),
        ("average", {"label": "positive", "score": 1.0}),
        ("average", {"scores": {}}),
        ("average", {"scores": {"positive": "much"}}),
    ],
)
def test_an_answer_that_cannot_be_joined_counts_as_none(join: str, answer: dict[str, Any]) -> None:
    slip = parallel(join, ("a", "b"))
    part = part_of(answered(asked(slip)[0], answer))
    assert part.failure is not None
    assert part.failure.code == "HR532"
    assert told(end(slip, answer, POSITIVE))[0] == ("b",)


def test_first_takes_any_answer() -> None:
    assert made(end(parallel("first"), {"text": "hello"}, None, None)).output == {"text": "hello"}


@pytest.mark.provokes("HR533")
def test_scores_for_different_labels_have_no_average() -> None:
    failure = end(parallel("average", ("a", "b")), POSITIVE, {"scores": {"spam": 1.0}}).failure
    assert failure is not None
    assert failure.code == "HR533"
    assert "a and b gave scores for different labels" in failure.message


def test_enough_is_the_quorum_or_all_there_can_be() -> None:
    slip = parallel("vote", quorum=2)
    found = parts(slip, [POSITIVE, None, POSITIVE])
    assert not is_enough(slip.decision, {0: found[0]})
    assert not is_enough(slip.decision, {0: found[0], 1: found[1]})
    assert is_enough(slip.decision, {0: found[0], 2: found[2]})
    failed = parts(slip, [POSITIVE, None, None])
    assert is_enough(slip.decision, failed), "nothing more is to come"


@given(
    st.sampled_from(["best", "vote", "average"]),
    st.lists(st.none() | st.builds(said, st.sampled_from(["positive", "negative"]), st.floats(0, 1)), min_size=1),
    st.randoms(use_true_random=False),
)
def test_the_order_of_arrival_changes_nothing(join: str, answers: list[dict[str, Any] | None], random: Any) -> None:
    slip = parallel(join, [f"m{at}" for at in range(len(answers))])
    order = list(range(len(answers)))
    random.shuffle(order)
    one = joined(asked(slip)[0], parts(slip, answers))
    other = joined(asked(slip)[order[0]], parts(slip, answers, order=order))
    assert verdict_facts(*one) == verdict_facts(*other)
