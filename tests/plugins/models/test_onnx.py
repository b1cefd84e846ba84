"""The `onnx` step: answers that depend on the text alone, and errors that come before the first record."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace import Batch, Options, Output, Record, StepContext
from headrace.core.errors import HeadraceError
from headrace.core.registry.errors import (
    HashMismatchError,
    ModelFileMissingError,
    ModelLengthError,
    ModelReferenceError,
    UnknownVersionError,
)
from headrace.core.registry.store import Registry
from headrace.plugins.models.errors import GraphInputsError, GraphOutputError, NotANumberError
from headrace.plugins.models.onnx import MicroBatch, OnnxModel, OnnxOptions
from headrace.plugins.models.onnx_cost import CostTable
from headrace.plugins.models.onnx_whole import Whole
from tests.tiny_model import LABELS, vocabulary, write_model

MakeModel = Callable[..., OnnxModel]
MakeRecord = Callable[..., Record]
Register = Callable[..., str]

TEXTS = st.lists(st.text(st.sampled_from("abgod  .!é\ud800\n"), max_size=90) | st.text(st.characters()), max_size=20)


def infer(model: OnnxModel, texts: Sequence[str]) -> list[Output]:
    from headrace import Position

    records = [Record(id=f"reviews:0:{at}", source=Position("reviews", 0, at), text=t) for at, t in enumerate(texts)]
    return list(model.infer(Batch(records)))


def scores(outputs: Sequence[Output]) -> np.ndarray[Any, Any]:
    return np.array([list(output["scores"].values()) for output in outputs])


def refusal(call: Callable[[], Any]) -> HeadraceError:
    with pytest.raises(HeadraceError) as caught:
        call()
    return caught.value


# -- what a text gets


@pytest.fixture(scope="module")
def plain(opened: MakeModel) -> OnnxModel:
    return opened()


def test_an_output_has_label_score_scores_and_tokens(plain: OnnxModel) -> None:
    (output,) = infer(plain, ["the film was good"])
    assert output.keys() == {"label", "score", "scores", "tokens"}
    assert list(output["scores"]) == list(LABELS)
    assert sum(output["scores"].values()) == pytest.approx(1)
    assert output["score"] == output["scores"][output["label"]] == max(output["scores"].values())
    assert output["tokens"] == 6
    assert all(type(score) is float for score in output["scores"].values())


def test_scores_are_the_softmax_of_a_bare_session(plain: OnnxModel, tmp_path: Path) -> None:
    import onnxruntime
    from tokenizers import Tokenizer

    folder = write_model(tmp_path)
    ids = np.array([Tokenizer.from_file(str(folder / "tokenizer.json")).encode("a bad, bad film!").ids])
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])
    feeds = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
    (logits,) = session.run(["logits"], feeds)
    powers = np.exp(logits[0])
    np.testing.assert_allclose(scores(infer(plain, ["a bad, bad film!"]))[0], powers / powers.sum(), rtol=1e-6)


def test_a_text_that_is_too_long_is_truncated_and_the_result_says_so(plain: OnnxModel) -> None:
    short, exact, long = infer(plain, ["good " * 61, "good " * 62, "good " * 63])
    assert (short["tokens"], exact["tokens"], long["tokens"]) == (63, 64, 64)
    assert "truncated" not in short
    assert "truncated" not in exact
    assert long["truncated"] is True
    assert long["scores"] == pytest.approx(exact["scores"])


def test_max_tokens_can_be_lowered(opened: MakeModel) -> None:
    (output,) = infer(opened(options={"max_tokens": 5}), ["the film was good"])
    assert (output["tokens"], output["truncated"]) == (5, True)


@pytest.mark.parametrize("special", [True, False])
def test_an_empty_text_and_one_of_blanks_get_an_answer(opened: MakeModel, special: bool) -> None:
    empty, blank = infer(opened(special=special), ["", " \n\t "])
    assert empty == blank
    assert empty["tokens"] == (2 if special else 1)
    assert sum(empty["scores"].values()) == pytest.approx(1)


def test_lone_surrogates_do_not_stop_a_batch(plain: OnnxModel) -> None:
    good, cut = infer(plain, ["good", "cut \ud83d"])
    assert good == infer(plain, ["good"])[0]
    assert cut["tokens"] == infer(plain, ["cut \ufffd"])[0]["tokens"]


def test_an_empty_batch_gives_nothing(plain: OnnxModel) -> None:
    assert infer(plain, []) == []


# -- never depends on the batch


@given(texts=TEXTS, cut=st.integers(0, 20))
def test_where_a_batch_is_cut_never_changes_a_result(plain: OnnxModel, texts: list[str], cut: int) -> None:
    whole = infer(plain, texts)
    parts = [*infer(plain, texts[:cut]), *infer(plain, texts[cut:])]
    assert [one["tokens"] for one in whole] == [one["tokens"] for one in parts]
    if texts:
        np.testing.assert_allclose(scores(whole), scores(parts), atol=1e-5, rtol=0)


@given(texts=st.permutations(["", "good", "bad film", "the film was not good", "a " * 70, "b " * 30, "c!", "dd"]))
def test_the_order_of_a_batch_never_changes_a_result(plain: OnnxModel, texts: list[str]) -> None:
    alone = [infer(plain, [text])[0] for text in texts]
    np.testing.assert_allclose(scores(infer(plain, texts)), scores(alone), atol=1e-5, rtol=0)


@settings(max_examples=20)
@given(texts=TEXTS.filter(bool), records=st.integers(1, 9), tokens=st.integers(1, 300))
def test_the_size_of_micro_batches_never_changes_a_result(
    plain: OnnxModel, context: StepContext, texts: list[str], records: int, tokens: int
) -> None:
    other = OnnxModel(OnnxOptions(model=plain._options.model, micro_batch=MicroBatch(records=records, tokens=tokens)))
    other.open(context)
    np.testing.assert_allclose(scores(infer(other, texts)), scores(infer(plain, texts)), atol=1e-5, rtol=0)


def test_measured_runs_change_no_result_and_texts_share_them_only_where_that_is_quicker(
    opened: MakeModel, caplog: pytest.LogCaptureFixture
) -> None:
    model = opened()
    texts = [f"good {word * count}" for count in (1, 3, 9) for word in ("film ", "bad ", "x ")]
    before = infer(model, texts)
    with caplog.at_level("INFO"):
        model.warm_up()
    assert "kinds of runs measured" in caplog.text
    for now, then in zip(infer(model, texts), before, strict=True):
        assert now["label"] == then["label"]
        assert now["scores"] == pytest.approx(then["scores"], abs=1e-5, rel=0)
    assert isinstance(model._opened, Whole)
    model._opened.costs = CostTable({(1, 8): 1.0, (4, 8): 9.0})
    assert [len(places) for places, _ in model.feeds(texts)] == [1] * 9
    model._opened.costs = CostTable({(1, 8): 1.0, (4, 8): 1.0})
    assert max(len(places) for places, _ in model.feeds(texts)) >= 4


@pytest.mark.parametrize(
    "kinks",
    [{"inputs": ["input_ids"]}, {"facts": {"batch_invariant": False}}],
    ids=["a graph without attention_mask", "a manifest that says so"],
)
def test_texts_run_alone_where_sharing_a_run_would_change_them(opened: MakeModel, kinks: dict[str, Any]) -> None:
    model = opened(**kinks)
    texts = ["good", "the film was not good at all", "", "bad"]
    assert infer(model, texts) == [infer(model, [text])[0] for text in texts]


# -- graphs as they come


@pytest.mark.parametrize(
    "kinks",
    [
        {"inputs": ["input_ids", "attention_mask"]},
        {"inputs": ["attention_mask", "token_type_ids", "input_ids"]},
        {"output": "probabilities_of_sorts"},
        {"first": "hidden"},
        {"integer": 6},
        {"types": True},
    ],
    ids=["no token types", "other order", "another name", "logits second", "int32", "token types of its own"],
)
def test_graphs_of_many_exporters_answer(opened: MakeModel, kinks: dict[str, Any]) -> None:
    together = infer(opened(**kinks), ["good", "the film was bad"])
    assert [output["tokens"] for output in together] == [3, 6]


def test_token_types_of_the_tokenizer_reach_the_graph(opened: MakeModel) -> None:
    plain, typed = opened(), opened(types=True)
    assert scores(infer(plain, ["good"])) != pytest.approx(scores(infer(typed, ["good"])))
    np.testing.assert_allclose(
        scores(infer(typed, ["good", "a bad film"]))[0], scores(infer(typed, ["good"]))[0], atol=1e-5
    )


def test_a_single_logit_is_that_of_the_second_label(opened: MakeModel) -> None:
    output = infer(opened(logits=1), ["good"])[0]
    assert list(output["scores"]) == list(LABELS)
    assert sum(output["scores"].values()) == pytest.approx(1)
    assert output["label"] in LABELS


# -- answers that are none


@pytest.mark.provokes("HR325")
def test_scores_that_are_not_numbers_are_an_error_that_names_the_record(opened: MakeModel) -> None:
    model = opened(nan="broken")
    infer(model, ["good", "bad"])
    error = refusal(lambda: infer(model, ["good", "a broken film", "bad"]))
    assert isinstance(error, NotANumberError)
    assert "reviews:0:1" in error.fault


@pytest.mark.provokes("HR323")
def test_a_graph_that_never_answers_in_numbers_stops_the_worker(opened: MakeModel) -> None:
    error = refusal(lambda: opened(nan="a"))
    assert isinstance(error, GraphOutputError)
    assert "not numbers" in error.fault


@pytest.mark.provokes("HR323")
@pytest.mark.parametrize(
    ("kinks", "fault"),
    [
        ({"logits": 3}, "the graph gives 3 logits, and there are 2 labels: negative, positive"),
        ({"logits": 1, "facts": {"labels": ("a", "b", "c")}}, "the graph gives 1 logits, and there are 3 labels"),
        ({"rank": 3}, "its output 'logits' has shape"),
    ],
)
def test_an_output_that_is_not_one_logit_a_label_stops_the_worker(
    opened: MakeModel, kinks: dict[str, Any], fault: str
) -> None:
    error = refusal(lambda: opened(**kinks))
    assert isinstance(error, GraphOutputError)
    assert fault in error.fault


@pytest.mark.provokes("HR322")
@pytest.mark.parametrize(
    ("kinks", "fault"),
    [
        ({"shape": [1, "tokens"]}, "fixed shape [1, 'tokens']"),
        ({"shape": ["texts", 128]}, "fixed shape ['texts', 128]"),
    ],
)
def test_inputs_of_a_fixed_shape_stop_the_worker(opened: MakeModel, kinks: dict[str, Any], fault: str) -> None:
    error = refusal(lambda: opened(**kinks))
    assert isinstance(error, GraphInputsError)
    assert fault in error.fault


def test_an_error_of_the_graph_begins_with_the_model(opened: MakeModel) -> None:
    assert refusal(lambda: opened(logits=3)).fault.startswith("tiny-")


# -- what is known without loading it


def test_the_facts_are_those_of_the_manifest_and_nothing_is_loaded(
    registry: Registry, register: Register, context: StepContext
) -> None:
    manifest = registry.resolve(register())
    facts = OnnxModel(OnnxOptions(model=manifest.reference)).facts(context)
    assert (facts.version, facts.labels, facts.hash) == (manifest.reference, LABELS, manifest.hash)
    assert facts.size_bytes == manifest.size_bytes > 1000


def test_checking_a_model_imports_no_library_that_runs_one(register: Register, context: StepContext) -> None:
    code = (
        "import sys; from headrace import StepContext; from headrace.plugins.models.onnx import OnnxModel, OnnxOptions;"
        f"OnnxModel(OnnxOptions(model={register()!r})).facts(StepContext('p', 'e', {context.registry!r}));"
        "print([n for n in ('numpy', 'onnxruntime', 'tokenizers', 'transformers', 'fsspec') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.provokes("HR301")
def test_a_bare_name_is_refused_by_check(register: Register, context: StepContext) -> None:
    name = register().partition("@")[0]
    error = refusal(lambda: OnnxModel(OnnxOptions(model=name)).facts(context))
    assert isinstance(error, ModelReferenceError)
    assert f"write {name}@1" in error.mend


@pytest.mark.provokes("HR312")
def test_more_tokens_than_the_model_takes_are_refused_by_check(register: Register, context: StepContext) -> None:
    error = refusal(lambda: OnnxModel(OnnxOptions(model=register(), max_tokens=65)).facts(context))
    assert isinstance(error, ModelLengthError)
    assert error.mend == "lower max_tokens to 64, or leave it away"


@pytest.mark.provokes("HR312")
def test_fewer_tokens_than_the_special_ones_are_refused(opened: MakeModel) -> None:
    assert isinstance(refusal(lambda: opened(options={"max_tokens": 2})), ModelLengthError)


@pytest.mark.provokes("HR305")
def test_a_missing_file_is_found_by_check(register: Register, context: StepContext) -> None:
    reference = register()
    (Path(context.registry) / reference.replace("@", "/") / "tokenizer.json").unlink()
    model = OnnxModel(OnnxOptions(model=reference))
    assert isinstance(refusal(lambda: model.facts(context)), ModelFileMissingError)
    assert isinstance(refusal(lambda: model.open(context)), ModelFileMissingError)


@pytest.mark.provokes("HR306")
def test_a_changed_file_is_found_when_the_worker_starts(register: Register, context: StepContext) -> None:
    reference = register()
    path = Path(context.registry) / reference.replace("@", "/") / "tokenizer.json"
    path.write_bytes(path.read_bytes().replace(b"good", b"gold"))
    model = OnnxModel(OnnxOptions(model=reference))
    model.facts(context)
    assert isinstance(refusal(lambda: model.open(context)), HashMismatchError)


@pytest.mark.provokes("HR303")
def test_a_version_that_is_gone_is_refused_when_the_worker_starts(register: Register, context: StepContext) -> None:
    name = register().partition("@")[0]
    model = OnnxModel(OnnxOptions(model=f"{name}@2"))
    assert isinstance(refusal(lambda: model.open(context)), UnknownVersionError)


# -- a remote registry, and life


def test_a_model_of_a_remote_registry_answers_like_a_local_one(
    plain: OnnxModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from headrace.core.registry.folder import read_folder

    monkeypatch.setenv("HEADRACE_CACHE", str(tmp_path / "cache"))
    location = f"memory://{tmp_path}"
    reference = Registry(location).add(read_folder(write_model(tmp_path / "model")), "reviews", alias="prod").reference
    model = OnnxModel(OnnxOptions(model="reviews@prod"))
    context = StepContext(pipeline="p", name="e", registry=location)
    assert model.facts(context).version == reference
    model.open(context)
    assert infer(model, ["good"]) == infer(plain, ["good"])
    assert len(list((tmp_path / "cache" / "models").iterdir())) == 1


def test_a_closed_model_can_be_closed_again_and_does_not_answer(opened: MakeModel) -> None:
    model = opened()
    assert model.inputs == ("input_ids", "attention_mask", "token_type_ids")
    model.close()
    model.close()
    assert not model.inputs
    with pytest.raises(RuntimeError, match="before open"):
        infer(model, ["good"])


def test_several_threads_get_the_answers_of_one(plain: OnnxModel) -> None:
    from concurrent.futures import ThreadPoolExecutor

    texts = [" ".join([word] * count) for word in list(vocabulary())[4:12] for count in (1, 5, 30)]
    expected = scores(infer(plain, texts))
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _: infer(plain, texts), range(12)):
            np.testing.assert_allclose(scores(found), expected, atol=1e-6)


def test_a_worker_that_opens_and_answers_prints_nothing(register: Register, context: StepContext) -> None:
    code = (
        "import os; from headrace import Batch, Position, Record, StepContext;"
        "from headrace.plugins.models.onnx import OnnxModel, OnnxOptions;"
        f"model = OnnxModel(OnnxOptions(model={register()!r}));"
        f"model.open(StepContext('p', 'e', {context.registry!r}));"
        "model.infer(Batch([Record(id='1', source=Position('t', 0, 1), text='good')]));"
        "pid = os.fork(); (os._exit(0) if not pid else os.waitpid(pid, 0));"
        "assert os.environ['TOKENIZERS_PARALLELISM'] == 'false'"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout + done.stderr == ""


def test_a_setting_of_the_user_stands(opened: MakeModel, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "true")
    opened()
    assert os.environ["TOKENIZERS_PARALLELISM"] == "true"


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"model": "a@1", "threads": 0},
        {"model": "a@1", "micro_batch": {"records": 0}},
        {"model": "a@1", "micro_batch": {"rows": 8}},
        {"model": "a@1", "providers": []},
        {"model": "a@1", "max_tokens": 0},
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any]) -> None:
    from pydantic import ValidationError

    assert issubclass(OnnxOptions, Options)
    with pytest.raises(ValidationError):
        OnnxOptions.model_validate(options)
