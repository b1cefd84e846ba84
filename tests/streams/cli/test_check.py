"""`headrace check`: everything wrong with a file, a line each."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Headrace = Callable[..., Any]


def test_a_right_file_is_ok_in_one_line(headrace: Headrace, pipeline_file: Path) -> None:
    outcome = headrace("check", pipeline_file)
    assert outcome.code == 0
    assert outcome.out.startswith(f"{pipeline_file}: ok (pipeline reviews: 2 models, 2 outputs; plan ")
    assert len(outcome.out.splitlines()) == 1
    assert outcome.err == ""


def test_every_problem_of_every_file_is_a_line_on_stderr(headrace: Headrace, pipeline_file: Path) -> None:
    wrong = pipeline_file.with_name("wrong.yaml")
    wrong.write_text(pipeline_file.read_text().replace("lexicon\n", "lexikon\n").replace("unit:", "unti:"))
    outcome = headrace("check", wrong, pipeline_file, wrong.with_name("none.yaml"))
    assert outcome.code == 1
    problems = outcome.err.splitlines()
    assert problems[0].startswith(f"{wrong}:3:37 HR104 unknown key 'unti' in input; did you mean 'unit'?")
    assert problems[1].startswith(f"{wrong}:6:10 HR108 no model step named 'lexikon'; did you mean 'lexicon'?")
    assert problems[2].startswith("HR103 cannot read ")
    assert len(problems) == 3
    assert outcome.out.startswith(f"{pipeline_file}: ok ")


def test_a_program_gets_the_same_as_json(headrace: Headrace, pipeline_file: Path) -> None:
    wrong = pipeline_file.with_name("wrong.yaml")
    wrong.write_text(pipeline_file.read_text().replace("lexicon\n", "lexikon\n"))
    outcome = headrace("check", "--json", pipeline_file, wrong)
    assert (outcome.code, outcome.err) == (1, "")
    facts = json.loads(outcome.out)
    right, bad = facts["files"]
    assert (facts["ok"], right["ok"], bad["ok"]) == (False, True, False)
    assert (right["pipeline"], right["models"]) == ("reviews", ["quick", "slow"])
    assert right["outputs"] == ["reviews.scored", "reviews.alerts"]
    assert bad["problems"] == [
        {
            "code": "HR108",
            "fault": "no model step named 'lexikon'",
            "mend": "did you mean 'lexicon'?",
            "line": 6,
            "column": 10,
        }
    ]


def test_what_a_file_says_never_acts_on_the_terminal(headrace: Headrace, pipeline_file: Path) -> None:
    text = pipeline_file.read_text().replace("quick:", '"\\e[31mred\\u202e":')
    pipeline_file.write_text(text)
    outcome = headrace("check", pipeline_file)
    assert outcome.code == 1
    assert "models.\\x1b[31mred\\u202e: " in outcome.err
    assert all(char.isprintable() or char == "\n" for char in outcome.err)


def test_without_a_file_the_usage_is_said(headrace: Headrace) -> None:
    outcome = headrace("check")
    assert (outcome.code, "Missing argument 'FILE...'" in outcome.err) == (2, True)


@pytest.mark.parametrize("command", ["check", "plan"])
def test_no_heavy_library_is_imported(command: str, pipeline_file: Path) -> None:
    """Guards the start-up time; passes for nothing if the child fails early, so its exit code is asserted first."""
    program = (
        "import sys\n"
        "from headrace.streams.cli.main import main\n"
        "try:\n    main(sys.argv[1:])\n"
        "except SystemExit as end:\n    assert not end.code, end.code\n"
        "heavy = {'torch', 'onnxruntime', 'transformers', 'tokenizers', 'aiokafka', 'faust', 'numpy', 'rich'}\n"
        "loaded = heavy & set(sys.modules)\n"
        "assert not loaded, loaded\n"
    )
    subprocess.run([sys.executable, "-c", program, command, str(pipeline_file)], check=True, timeout=60)


RULES = """\
{rules: {rules: [
  {when: true, model: qick},
  {when: 'siez(text) > 3', model: slow}, {when: 'txt', model: slow}], otherwise: quick}}
"""


def test_what_is_wrong_with_a_rule_is_said_where_the_rule_stands(headrace: Headrace, pipeline_file: Path) -> None:
    def problems(old: str, new: str) -> list[str]:
        pipeline_file.write_text(pipeline_file.read_text().replace(old, new))
        lines: list[str] = headrace("check", pipeline_file).err.splitlines()
        return [line.removeprefix(f"{pipeline_file}:") for line in lines]

    (number,) = problems("{cascade: {order: [quick, slow], accept: 0.9}}\n", RULES)
    assert number.startswith("9:10 HR106 route.rules.rules[0].when: True is not allowed; write text")
    typo, stranger = problems("true", '"true"')
    assert typo.startswith("10:10 HR110 'siez(text) > 3' calls siez(), which CEL does not have here; did you mean")
    assert stranger.startswith("10:49 HR110 'txt' names 'txt', which no record has; did you mean 'text'?")
    assert len(problems("siez", "size")) == 1
    (model,) = problems("'txt'", "'true'")
    assert model.startswith("9:25 HR111 the route names model 'qick', which the file does not have")
