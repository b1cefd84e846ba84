"""`headrace model`: what a newcomer types, and what comes back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from headrace.streams.cli.main import main
from tests.tensor_model import DIGITS, write_digits
from tests.tiny_model import write_model

Command = Callable[..., "Answer"]


class Answer:
    """What a command printed, and how it ended."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def model(capsys: pytest.CaptureFixture[str]) -> Command:
    """Run `headrace model` with these words."""

    def run(*words: str | Path) -> Answer:
        with pytest.raises(SystemExit) as ended:
            main(["model", *map(str, words)])
        caught = capsys.readouterr()
        return Answer(int(ended.value.code or 0), caught.out, caught.err)

    return run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_model(tmp_path / "tiny")


def home() -> str:
    return os.environ["HEADRACE_HOME"]


# -- import


def test_a_folder_of_hugging_face_is_registered_with_one_line(model: Command, folder: Path) -> None:
    answer = model("import", "reviews", folder, "--alias", "prod")
    assert answer.code == 0, answer.err
    expected = f"registered reviews@1 (reviews@prod) in {home()}/registry: labels negative, positive; up to 64 tokens;"
    assert answer.out.startswith(expected)
    assert answer.err == ""
    assert (Path(home()) / "registry/reviews/1/manifest.json").exists()


def test_options_say_what_the_files_do_not(model: Command, tmp_path: Path) -> None:
    folder = write_model(tmp_path / "bare", config={})
    options = ["--label", "no", "--label", "yes", "--max-tokens", "32", "--version", "7", "--json"]
    facts = model("import", "reviews", folder, *options).json
    assert (facts["reference"], facts["labels"], facts["max_tokens"]) == ("reviews@7", ["no", "yes"], 32)
    assert facts["inputs"] == ["input_ids", "attention_mask", "token_type_ids"]
    assert facts["aliases"] == []


def test_the_registry_can_be_named(model: Command, folder: Path, tmp_path: Path) -> None:
    assert model("import", "reviews", folder, "--registry", tmp_path / "other").code == 0
    assert model("list", "--registry", tmp_path / "other", "--json").json[0]["registry"] == str(tmp_path / "other")
    assert model("list", "--json").json == []


def test_a_model_that_depends_on_batch_mates_is_registered_with_a_word_on_it(model: Command, folder: Path) -> None:
    from onnxruntime.quantization import quantize_dynamic

    (folder / "model.onnx").rename(folder / "whole.onnx")
    quantize_dynamic(folder / "whole.onnx", folder / "model.onnx")
    answer = model("import", "reviews", folder)
    assert answer.code == 0
    assert "each text will run alone" in answer.err
    assert "each text alone" in model("show", "reviews@1").out


def test_a_graph_of_numbers_needs_no_tokenizer(model: Command, tmp_path: Path) -> None:
    labels = [word for label in DIGITS for word in ("--label", label)]
    answer = model(
        "import", "digits", write_digits(tmp_path / "digits"), "--task", "tensor", "--alias", "prod", *labels
    )
    assert answer.code == 0, answer.err
    said = "takes x float32[28, 28]; gives y float32[10]; labels zero, one, two, three and 6 more from probabilities; "
    assert said in answer.out
    shown = model("show", "digits@prod").out
    for words in ("task      tensor", "takes     x float32[28, 28]", "gives     y float32[10]", "records together"):
        assert words in shown
    assert "digits@1  prod     zero" in model("list").out
    facts = model("show", "digits@1", "--json").json
    assert facts["takes"] == [{"name": "x", "dtype": "float32", "shape": [28, 28]}]
    assert (facts["tokenizer"], facts["max_tokens"], facts["format"]) == (None, 0, 3)


def test_a_graph_of_numbers_has_no_tokenizer_and_the_error_says_how_to_import_it(
    model: Command, tmp_path: Path
) -> None:
    answer = model("import", "digits", write_digits(tmp_path / "digits"))
    assert answer.err.startswith("HR310 ")
    assert "--task tensor" in answer.err


def test_scores_may_be_said(model: Command, tmp_path: Path) -> None:
    labels = [word for label in DIGITS for word in ("--label", label)]
    words = ["import", "digits", write_digits(tmp_path / "digits"), "--task", "tensor", *labels, "--json"]
    assert model(*words, "--scores", "logits").json["scores"] == "logits"
    assert model(*words).json["scores"] == "probabilities"


@pytest.mark.parametrize(
    "words",
    [("--task", "tensor", "--max-tokens", "7"), ("--task", "tensor", "--scores", "logits"), ("--scores", "logits")],
)
def test_options_of_the_other_task_are_wrong_usage(model: Command, tmp_path: Path, words: tuple[str, ...]) -> None:
    assert model("import", "digits", write_digits(tmp_path / "digits"), *words).code == 2


@pytest.mark.provokes("HR344")
def test_a_model_of_numbers_is_not_cut(model: Command, tmp_path: Path) -> None:
    model("import", "digits", write_digits(tmp_path / "digits"), "--task", "tensor")
    answer = model("shard", "digits@1", "--parts", "2")
    assert (answer.code, answer.err) == (1, "HR344 digits@1 takes numbers, and is not cut; run it whole\n")


@pytest.mark.provokes("HR311")
def test_unknown_labels_are_asked_for(model: Command, tmp_path: Path) -> None:
    answer = model("import", "reviews", write_model(tmp_path / "bare", config={"max_position_embeddings": 64}))
    assert answer.code == 1
    assert answer.err == (
        "HR311 the model has no labels: config.json has no id2label; "
        "give them in order: --label negative --label positive\n"
    )


@pytest.mark.provokes("HR312")
def test_an_unknown_length_is_asked_for(model: Command, tmp_path: Path) -> None:
    answer = model("import", "reviews", write_model(tmp_path / "bare", config={}), "--label", "a", "--label", "b")
    assert answer.err.startswith("HR312 ")
    assert "--max-tokens 512" in answer.err


@pytest.mark.provokes("HR323")
def test_a_model_that_does_not_answer_is_not_registered(model: Command, tmp_path: Path) -> None:
    answer = model("import", "reviews", write_model(tmp_path / "three", logits=3))
    assert answer.code == 1
    assert answer.err.startswith("HR323 reviews@1: the graph gives 3 logits")
    assert model("list", "--json").json == []


@pytest.mark.provokes("HR307")
def test_a_version_is_never_replaced(model: Command, folder: Path) -> None:
    model("import", "reviews", folder)
    answer = model("import", "reviews", folder, "--version", "1")
    assert answer.code == 1
    assert answer.err == "HR307 reviews@1 exists; leave --version away to make it reviews@2\n"


@pytest.mark.provokes("HR308")
@pytest.mark.parametrize("words", [("Reviews",), ("reviews", "--alias", "v2"), ("../x",)])
def test_names_that_cannot_be_are_refused_before_the_model_is_tried(
    model: Command, tmp_path: Path, words: tuple[str, ...]
) -> None:
    answer = model("import", words[0], tmp_path / "not there", *words[1:])
    assert (answer.code, answer.err[:5]) == (1, "HR308")


@pytest.mark.provokes("HR310")
def test_a_folder_that_is_not_there_is_told(model: Command, tmp_path: Path) -> None:
    answer = model("import", "reviews", tmp_path / "none")
    assert (answer.code, answer.err[:5]) == (1, "HR310")


@pytest.mark.parametrize("words", [(), ("reviews",), ("reviews", "folder", "--version", "0"), ("a", "b", "--wrong")])
def test_wrong_usage_ends_with_2(model: Command, words: tuple[str, ...]) -> None:
    assert model("import", *words).code == 2


# -- list and show


def test_an_empty_registry_says_how_to_fill_it(model: Command) -> None:
    answer = model("list")
    assert (answer.code, answer.out) == (0, "")
    assert "headrace model import NAME FOLDER" in answer.err


def test_versions_are_listed_in_columns(model: Command, folder: Path) -> None:
    model("import", "reviews", folder, "--alias", "prod")
    model("import", "reviews", folder)
    heading, first, second = model("list").out.splitlines()
    assert heading.split() == ["MODEL", "ALIASES", "LABELS", "TOKENS", "SIZE", "CREATED"]
    assert first.split()[:5] == ["reviews@1", "prod", "negative,", "positive", "64"]
    assert second.split()[:2] == ["reviews@2", "-"]
    assert heading.index("LABELS") == first.index("negative") == second.index("negative")


def test_many_labels_do_not_fill_the_screen(model: Command, tmp_path: Path) -> None:
    labels = {str(at): f"label-{at}" for at in range(77)}
    folder = write_model(tmp_path / "many", logits=77, config={"id2label": labels, "max_position_embeddings": 64})
    model("import", "many", folder)
    assert "label-3 and 73 more" in model("list").out


@pytest.mark.provokes("HR304")
def test_a_damaged_version_is_listed_as_such(model: Command, folder: Path) -> None:
    model("import", "reviews", folder)
    (Path(home()) / "registry/reviews/1/manifest.json").write_text("{")
    listed = model("list")
    assert listed.out.splitlines()[1].split()[:3] == ["reviews@1", "-", "damaged"]
    assert listed.err.startswith("HR304 ")
    assert "HR304" in model("list", "--json").json[0]["problem"]
    assert model("show", "reviews@1").err.startswith("HR304 ")


def test_a_version_is_shown_by_alias(model: Command, folder: Path) -> None:
    model("import", "reviews", folder, "--alias", "prod")
    out = model("show", "reviews@prod").out
    assert "reviews@1, reviews@prod" in out
    assert "--verify reads them" in out
    assert "BertForSequenceClassification" in out
    facts = model("show", "reviews@prod", "--verify", "--json").json
    assert (facts["reference"], facts["aliases"], facts["verified"]) == ("reviews@1", ["prod"], True)


@pytest.mark.provokes("HR306")
def test_verify_reads_every_byte(model: Command, folder: Path) -> None:
    model("import", "reviews", folder)
    path = Path(home()) / "registry/reviews/1/tokenizer.json"
    path.write_bytes(path.read_bytes().replace(b"good", b"gold"))
    assert model("show", "reviews@1").code == 0
    answer = model("show", "reviews@1", "--verify")
    assert (answer.code, answer.out) == (1, "")
    assert answer.err.startswith("HR306 reviews@1: tokenizer.json has sha256 ")


@pytest.mark.provokes("HR301")
def test_a_bare_name_lists_what_there_is(model: Command, folder: Path) -> None:
    model("import", "reviews", folder, "--alias", "prod")
    answer = model("show", "reviews")
    assert answer.code == 1
    assert answer.err == "HR301 'reviews' names no version; write reviews@1; versions: 1; aliases: prod\n"


def test_a_strangers_manifest_cannot_write_on_the_terminal(model: Command, folder: Path) -> None:
    model("import", "reviews", folder)
    path = Path(home()) / "registry/reviews/1/manifest.json"
    facts = json.loads(path.read_text())
    facts["labels"][0], facts["lineage"]["folder"] = "\x1b[31mred", "\x1b]0;title\x07"
    path.write_text(json.dumps(facts))
    assert "\x1b" not in model("list").out + model("show", "reviews@1").out


def test_help_needs_no_heavy_library() -> None:
    code = (
        "import sys; from headrace.streams.cli.main import main\n"
        "try: main(['model', 'import', '--help'])\n"
        "finally: print([n for n in ('numpy', 'onnxruntime', 'pydantic', 'fsspec', 'rich') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.endswith("[]\n"), done.stdout + done.stderr
