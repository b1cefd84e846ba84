"""The `onnx` step with the task `tensor`: what a graph says of numbers, whatever the batch, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper

from headrace import Batch, Position, Record, StepContext, TensorSpec
from headrace.core.catalog import installed_catalog
from headrace.core.errors import HeadraceError
from headrace.core.registry.errors import ManifestUnreadableError, ModelLabelsError, ModelLengthError
from headrace.core.registry.folder import read_tensor_folder
from headrace.core.registry.manifest import Manifest
from headrace.core.registry.store import Registry
from headrace.plugins.models.errors import (
    GraphFailedError,
    GraphInputsError,
    GraphOutputError,
    InputTensorError,
    NotANumberError,
    OutputUnknownError,
    TensorsChangedError,
)
from headrace.plugins.models.onnx import OnnxModel, OnnxOptions
from headrace.streams.model_trial import tried
from tests.tensor_model import DIGITS, expected, write_digits, write_graph

Register = Callable[..., Manifest]
OpenModel = Callable[..., OnnxModel]
FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)
ROWS = st.lists(st.lists(FLOATS, min_size=1, max_size=3), min_size=1, max_size=5)
IMAGES = np.random.default_rng(1).random((12, 28, 28), dtype="float32")


def records(**tensors: Any) -> Batch:
    count = len(next(iter(tensors.values())))
    return Batch(
        [
            Record(id=str(at), source=Position("p", 0, at), tensors={name: rows[at] for name, rows in tensors.items()})
            for at in range(count)
        ]
    )


@pytest.fixture(scope="module")
def register(registry: Registry) -> Register:
    """Import a folder as the command does, and return its manifest."""

    def make(folder: Path, *, labels: Sequence[str] = (), **changes: Any) -> Manifest:
        source = tried(read_tensor_folder(folder, labels=labels), "numbers", 1, installed_catalog())
        return registry.add(replace(source, **changes), "numbers")

    return make


@pytest.fixture(scope="module")
def opened(context: StepContext, register: Register) -> OpenModel:
    """Import a folder and open the model as a worker does; options of the step in `options`."""

    def make(folder: Path, *, options: dict[str, Any] | None = None, **more: Any) -> OnnxModel:
        model = OnnxModel(OnnxOptions.model_validate({"model": register(folder, **more).reference, **(options or {})}))
        model.open(context)
        return model

    return make


@pytest.fixture(scope="module")
def digits(opened: OpenModel, tmp_path_factory: pytest.TempPathFactory) -> OnnxModel:
    """A classifier of images."""
    return opened(write_digits(tmp_path_factory.mktemp("digits")), labels=DIGITS)


# -- what a record gets


def test_a_classifier_says_label_score_and_scores(digits: OnnxModel) -> None:
    wanted = expected(IMAGES)
    for output, row in zip(digits.infer(records(x=IMAGES)), wanted, strict=True):
        assert output.keys() == {"label", "score", "scores"}
        assert output["label"] == DIGITS[row.argmax()]
        assert output["score"] == output["scores"][output["label"]]
        np.testing.assert_allclose(list(output["scores"].values()), row, atol=1e-6)


def test_without_labels_it_says_every_output_by_name(opened: OpenModel, tmp_path: Path) -> None:
    outputs = opened(write_digits(tmp_path)).infer(records(x=IMAGES))
    np.testing.assert_allclose([output["outputs"]["y"] for output in outputs], expected(IMAGES), atol=1e-6)
    assert all(output.keys() == {"outputs"} for output in outputs)
    json.dumps(outputs)


def test_logits_become_probabilities_and_probabilities_stay(opened: OpenModel, tmp_path: Path) -> None:
    model = opened(write_digits(tmp_path, softmax=False), labels=DIGITS)
    found = [list(output["scores"].values()) for output in model.infer(records(x=IMAGES))]
    np.testing.assert_allclose(found, expected(IMAGES), atol=1e-6)


@pytest.fixture(scope="module")
def named(opened: OpenModel, tmp_path_factory: pytest.TempPathFactory) -> OpenModel:
    """Several inputs and outputs of several types; rows of any number of columns."""
    nodes = [
        helper.make_node("Mul", ["a", "b"], ["product"]),
        helper.make_node("ReduceSum", ["product"], ["sum"], keepdims=0, noop_with_empty_axes=1),
        helper.make_node("Not", ["flag"], ["flipped"]),
    ]
    ins = [("a", "float32", ("n", "columns")), ("b", "float32", ("n", "columns")), ("flag", "bool", ("n",))]
    outs = [("product", "float32", ("n", "columns")), ("flipped", "bool", ("n",))]
    folder = write_graph(tmp_path_factory.mktemp("named"), nodes, ins, outs)
    return lambda **more: opened(folder, **more)


def test_named_inputs_become_named_outputs_in_runs_of_one_shape(named: OpenModel) -> None:
    model = named()
    sizes = [3, 1, 3, 2, 1]
    rows = [np.arange(size, dtype="float32") for size in sizes]
    batch = records(a=rows, b=rows, flag=np.array([True, False, True, False, True]))
    outputs = [output["outputs"] for output in model.infer(batch)]
    assert [output["product"] for output in outputs] == [[float(n * n) for n in range(size)] for size in sizes]
    assert [output["flipped"] for output in outputs] == [False, True, False, True, False]


def test_the_file_may_choose_outputs(named: OpenModel, digits: OnnxModel, opened: OpenModel, tmp_path: Path) -> None:
    model = named(options={"outputs": ["flipped"]})
    (output,) = model.infer(records(a=np.ones((1, 2), "f4"), b=np.ones((1, 2), "f4"), flag=[np.array(True)]))
    assert output == {"outputs": {"flipped": False}}
    both = opened(write_digits(tmp_path), labels=DIGITS, options={"outputs": ["y"]})
    (output,) = both.infer(records(x=IMAGES[:1]))
    assert output.keys() == {"label", "score", "scores", "outputs"}


# -- never depends on the batch


@given(places=st.lists(st.integers(0, len(IMAGES) - 1), max_size=20))
def test_an_answer_does_not_depend_on_the_batch(digits: OnnxModel, places: list[int]) -> None:
    alone = [digits.infer(records(x=IMAGES[at : at + 1]))[0] for at in places]
    together = digits.infer(records(x=IMAGES[places])) if places else digits.infer(Batch([]))
    for one, other in zip(alone, together, strict=True):
        assert one["label"] == other["label"]
        assert one["scores"] == pytest.approx(other["scores"], abs=1e-5)


@pytest.mark.parametrize("first", [1, "n"])
def test_a_fixed_first_axis_runs_one_by_one(opened: OpenModel, tmp_path: Path, first: str | int) -> None:
    model = opened(write_digits(tmp_path, first=first))
    found = [output["outputs"]["y"] for output in model.infer(records(x=IMAGES))]
    np.testing.assert_allclose(found, expected(IMAGES), atol=1e-6)


def test_a_graph_without_an_axis_for_the_batch_takes_a_record_whole(opened: OpenModel, tmp_path: Path) -> None:
    nodes = [helper.make_node("Transpose", ["grid"], ["turned"])]
    folder = write_graph(tmp_path, nodes, [("grid", "int64", (2, 3))], [("turned", "int64", (3, 2))])
    grids = np.arange(12).reshape(2, 2, 3)
    outputs = opened(folder).infer(records(grid=grids))
    assert [output["outputs"]["turned"] for output in outputs] == [grid.T.tolist() for grid in grids]


def test_records_of_a_run_are_as_many_as_the_file_says(opened: OpenModel, tmp_path: Path) -> None:
    model = opened(write_digits(tmp_path), options={"micro_batch": {"records": 5}})
    sizes: list[int] = []
    graph: Any = model._opened.graph  # type: ignore[union-attr]
    run = graph._session.run
    graph._session = _Counting(run, sizes)
    assert len(model.infer(records(x=IMAGES))) == 12
    assert sizes == [5, 5, 2]


class _Counting:
    """Notes how many rows each run has."""

    def __init__(self, run: Any, sizes: list[int]) -> None:
        self._run, self._sizes = run, sizes

    def run(self, outputs: Any, feeds: Any) -> Any:
        self._sizes.append(len(feeds["x"]))
        return self._run(outputs, feeds)


def test_a_graph_that_mixes_records_is_noticed_and_runs_them_alone(opened: OpenModel, tmp_path: Path) -> None:
    nodes = [
        helper.make_node("ReduceMax", ["x"], ["most"], axes=[0], keepdims=1),
        helper.make_node("Div", ["x", "most"], ["y"]),
    ]
    folder = write_graph(tmp_path, nodes, [("x", "float32", ("n", 2))], [("y", "float32", ("n", 2))])
    outputs = opened(folder).infer(records(x=np.array([[1, 2], [4, 8]], "f4")))
    assert [output["outputs"]["y"] for output in outputs] == [[1, 1], [1, 1]]


# -- what a record may lack


@pytest.mark.provokes("HR329")
@pytest.mark.parametrize(
    ("tensors", "fault"),
    [
        ({}, "brings none of that name where the model takes x float32[28, 28]"),
        ({"x": np.zeros((28, 28))}, "brings float64[28, 28]"),
        ({"x": np.zeros((28, 27), "f4")}, "brings float32[28, 27]"),
        ({"x": np.zeros(784, "f4")}, "brings float32[784]"),
    ],
)
def test_a_record_without_the_input(digits: OnnxModel, tensors: dict[str, Any], fault: str) -> None:
    record = Record(id="7", source=Position("p", 0, 7), tensors=tensors)
    with pytest.raises(InputTensorError) as caught:
        digits.infer(Batch([record]))
    assert fault in caught.value.fault


def test_an_answer_that_is_no_number_names_its_record(opened: OpenModel, tmp_path: Path) -> None:
    nodes = [helper.make_node("Div", ["x", "x"], ["y"])]
    folder = write_graph(tmp_path, nodes, [("x", "float32", ("n", 1))], [("y", "float32", ("n", 1))])
    with pytest.raises(NotANumberError, match="output 'y' for record 1 is not a finite number"):
        opened(folder).infer(records(x=np.array([[1], [0]], "f4")))


def test_a_run_that_fails_says_on_what(opened: OpenModel, tmp_path: Path) -> None:
    nodes = [helper.make_node("Add", ["x", "two"], ["y"])]
    two = helper.make_tensor("two", 1, [2], [1.0, 2.0])
    folder = write_graph(tmp_path, nodes, [("x", "float32", ("n", "any"))], [("y", "float32", ("n", "any"))], [two])
    with pytest.raises(GraphFailedError, match=r"a run of x \[1, 3\]"):
        opened(folder).infer(records(x=np.zeros((1, 3), "f4")))


# -- what is refused before the first record


def refusal(call: Callable[[], Any]) -> HeadraceError:
    with pytest.raises(HeadraceError) as caught:
        call()
    return caught.value


def test_graphs_that_take_or_give_no_numbers(register: Register, tmp_path: Path) -> None:
    same = helper.make_node("Identity", ["x"], ["y"])
    texts = [("x", "text", ("n",))], [("y", "text", ("n",))]
    assert isinstance(refusal(lambda: register(write_graph(tmp_path / "a", [same], *texts))), GraphInputsError)
    some = helper.make_node("Cast", ["x"], ["y"], to=8)
    gives = [("x", "float32", ("n",))], [("y", "text", ("n",))]
    assert isinstance(refusal(lambda: register(write_graph(tmp_path / "b", [some], *gives))), GraphOutputError)


def test_labels_have_to_be_as_many_as_scores(register: Register, tmp_path: Path) -> None:
    error = refusal(lambda: register(write_digits(tmp_path), labels=("odd", "even")))
    assert isinstance(error, GraphOutputError)
    assert "no output has a score for each of the 2 labels" in error.fault
    assert isinstance(refusal(lambda: register(tmp_path, labels=("odd",))), ModelLabelsError)


def test_an_output_that_is_not_one_row_a_record(register: Register, tmp_path: Path) -> None:
    total = helper.make_node("ReduceMax", ["x"], ["y"], axes=[0], keepdims=0)
    folder = write_graph(tmp_path, [total], [("x", "float32", ("n", 3))], [("y", "float32", (3,))])
    error = refusal(lambda: register(folder))
    assert isinstance(error, GraphOutputError)
    assert "has shape [3] for 2 records" in error.fault


@pytest.mark.provokes("HR343")
def test_a_manifest_that_says_otherwise(context: StepContext, register: Register, tmp_path: Path) -> None:
    other = (TensorSpec(name="x", dtype="float32", shape=(784,)),)
    reference = register(write_digits(tmp_path), takes=other).reference
    model = OnnxModel(OnnxOptions(model=reference))
    with pytest.raises(TensorsChangedError, match=r"takes x float32\[28, 28\]; its manifest says x float32\[784\]"):
        model.open(context)


@pytest.mark.provokes("HR342")
def test_outputs_that_are_not_there(context: StepContext, register: Register, tmp_path: Path) -> None:
    reference = register(write_digits(tmp_path)).reference
    with pytest.raises(OutputUnknownError, match="the graph gives no 'z'"):
        OnnxModel(OnnxOptions(model=reference, outputs=("z",))).facts(context)


def test_max_tokens_is_for_texts(context: StepContext, register: Register, tmp_path: Path) -> None:
    reference = register(write_digits(tmp_path)).reference
    with pytest.raises(ModelLengthError, match="takes no text"):
        OnnxModel(OnnxOptions(model=reference, max_tokens=7)).facts(context)


def test_facts_tell_what_a_record_brings(context: StepContext, register: Register, tmp_path: Path) -> None:
    manifest = register(write_digits(tmp_path), labels=DIGITS)
    facts = OnnxModel(OnnxOptions(model=manifest.reference)).facts(context)
    assert list(map(str, facts.inputs)) == ["x float32[28, 28]"]
    assert facts.labels == DIGITS
    assert (manifest.scores, manifest.batch_invariant, manifest.format) == ("probabilities", True, 3)
    assert list(map(str, manifest.gives)) == ["y float32[10]"]


def test_a_manifest_of_tensors_has_no_tokenizer(register: Register, registry: Registry, tmp_path: Path) -> None:
    manifest = register(write_digits(tmp_path))
    path = Path(registry.location) / "numbers" / str(manifest.version) / "manifest.json"
    said = json.loads(path.read_text())
    path.write_text(json.dumps({**said, "tokenizer": said["graph"]}))
    with pytest.raises(ManifestUnreadableError, match="is whole and has no tokenizer"):
        registry.resolve(manifest.reference)


@pytest.fixture(scope="module")
def product(named: OpenModel) -> OnnxModel:
    """The model of named inputs, open."""
    return named()


@given(rows=ROWS)
def test_any_numbers_get_an_answer_or_the_error_that_says_why(product: OnnxModel, rows: list[list[float]]) -> None:
    arrays = [np.array(row, "f4") for row in rows]
    try:
        outputs = product.infer(records(a=arrays, b=arrays, flag=np.ones(len(rows), bool)))
    except NotANumberError:
        assert any(abs(value) > 1e19 for row in rows for value in row), "squares that float32 holds"
        return
    assert [len(output["outputs"]["product"]) for output in outputs] == list(map(len, rows))
