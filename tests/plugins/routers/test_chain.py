"""The router `chain`: one decision for all records, with what each model reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from headrace import Batch, Record, StepContext
from headrace.plugins.routers.chain import Chain, ChainOptions

MakeRecord = Callable[..., Record]
ORDER = ["summary", "mood", "tone"]


def chain(order: list[str] = ORDER, **options: Any) -> Chain:
    return Chain(ChainOptions.model_validate({"order": order, **options}))


def test_every_record_gets_the_same_decision(record: MakeRecord) -> None:
    first, second = chain().route(Batch([record("a"), record("b")]))
    assert first is second
    assert (first.combine, first.propensity) == ("chain", 1.0)
    assert first.reason == "every record goes through summary, then mood, then tone"


@pytest.mark.parametrize(
    ("options", "reads"),
    [
        ({}, [None, None, None]),
        ({"text": "output.text"}, [None, "output.text", "output.text"]),
        ({"text": {"mood": "output.summary.0"}}, [None, "output.summary.0", None]),
    ],
)
def test_each_model_but_the_first_reads_what_the_file_says(record: MakeRecord, options: Any, reads: list[Any]) -> None:
    steps = chain(**options).route(Batch([record()]))[0].steps
    assert [candidate.model for candidate in steps] == ORDER
    assert [candidate.reads for candidate in steps] == reads


def test_it_names_its_models_and_their_order_for_check() -> None:
    context = StepContext("reviews", "chain", "")
    assert chain().models(context) == tuple(ORDER)
    assert chain().orders(context) == (tuple(ORDER),)


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"order": ["summary"]}, "at least 2 items"),
        ({"order": ["a", "b", "a"]}, "'a' is there twice"),
        ({"text": "summary"}, "text is 'summary'; write a path into the output"),
        ({"text": "output"}, "text is 'output'"),
        ({"text": "output..x"}, r"text is 'output\.\.x'"),
        ({"text": 7}, "text is 7"),
        ({"text": {"mood": "text"}}, "text for mood is 'text'"),
        ({"text": {"summary": "output.text"}}, "text names 'summary'; it may name mood and tone"),
    ],
)
def test_what_makes_no_sense_is_refused_once(options: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValidationError, match=fault) as caught:
        chain(**options)
    assert caught.value.error_count() == 1
