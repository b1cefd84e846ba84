"""What the demo counts, and what it must not count."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest

from headrace.streams.demo.reviews import Review
from headrace.streams.demo.scene import Bad, bad_records
from headrace.streams.demo.summary import checks, percentile, summary
from headrace.streams.demo.tally import Tally

RUN = "/demo/7"
REVIEWS = (
    Review("1", "A joy.", "positive"),
    Review("2", "Dull.", "negative"),
    Review("3", "Fine, I suppose.", "positive"),
)
ALONE = {"quick": 0.5, "expert": 0.75}


def result(review: str, label: str, *path: str, run: str = RUN, topic: str = "reviews.scored", **output: Any) -> Any:
    timings = {"queue": 5.0, "preprocess": 1.0, "inference": 2.0, "postprocess": 1.0, "total": 9.0}
    return {
        "topic": topic,
        "id": f"{run}|{review}",
        "time": f"2026-11-23T20:00:0{review}.000Z",
        "output": {"label": label, "score": 0.9, **output},
        "model": path[-1],
        "route": {"path": list(path)},
        "experiments": [],
        "unit": f"user-{review}",
        "timings": timings,
    }


def letter(bad: Bad) -> Any:
    try:
        value: dict[str, str | None] = {"value": bad.line.decode()}
    except UnicodeDecodeError:
        value = {"value": None, "value_base64": b64encode(bad.line).decode()}
    if bad.what == "tombstone":
        value = {"key": bad.line.decode(), "value": None}
    return {"topic": "reviews.dead", "code": bad.code, "key": None, **value}


@pytest.fixture
def tally() -> Tally:
    tally = Tally(REVIEWS, len(bad_records(RUN)), RUN)
    for line in (result("1", "positive", "quick"), result("2", "negative", "quick", "expert")):
        tally.take(line)
    tally.take(result("3", "unsure", "quick", "expert", top="negative"))
    for bad in bad_records(RUN):
        tally.take(letter(bad))
    return tally


def test_results_are_right_or_wrong_by_what_the_model_said_also_where_it_says_unsure(tally: Tally) -> None:
    assert tally.accuracy() == pytest.approx((2 / 3, 3))
    assert tally.accuracy("quick") == (1.0, 1)
    assert tally.accuracy("expert") == (0.5, 2)
    assert tally.escalated == pytest.approx(2 / 3)
    assert tally.throughput() == pytest.approx(1.5)


def test_every_promise_is_kept_when_all_came_out_once(tally: Tally) -> None:
    assert tally.is_whole
    assert all(check.is_kept for check in checks(tally, bad_records(RUN), 0.6, 0))


@pytest.mark.parametrize(
    ("break_it", "promise"),
    [
        (lambda tally: tally.results.popitem(), "came out"),
        (lambda tally: tally.take(result("1", "positive", "quick")), "once"),
        (lambda tally: tally.dead.update(["HR511"]), "dead letter"),
    ],
)
def test_a_record_lost_doubled_or_wrongly_dead_breaks_a_promise(tally: Tally, break_it: Any, promise: str) -> None:
    break_it(tally)
    broken = [check.promise for check in checks(tally, bad_records(RUN), 0.6, 0) if not check.is_kept]
    assert [promise in words for words in broken] == [True]


def test_a_cascade_worse_than_the_lexicon_or_a_pipeline_that_fails_breaks_a_promise(tally: Tally) -> None:
    broken = [check.promise for check in checks(tally, bad_records(RUN), 0.9, 1) if not check.is_kept]
    assert len(broken) == 2


def test_another_runs_records_are_not_counted(tally: Tally) -> None:
    before = (tally.accuracy(), tally.alerts, tally.dead.total())
    tally.take(result("1", "negative", "quick", run="/demo/6"))
    tally.take(result("1", "negative", "quick", run="/demo/6", topic="reviews.alerts"))
    for bad in bad_records("/demo/6"):
        tally.take(letter(bad))
    assert (tally.accuracy(), tally.alerts, tally.dead.total()) == before
    assert tally.doubled == 0


def test_the_summary_names_each_model_and_each_bad_record(tally: Tally) -> None:
    text = "\n".join(summary(tally, bad_records(RUN), ALONE))
    assert "cascade 0.667 on 3" in text
    assert "0.500 alone; 1.000 on the 1 reviews" in text
    assert all(bad.what in text for bad in bad_records(RUN))


def test_a_percentile_is_one_of_the_values() -> None:
    assert [percentile([3.0, 1.0, 2.0], share) for share in (0.0, 0.5, 0.99)] == [1.0, 2.0, 3.0]
    assert percentile([], 0.5) == 0.0


def met(tally: Tally, review: str, variant: str, unit: str = "") -> None:
    line = result(review, "positive", "quick")
    assigned = [{"id": "expert-first", "phase": 1, "variant": variant}]
    tally.take({**line, "experiments": assigned, "unit": unit or f"user-{review}"})


def test_the_summary_compares_variants_when_there_was_an_experiment() -> None:
    tally = Tally(REVIEWS, 0, RUN)
    for review, variant in (("1", "control"), ("2", "treatment"), ("3", "control")):
        met(tally, review, variant)
    lines = [*summary(tally, (), ALONE)]
    at = lines.index("experiment   expert-first, phase 1")
    assert [line.split() for line in lines[at + 1 : at + 4]] == [
        ["variant", "tags", "share", "users", "accuracy", "transformer", "compute", "p50", "p99"],
        ["control", "2", "66.7%", "2", "1.000", "0.0%", "4", "ms", "4", "ms"],
        ["treatment", "1", "33.3%", "1", "0.000", "0.0%", "4", "ms", "4", "ms"],
    ]
    assert len({len(line) for line in lines[at + 1 : at + 4]}) == 1, "columns end at one place"
    kept = {check.promise: check.is_kept for check in checks(tally, (), 0.0, 0)}
    assert kept["each result says which variant it met"]
    assert kept["each user met one variant only"]


def test_two_experiments_and_phases_have_a_table_each() -> None:
    tally = Tally(REVIEWS, 0, RUN)
    assigned = [{"id": "expert-first", "phase": 2, "variant": "control"}, {"id": "bar", "phase": 1, "variant": "low"}]
    tally.take({**result("1", "positive", "quick", "expert"), "experiments": assigned})
    titles = [line for line in summary(tally, (), ALONE) if line.startswith("experiment")]
    assert titles == ["experiment   bar, phase 1", "experiment   expert-first, phase 2"]


def test_a_user_that_met_two_variants_breaks_a_promise() -> None:
    tally = Tally(REVIEWS, 0, RUN)
    met(tally, "1", "control", unit="ann")
    met(tally, "2", "treatment", unit="ann")
    kept = {check.promise: check.is_kept for check in checks(tally, (), 0.0, 0)}
    assert not kept["each user met one variant only"]
