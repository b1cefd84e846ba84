"""CEL expressions over results."""

from __future__ import annotations

import subprocess
import sys

import pytest

from headrace.core.config.expression import FUNCTIONS, compile_expression
from headrace.core.errors import HeadraceError, Place
from headrace.core.wire.errors import WhenFailedError

KNOWN = ("output", "status", "tags")
PLACE = Place("p.yaml", 3, 9)


def refusal(source: str) -> str:
    with pytest.raises(HeadraceError) as caught:
        compile_expression(source, PLACE, KNOWN)
    return str(caught.value)


@pytest.mark.parametrize(
    ("source", "holds"),
    [
        ("output.label == 'negative'", True),
        ("output.score > 0.9", False),
        ("has(output.label) && output.label.startsWith('neg')", True),
        ("['a', 'b'].exists(x, x == tags.half)", True),
        ("output.scores.all(name, output.scores[name] >= 0.0)", True),
        ("size(tags) == 0 || status in ['ok']", True),
    ],
)
def test_an_expression_says_yes_or_no(source: str, holds: bool) -> None:
    fields = {
        "output": {"label": "negative", "score": 0.8, "scores": {"negative": 0.8}},
        "status": "ok",
        "tags": {"half": "b"},
    }
    assert compile_expression(source, PLACE, KNOWN).holds(fields) is holds


def test_an_expression_knows_which_fields_it_speaks_of() -> None:
    expression = compile_expression("status == 'filtered' || tags.exists(t, t == 'x')", PLACE, KNOWN)
    assert expression.names == {"status", "tags"}


@pytest.mark.provokes("HR110")
@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("output.label =", "p.yaml:3:9 HR110 'output.label =' is not CEL: 1:14: Syntax error: token recognition error"),
        ("", "p.yaml:3:9 HR110 '' is not CEL: 1:1: Syntax error: mismatched input '<EOF>'"),
        ("outptu.score > 1", "p.yaml:3:9 HR110 'outptu.score > 1' names 'outptu', which no result has; did you mean"),
        ("siez(output) > 1", "p.yaml:3:9 HR110 'siez(output) > 1' calls siez(), which CEL does not have here; did you"),
        ("(" * 3000, "p.yaml:3:9 HR110 '((("),
    ],
)
def test_what_cannot_work_is_refused_before_any_record(source: str, line: str) -> None:
    message = refusal(source)
    assert message.startswith(line)
    assert len(message) < 400
    assert "\n" not in message


@pytest.mark.provokes("HR508")
@pytest.mark.parametrize("source", ["output.score > 0.9", "output.label > 5", "output.label"])
def test_an_expression_that_does_not_fit_a_result_fails_for_that_result(source: str) -> None:
    with pytest.raises(WhenFailedError) as caught:
        compile_expression(source, PLACE, KNOWN).holds({"output": {"label": "negative"}})
    assert caught.value.mend


def test_a_lone_surrogate_somewhere_in_the_fields_spoils_no_answer() -> None:
    expression = compile_expression("output.label == 'good' && tags.cut == 'a\ufffd'", PLACE, KNOWN)
    assert expression.holds({"output": {"label": "good", "texts": ["\ud83d"]}, "tags": {"cut": "a\ud83d"}, "status": 1})


def test_a_refusal_says_what_it_is_that_has_no_such_name() -> None:
    with pytest.raises(HeadraceError, match="which no record has"):
        compile_expression("outputt == 1", PLACE, KNOWN, about="record")


@pytest.mark.parametrize("name", sorted(FUNCTIONS - {"has"}))
def test_every_function_we_let_pass_is_one_that_cel_has(name: str) -> None:
    import cel

    calls = ("{}('1')", "'1'.{}('1')", "timestamp('2026-11-23T20:00:00Z').{}()")
    faults = []
    for call in calls:
        try:
            cel.compile(call.format(name)).execute({})
        except (TypeError, ValueError, RuntimeError) as error:
            faults.append(str(error))
    # What CEL has answers, or complains of its arguments; a name it lacks is undefined however it is called.
    assert len(faults) < len(calls) or not all(f"function: '{name}'" in fault for fault in faults)


def test_compiling_does_not_import_the_command_line_that_comes_with_cel() -> None:
    program = (
        "import sys; from headrace.core.config.expression import compile_expression as c; c('1 == 1', None, ());"
        "assert not {'typer', 'prompt_toolkit'} & set(sys.modules); import cel.cli; assert cel.cli.app"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
