"""What every built-in step keeps: one item a record, in order, whatever the batch; options that a person can read."""

from __future__ import annotations

import copy
import inspect
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import entry_points
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from headrace import Batch, Experiment, Options, Record, StepContext
from headrace.core.catalog import installed_catalog
from headrace.core.step import Opens, StepSpec, bind

MakeRecord = Callable[..., Record]
EXPERIMENTS = (
    Experiment("colour", ("blue", "red"), (0.5, 0.5), "colour"),
    Experiment("size", ("small", "large"), (0.5, 0.5), "size", coverage=0.5),
)
CONTEXT = StepContext(pipeline="reviews", name="step", registry="", models=("quick", "expert"), experiments=EXPERIMENTS)

EXAMPLES: dict[str, dict[str, Any]] = {
    "model lexicon": {},
    "postprocess labels": {"threshold": 0.6, "rename": {"a": "b"}},
    "preprocess normalise": {},
    "router cascade": {"order": ["quick", "expert"], "accept": 0.9},
    "router chain": {"order": ["quick", "expert"], "text": "output.summary"},
    "router parallel": {"models": ["quick", "expert"], "join": "vote"},
    "router rules": {"rules": [{"when": "text.contains('o')", "model": "expert"}], "otherwise": "quick"},
    "router single": {"model": "quick"},
    "splitter split": {},
}
"""Options with which a step works; a built-in that takes batches and has none here fails by name."""

ELSEWHERE = {"model onnx": "needs a model in a registry: tests/plugins/models/test_onnx.py"}


def title(spec: StepSpec) -> str:
    return f"{spec.kind} {spec.name}"


BUILT_IN = [spec for spec in installed_catalog().specs() if spec.distribution == "headrace"]
IN_BATCHES = [spec for spec in BUILT_IN if spec.kind in ("splitter", "preprocess", "router", "model", "postprocess")]
RUNNABLE = [spec for spec in IN_BATCHES if title(spec) in EXAMPLES]
every_step = pytest.mark.parametrize("spec", BUILT_IN, ids=title)

OUTPUTS = st.none() | st.fixed_dictionaries(
    {
        "label": st.sampled_from("abc"),
        "score": st.floats(0, 1),
        "scores": st.dictionaries(st.sampled_from("abc"), st.floats(0, 1)),
    }
)
TEXTS = st.sampled_from(["", "good", "<b>not good</b> but fine", "awful :(\n", "e\u0301 &amp;"]) | st.text(
    st.characters()
)
FIELDS = st.lists(st.tuples(TEXTS, OUTPUTS), max_size=12)


def run(step: Any, spec: StepSpec, batch: Batch) -> Sequence[Any]:
    call = {"splitter": "split", "router": "route", "model": "infer"}.get(spec.kind)
    return list(getattr(step, call)(batch) if call else step(batch))


@pytest.fixture(scope="module", params=RUNNABLE, ids=title)
def opened(request: pytest.FixtureRequest) -> Iterator[tuple[StepSpec, Any]]:
    spec: StepSpec = request.param
    step = bind(spec, spec.options.model_validate(EXAMPLES[title(spec)]))
    if isinstance(step, Opens):
        step.open(CONTEXT)
    yield spec, step
    if isinstance(step, Opens):
        step.close()


def batch_of(record: MakeRecord, fields: list[tuple[str, Any]]) -> Batch:
    return Batch(
        [record(text, id=str(at), unit=f"user-{at % 7}", output=output) for at, (text, output) in enumerate(fields)]
    )


def test_every_built_in_step_is_found() -> None:
    assert not installed_catalog().broken
    assert {title(spec) for spec in IN_BATCHES} == EXAMPLES.keys() | ELSEWHERE.keys()
    assert {title(spec) for spec in BUILT_IN if spec not in IN_BATCHES} == {
        "codec cloudevents",
        "codec json",
        "codec tensor",
        "codec text",
        "sink topic",
    }


@given(fields=FIELDS)
def test_it_returns_one_item_a_record_in_the_same_order(
    opened: tuple[StepSpec, Any], record: MakeRecord, fields: list[tuple[str, Any]]
) -> None:
    spec, step = opened
    batch = batch_of(record, fields)
    items = run(step, spec, batch)
    assert len(items) == len(batch)
    if spec.kind in ("preprocess", "postprocess"):
        assert [item.id for item in items] == [given_.id for given_ in batch]
        assert [item.source for item in items] == [given_.source for given_ in batch]


@given(fields=FIELDS)
def test_it_never_alters_what_it_was_given(
    opened: tuple[StepSpec, Any], record: MakeRecord, fields: list[tuple[str, Any]]
) -> None:
    spec, step = opened
    batch = batch_of(record, copy.deepcopy(fields))
    run(step, spec, batch)
    assert list(batch) == list(batch_of(record, fields))


@given(fields=FIELDS, cut=st.integers(0, 12))
def test_where_the_batch_is_cut_never_changes_a_result(
    opened: tuple[StepSpec, Any], record: MakeRecord, fields: list[tuple[str, Any]], cut: int
) -> None:
    spec, step = opened
    batch = batch_of(record, fields)
    whole = run(step, spec, batch)
    assert whole == [*run(step, spec, batch[:cut]), *run(step, spec, batch[cut:])]
    assert whole == run(step, spec, batch)


@every_step
def test_it_says_in_a_sentence_what_it_does(spec: StepSpec) -> None:
    assert len(spec.summary) > 20
    assert spec.summary.endswith((".", ";"))
    assert (inspect.getdoc(inspect.getmodule(spec.factory)) or "").partition("\n")[0].endswith(".")


@every_step
def test_its_options_refuse_what_they_do_not_know(spec: StepSpec) -> None:
    example = EXAMPLES.get(title(spec), {})
    with pytest.raises(ValidationError) as caught:
        spec.options.model_validate({**example, "no_such_option": 1})
    assert "extra_forbidden" in {finding["type"] for finding in caught.value.errors()}
    assert all(model.model_config.get("extra") == "forbid" for model in models_in(spec.options))


@every_step
def test_each_of_its_options_is_described(spec: StepSpec) -> None:
    for model in models_in(spec.options):
        assert issubclass(model, Options)
        assert model.__doc__
        silent = [name for name, field in model.model_fields.items() if not field.description]
        assert not silent, f"{model.__name__} does not describe {', '.join(silent)}"


def test_registering_all_steps_imports_nothing_heavy() -> None:
    points = [point.value for point in entry_points(group="headrace")]
    heavy = ["aiokafka", "cel", "faust", "numpy", "onnxruntime", "rich", "tokenizers", "torch", "transformers"]
    code = (
        "import sys; from headrace.core.catalog import installed_catalog; assert not installed_catalog().broken;"
        f"assert all(name in sys.modules for name in {points!r});"
        f"print([name for name in {[*heavy, 'vaderSentiment']!r} if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the options model and the models of its fields, all the way down."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        for field in annotation.model_fields.values():
            yield from models_in(field.annotation)
    for part in get_args(annotation):
        yield from models_in(part)
