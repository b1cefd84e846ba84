"""`headrace model shard` and `verify`: from a whole model to parts, and the proof that they are its parts."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from onnx import load, numpy_helper, save

from headrace.core.registry.digest import describe_file
from headrace.streams.cli.main import main
from tests.tiny_model import write_model

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def model(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Command:
    """Run `headrace model` with these words; `reviews@1` is registered, with alias prod."""

    def run(*words: str | Path) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(["model", *map(str, words)])
        caught = capsys.readouterr()
        return int(ended.value.code or 0), caught.out, caught.err

    assert run("import", "reviews", write_model(tmp_path / "tiny", layers=4, skip=True), "--alias", "prod")[0] == 0
    return run


def folder(version: int) -> Path:
    return Path(os.environ["HEADRACE_HOME"], "registry/reviews", str(version))


def test_a_model_is_cut_and_its_parts_and_what_travels_are_shown(model: Command) -> None:
    code, out, err = model("shard", "reviews@prod", "--parts", "3", "--alias", "prod")
    assert code == 0, err
    lines = out.splitlines()
    assert lines[0].startswith("registered reviews@2 (reviews@prod) in ")
    assert lines[0].endswith(": reviews@1 in 3 parts")
    assert lines[3].split() == ["PART", "FILE", "SIZE", "SHARE", "OF", "TIME", "SENDS"]
    assert [line.split()[:2] for line in lines[4:7]] == [[str(at), f"part-{at}.onnx"] for at in (1, 2, 3)]
    assert lines[6].endswith("the answer")
    assert any(line.startswith("1 ") and "attention_mask" in line and "handed on" in line for line in lines[9:])
    assert "comparing the parts with the whole" in err
    assert "parts " in model("show", "reviews@prod")[1]
    assert "reviews@2" in model("list")[1]


def test_programs_get_the_parts_as_json(model: Command) -> None:
    facts = json.loads(model("shard", "reviews@1", "--by", "size", "--json")[1])
    assert (facts["reference"], len(facts["parts"])) == ("reviews@2", 2)
    assert facts["lineage"]["cut"] == "2 parts by size"
    assert facts["parts"][0]["size_bytes"] == (folder(2) / "part-1.onnx").stat().st_size
    assert facts["parts"][0]["bytes_per_record"] > facts["parts"][1]["bytes_per_record"] == 0
    assert facts["parts"][0]["outputs"][0]["shape"][0] == "batch"


def test_parts_are_verified_with_own_texts_and_given_ones(model: Command, tmp_path: Path) -> None:
    model("shard", "reviews@1")
    code, out, _ = model("verify", "reviews@2")
    assert (code, out.partition(":")[0]) == (0, "reviews@2 answers as reviews@1")
    (tmp_path / "texts.jsonl").write_text('{"a": "good"}\n{"a": "bad"}\n')
    words = ["verify", "reviews@2", tmp_path / "texts.jsonl", "--text", "a", "--against", "reviews@prod", "--fp16"]
    facts = json.loads(model(*words, "--json")[1])
    assert (facts["equal"], facts["texts"], facts["against"]) == (True, 2, "reviews@1")
    assert facts["largest_difference"] <= facts["tolerance"] == 1e-5
    assert (facts["first_boundary"], facts["fp16"]["labels_changed"]) == (None, 0)
    assert "half precision between the parts: scores within" in model(*words)[1]


@pytest.mark.provokes("HR335")
def test_parts_that_differ_end_with_1_and_name_the_tensor(model: Command) -> None:
    model("shard", "reviews@1")
    spoil(folder(2), "table")
    code, out, err = model("verify", "reviews@2")
    assert (code, out) == (1, "")
    assert err.startswith("HR335 the parts of reviews@2 differ from the whole by up to ")
    assert "; the first tensor that differs is '" in err
    code, out, err = model("verify", "reviews@2", "--json")
    assert (code, json.loads(out)["equal"], json.loads(out)["first_boundary"]["part"]) == (1, False, 1)


@pytest.mark.provokes("HR334")
def test_a_whole_model_has_no_parts_to_verify(model: Command) -> None:
    code, _, err = model("verify", "reviews@1")
    assert code == 1
    assert (
        err == "HR334 reviews@1 is whole; there are no parts to compare; cut it first: headrace model shard reviews@1\n"
    )


@pytest.mark.provokes("HR333")
def test_parts_are_not_compared_with_parts(model: Command) -> None:
    model("shard", "reviews@1")
    assert model("verify", "reviews@2", "--against", "reviews@2")[2].startswith("HR333 ")
    assert model("shard", "reviews@2")[2] == "HR333 reviews@2 has 2 parts already; use reviews@1\n"


@pytest.mark.provokes("HR308")
def test_an_alias_that_cannot_be_is_refused_before_the_cutting(model: Command) -> None:
    assert model("shard", "reviews@1", "--alias", "v2")[2].startswith("HR308 ")


@pytest.mark.parametrize("words", [("shard",), ("shard", "reviews@1", "--parts", "1"), ("verify",)])
def test_wrong_usage_ends_with_2(model: Command, words: tuple[str, ...]) -> None:
    assert model(*words)[0] == 2


def spoil(folder: Path, weight: str) -> None:
    """Change a weight in every part that has it, and have the manifest agree."""
    manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
    for path in folder.glob("*.onnx"):
        graph = load(path)
        for tensor in graph.graph.initializer:
            if tensor.name == weight:
                tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) * 1.1, weight))
        save(graph, path)
        manifest["files"][path.name] = describe_file(path).model_dump()
    (folder / "manifest.json").write_text(json.dumps(manifest))
