"""The router `rules`: the first rule that holds decides, and what cannot be evaluated does not hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from pydantic import ValidationError

from headrace import Batch, Decision, Record, StepContext
from headrace.core.config.errors import ExpressionError
from headrace.core.errors import ProblemsError
from headrace.plugins.routers.rules import Rules, RulesOptions
from tests.support.made import headers, json_values, keys, texts

MakeRecord = Callable[..., Record]


def rules(*when: str, **more: Any) -> Rules:
    """Return a router with a rule for each expression, whose models are m0, m1 …, and `rest` otherwise."""
    said = [{"when": source, "model": f"m{at}"} for at, source in enumerate(when)]
    return Rules(RulesOptions.model_validate({"rules": said, "otherwise": "rest", **more}))


def decision(router: Rules, record: Record) -> Decision:
    return router.route(Batch([record]))[0]


def chosen(router: Rules, record: Record) -> str:
    return decision(router, record).steps[0].model


@pytest.mark.parametrize(
    ("when", "fields"),
    [
        ("value.stars < 3", {"value": {"stars": 1}}),
        ("headers['x-tier'] == 'gold'", {"headers": (("x-tier", b"tin"), ("x-tier", b"gold"))}),
        ("headers.nothing == ''", {"headers": (("nothing", None),)}),
        ("tags.language == 'de'", {"tags": {"language": "de"}}),
        ("key == 'ann'", {"key": b"ann"}),
        ("key == null", {"key": b"\xff"}),
        ("key == null", {}),
        ("unit.startsWith('vip-')", {"unit": "vip-7"}),
        ("unit == null", {}),
        ("size(text) > 10", {"text": "a longer text"}),
        ("value.items.exists(item, item == 'x')", {"value": {"items": ["x"]}}),
    ],
)
def test_a_rule_may_speak_of_everything_that_a_record_has(record: MakeRecord, when: str, fields: Any) -> None:
    assert chosen(rules(when), record(**fields)) == "m0"


@pytest.mark.parametrize(
    ("when", "fields"),
    [
        ("value.stars < 3", {"value": {"rating": 1}}),
        ("value.stars < 3", {"value": "plain text"}),
        ("value.stars < 3", {"value": {"stars": "1"}}),
        ("value.stars == 'x'", {"value": {"stars": "\ud800"}}),
        ("value.stars + 9223372036854775807 > 0", {"value": {"stars": 1}}),
        ("1 / value.stars > 0", {"value": {"stars": 0}}),
        ("headers['x-tier'] == 'gold'", {}),
        ("unit.startsWith('vip-')", {}),
        ("text", {"text": "neither true nor false"}),
    ],
)
def test_a_rule_that_cannot_be_evaluated_over_a_record_does_not_hold(
    record: MakeRecord, when: str, fields: Any
) -> None:
    router = rules(when, "true")
    assert chosen(router, record(**fields)) == "m1"


def test_the_first_rule_that_holds_decides_and_is_named(record: MakeRecord) -> None:
    router = rules("size(text) > 8", "size(text) > 4")
    said = [(made.steps[0].model, made.reason) for made in router.route(Batch([record("x" * n) for n in (9, 5, 1)]))]
    assert said == [("m0", "size(text) > 8 holds"), ("m1", "size(text) > 4 holds"), ("rest", "no rule holds")]


def test_a_rule_has_one_decision_for_all_records(record: MakeRecord) -> None:
    first, second, other = rules("text == 'a'").route(Batch([record("a"), record("a"), record("b")]))
    assert first is second
    assert (first.combine, first.propensity) == (other.combine, other.propensity) == ("single", 1.0)


def test_a_rule_may_send_records_through_a_chain(record: MakeRecord) -> None:
    router = rules(rules=[{"when": "true", "chain": ["summary", "mood"]}])
    made = decision(router, record())
    assert (made.combine, [candidate.model for candidate in made.steps]) == ("chain", ["summary", "mood"])
    assert router.models(StepContext("reviews", "rules", "")) == ("summary", "mood", "rest")
    assert router.orders(StepContext("reviews", "rules", "")) == (("summary", "mood"), ("rest",))


@given(value=json_values, headers=headers, key=keys, text=texts)
def test_no_record_is_too_strange_for_a_rule(record: MakeRecord, value: Any, headers: Any, key: Any, text: str) -> None:
    router = rules("value.a == headers.b", "key == text", "value == text")
    assert chosen(router, record(text, value=value, headers=headers, key=key)) in ("m0", "m1", "m2", "rest")


@pytest.mark.parametrize(
    ("rule", "fault"),
    [
        ({"when": "true"}, "a rule without model"),
        ({"when": "true", "model": "a", "chain": ["a", "b"]}, "a rule with both model and chain"),
        ({"when": "true", "chain": ["a"]}, "at least 2 items"),
        ({"when": "true", "chain": ["a", "b", "a"]}, "'a' is there twice"),
        ({"model": "a"}, "Field required"),
    ],
)
def test_what_makes_no_sense_is_refused_once(rule: Any, fault: str) -> None:
    with pytest.raises(ValidationError, match=fault) as caught:
        rules(rules=[rule])
    assert caught.value.error_count() == 1


def test_rules_need_a_rule_and_an_otherwise() -> None:
    with pytest.raises(ValidationError, match="there is no rule"):
        rules()
    with pytest.raises(ValidationError, match="otherwise"):
        RulesOptions.model_validate({"rules": [{"when": "true", "model": "a"}]})


@pytest.mark.parametrize("when", ["value.stars <", "valeu.stars < 3", "output.score > 0.9", "siez(text) > 3"])
def test_an_expression_that_cannot_work_is_refused_when_the_file_is_read(when: str) -> None:
    with pytest.raises(ProblemsError) as caught:
        rules(when, "true", when)
    assert [type(problem) for problem in caught.value.problems] == [ExpressionError] * 2
