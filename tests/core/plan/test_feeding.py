"""Whether the input feeds the models: what a codec gives and what a model takes are compared before anything runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from headrace.core.catalog import Catalog
from headrace.core.options import Options
from headrace.core.plan.plan import Plan
from headrace.core.record import Batch, Content, Message, Output
from headrace.core.step import ModelFacts, StepContext
from headrace.core.tensor import TensorSpec

Compile = Callable[..., Plan]
Problems = Callable[..., list[str]]
Specs = dict[str, tuple[str, tuple[int, ...]]]


class NumbersOptions(Options):
    tensors: Specs
    raw: bool = False


class Numbers:
    """A codec that gives tensors."""

    def __init__(self, options: NumbersOptions) -> None:
        self.tensors, self.has_value = specs(options.tensors), not options.raw

    def decode(self, message: Message) -> Content:
        return Content(value=None)


class CountsOptions(Options):
    takes: Specs


class Counts:
    """A model that takes tensors."""

    def __init__(self, options: CountsOptions) -> None:
        self._takes = specs(options.takes)

    def infer(self, batch: Batch) -> Sequence[Output]:
        return [{} for _ in batch]

    def facts(self, context: StepContext) -> ModelFacts:
        return ModelFacts(version="counts@1", inputs=self._takes)


def specs(given: Specs) -> tuple[TensorSpec, ...]:
    return tuple(
        TensorSpec.model_validate({"name": name, "dtype": dtype, "shape": shape})
        for name, (dtype, shape) in given.items()
    )


@pytest.fixture(autouse=True)
def _with_tensors(catalog: Catalog) -> None:
    catalog.codec("numbers", Numbers, options=NumbersOptions)
    catalog.model("counts", Counts, options=CountsOptions)


def file(tensors: str, takes: str, more: str = "", **input_: str) -> str:
    """A file with tensors in and a model that takes some."""
    also = "".join(f", {key}: {value}" for key, value in input_.items())
    return f"""\
headrace: 1
pipeline: digits
input: {{topic: digits, codec: {{numbers: {{tensors: {tensors}}}}}{also}}}
models:
  counter: {{counts: {{takes: {takes}}}}}
output:
  - topic: {{name: digits.scored}}
{more}"""


PIXELS = "{x: [float32, [28, 28]]}"


def test_a_model_that_takes_numbers_needs_no_text(compiled: Compile) -> None:
    plan = compiled(file(PIXELS, PIXELS))
    assert not plan.input.intake.needs_text
    assert plan.models["counter"].facts.inputs[0].shape == (28, 28)


@pytest.mark.parametrize(
    ("tensors", "takes"),
    [
        ("{x: [float32, [-1, 28]]}", PIXELS),
        (PIXELS, "{x: [float32, [-1, -1]]}"),
        ("{x: [float32, [28, 28]], unused: [int64, []]}", PIXELS),
    ],
)
def test_free_axes_and_more_than_is_needed_fit(compiled: Compile, tensors: str, takes: str) -> None:
    compiled(file(tensors, takes))


@pytest.mark.provokes("HR123")
@pytest.mark.parametrize(
    ("tensors", "gives"),
    [
        ("{y: [float32, [28, 28]]}", "y float32[28, 28]"),
        ("{x: [float64, [28, 28]]}", "x float64[28, 28]"),
        ("{x: [float32, [784]]}", "x float32[784]"),
        ("{x: [float32, [28, 27]]}", "x float32[28, 27]"),
    ],
)
def test_a_codec_that_cannot_feed_the_model_is_named_at_the_model(problems: Problems, tensors: str, gives: str) -> None:
    (problem,) = problems(file(tensors, PIXELS))
    assert problem.startswith("p.yaml:5:")
    assert f"HR123 model 'counter' takes x float32[28, 28], and codec 'numbers' gives {gives};" in problem
    assert "x: {dtype: float32, shape: [28, 28]}" in problem


def test_json_and_text_give_no_tensors(problems: Problems) -> None:
    said = file(PIXELS, PIXELS).replace(f"codec: {{numbers: {{tensors: {PIXELS}}}}}", "format: text")
    (problem,) = problems(said)
    assert "model 'counter' takes x float32[28, 28], and codec 'text' gives no tensors; add it to input:" in problem


def test_a_model_of_texts_beside_tensors_needs_its_text(compiled: Compile, problems: Problems) -> None:
    both = "route: {cascade: {order: [counter, quick], accept: 0.9}}\n"
    said = file(PIXELS, PIXELS, both).replace("models:\n", "models:\n  quick: lexicon\n")
    (problem,) = problems(said)
    assert "HR116 the models need a text, and input does not say where it is; add text: PATH" in problem
    assert compiled(said.replace("topic: digits,", "topic: digits, text: body,")).input.intake.needs_text


@pytest.mark.parametrize("key", ["text", "unit"])
def test_there_is_no_path_into_raw_tensors(problems: Problems, key: str) -> None:
    said = file(PIXELS, PIXELS, **{key: "body"}).replace(f"tensors: {PIXELS}}}", f"tensors: {PIXELS}, raw: true}}", 1)
    (problem,) = problems(said)
    assert f"HR116 the whole message is raw tensors, so there is no path into it for input.{key}" in problem


def test_raw_tensors_that_no_message_may_hold(problems: Problems) -> None:
    said = file(PIXELS, PIXELS, max_bytes="3135").replace(f"tensors: {PIXELS}}}", f"tensors: {PIXELS}, raw: true}}", 1)
    (problem,) = problems(said)
    assert "HR123 the tensors of a message have 3,136 bytes, and input.max_bytes is 3,135" in problem
    assert problems(said.replace("3135", "3136")) == []


def test_tensors_of_the_input_are_not_rounded_on_links(problems: Problems) -> None:
    (problem,) = problems(file(PIXELS, PIXELS, "link: {tensors: float16}\n"))
    assert problem.startswith("p.yaml:8:")
    assert "HR123 link.tensors: float16 would round the tensors of the input" in problem


def test_a_sharded_model_beside_tensors_is_refused(problems: Problems) -> None:
    said = file(PIXELS, PIXELS, "route: {cascade: {order: [counter, parts], accept: 0.9}}\n", text="body")
    found = problems(said.replace("models:\n", "models:\n  parts: {stored: {model: big, parts: 2}}\n"))
    assert any("HR123 model 'parts' is sharded" in problem for problem in found)


def test_a_model_of_a_variant_is_compared_as_well(problems: Problems) -> None:
    other = PIXELS.replace("x:", "z:")
    variants = f"{{a: {{}}, b: {{set: {{models: {{counter: {{counts: {{takes: {other}}}}}}}}}}}}}"
    (problem,) = problems(file(PIXELS, PIXELS, f"experiments: {{trial: {{variants: {variants}}}}}\n", unit="user"))
    assert problem.startswith("p.yaml:8:")
    assert "takes z float32[28, 28]" in problem


def test_links_have_room_for_the_tensors(compiled: Compile) -> None:
    groups = "groups: {apart: {models: [counter]}}\n"

    def limit(tensors: str) -> Any:
        plan = compiled(file(tensors, "{x: [float64, [-1]]}", groups))
        return next(topic.max_bytes for topic in plan.topics if topic.name == "digits.link.counter")

    small, large = limit("{x: [float64, [1]]}"), limit("{x: [float64, [100001]]}")
    assert large - small == 800_000
    assert limit("{x: [float64, [-1]]}") - small == 4 * (1 << 20) - 8, "a list of JSON may grow fourfold"
