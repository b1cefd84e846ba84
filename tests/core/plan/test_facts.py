"""A plan as plain values."""

from __future__ import annotations

import json
from collections.abc import Callable

from headrace.core.plan.facts import plan_facts
from headrace.core.plan.plan import Plan

Compile = Callable[..., Plan]


def test_everything_a_plan_says_is_there_and_is_json(compiled: Compile, minimal: str) -> None:
    text = minimal.replace("name: reviews.scored", "name: reviews.scored, when: 'output.score > 0.5'")
    plan = compiled(text + "preprocess: [{normalise: {form: NFKC}}]\nregistry: s3://models\n")
    facts = json.loads(json.dumps(plan_facts(plan)))
    assert (facts["pipeline"], facts["plan"], facts["registry"]) == ("reviews", plan.hash, "s3://models")
    assert facts["input"]["codec"] == {"name": "json", "options": {}}
    assert (facts["input"]["text"], facts["input"]["unit"]) == ("body", None)
    assert facts["steps"]["preprocess"] == [{"name": "normalise", "options": {"form": "NFKC"}}]
    assert facts["steps"]["route"] == {"name": "single", "options": {"model": "quick"}}
    assert facts["models"][0]["name"] == "quick"
    assert facts["outputs"][0]["when"] == "output.score > 0.5"
    assert [stage["name"] for stage in facts["stages"]] == ["ingress", "quick", "egress"]
    assert [topic["role"] for topic in facts["topics"]] == ["input", "output", "dead", "control", "audit", "heartbeat"]
    assert (facts["delivery"]["retries"], facts["batch"]["max_wait"]) == (3, 5)


def test_a_pipeline_without_models_has_no_route(compiled: Compile) -> None:
    plan = compiled("headrace: 1\npipeline: copy\ninput: {topic: a}\noutput: [{topic: {name: b}}]\n")
    assert plan_facts(plan)["steps"]["route"] is None
