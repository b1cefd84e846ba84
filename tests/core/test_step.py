"""How a plugin's class or function becomes a step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from pydantic import Field

from headrace.core.errors import ConfigError, StepOpenError
from headrace.core.options import NoOptions, Options
from headrace.core.record import Batch, Content, Message, Output, Record
from headrace.core.routing.decision import Candidate, Decision
from headrace.core.step import (
    Kind,
    ModelFacts,
    Opens,
    StepContext,
    StepSpec,
    bind,
    model_facts,
    routed_models,
)
from tests.support.made import message, record

CONTEXT = StepContext("reviews", "quick", "/models", models=("quick", "expert"))
TWO = Batch([record("a"), record("b")])


class SuffixOptions(Options):
    suffix: str = Field(default="!")


def step(kind: Kind, factory: Any, options: Options | None = None) -> Any:
    return bind(StepSpec(kind, "x", factory, type(options or NoOptions()), "stranger"), options or NoOptions())


def test_a_function_on_one_record_is_lifted_over_the_batch() -> None:
    def shout(one: Record) -> Record:
        return one.with_text(one.text.upper())

    assert step("preprocess", shout)(TWO).texts == ["A", "B"]
    assert step("postprocess", shout)(TWO).texts == ["A", "B"]


def test_a_function_that_takes_options_gets_them() -> None:
    def add(one: Record, options: SuffixOptions) -> Record:
        return one.with_text(one.text + options.suffix)

    assert step("preprocess", add, SuffixOptions(suffix="?"))(TWO).texts == ["a?", "b?"]


def test_a_class_is_made_with_its_options_or_without() -> None:
    class With:
        def __init__(self, options: SuffixOptions) -> None:
            self.suffix = options.suffix

    class Without:
        pass

    assert step("preprocess", With, SuffixOptions(suffix="?")).suffix == "?"
    assert isinstance(step("preprocess", Without), Without)


def test_a_function_can_be_a_codec_a_model_or_a_router() -> None:
    def decode(one: Message) -> Content:
        return Content(value=one.value)

    def judge(one: Record) -> Output:
        return {"label": one.text}

    def choose(one: Record) -> Decision:
        return Decision(combine="single", steps=(Candidate(model=one.text),))

    assert step("codec", decode).decode(message(b"x")).value == b"x"
    assert step("model", judge).infer(TWO) == [{"label": "a"}, {"label": "b"}]
    assert [decision.steps[0].model for decision in step("router", choose).route(TWO)] == ["a", "b"]


@pytest.mark.provokes("HR604")
def test_a_constructor_s_own_error_becomes_one_clear_line() -> None:
    def __init__(self: Any) -> None:  # noqa: N807 - made into a class below
        raise RuntimeError("no room")

    with pytest.raises(StepOpenError, match=r"model 'x' could not be made: RuntimeError: no room; .*stranger"):
        step("model", type("Heavy", (), {"__init__": __init__}))


def test_a_constructor_s_own_clear_error_stays_as_it_is() -> None:
    class Careful:
        def __init__(self) -> None:
            raise ConfigError("threshold is above 1", mend="lower it")

    with pytest.raises(ConfigError, match="threshold is above 1; lower it"):
        step("postprocess", Careful)


def test_a_model_that_says_nothing_of_itself_has_its_name_as_version() -> None:
    class Quiet:
        def infer(self, batch: Batch) -> Sequence[Output]:
            return [{} for _ in batch]

    class Talkative(Quiet):
        def facts(self, context: StepContext) -> ModelFacts:
            return ModelFacts(version=f"{context.name}@7")

    assert model_facts(Quiet(), CONTEXT).version == "quick"
    assert model_facts(Talkative(), CONTEXT).version == "quick@7"


def test_a_router_that_does_not_say_may_choose_any_model() -> None:
    assert routed_models(object(), CONTEXT) == ("quick", "expert")


def test_only_a_step_that_opens_and_closes_is_opened() -> None:
    class Heavy:
        def open(self, context: StepContext) -> None: ...
        def close(self) -> None: ...

    assert isinstance(Heavy(), Opens)
    assert not isinstance(object(), Opens)


def test_a_step_s_summary_is_the_first_line_of_its_docstring() -> None:
    def documented(one: Record) -> Record:
        """Shorten it.

        More words.
        """
        return one

    assert StepSpec("preprocess", "x", documented, NoOptions).summary == "Shorten it."
    assert StepSpec("preprocess", "x", lambda one: one, NoOptions).summary == ""
