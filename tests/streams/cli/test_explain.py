"""`headrace explain`: every code has something to say."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from headrace.streams.explain import explanations

Headrace = Callable[..., Any]


@pytest.mark.parametrize("written", ["HR116", "hr116", " HR116 ", "116"])
def test_a_code_is_explained_however_it_is_written(headrace: Headrace, written: str) -> None:
    outcome = headrace("explain", written)
    assert outcome.code == 0
    title, _, body = outcome.out.partition("\n\n")
    assert title == "HR116 TextPathError: The models need a text, and the file does not say where it lies."
    assert "input: {text: PATH}" in body
    assert body.endswith("Who can mend it: whoever writes the pipeline file or the command.\n")


def test_without_a_code_all_are_listed_in_order(headrace: Headrace) -> None:
    codes = [line.split("  ")[0] for line in headrace("explain").out.splitlines()]
    assert codes == sorted(codes)
    assert {"HR101", "HR201", "HR220", "HR306", "HR401", "HR430", "HR501", "HR602", "HR700", "HR999"} <= set(codes)


def test_every_error_says_what_it_is_and_how_to_mend_it() -> None:
    """Passes for nothing if modules of errors are not found, so the test above names codes of every part."""
    for error in explanations().values():
        assert error.fact.endswith("."), error
        assert error.body, f"{error.code} {error.name} has no body"


def test_a_program_gets_json(headrace: Headrace) -> None:
    one = json.loads(headrace("explain", "HR999", "--json").out)
    assert (one["code"], one["name"]) == ("HR999", "UnexpectedError")
    assert one in json.loads(headrace("explain", "--json").out)


@pytest.mark.provokes("HR438")
@pytest.mark.parametrize(
    ("code", "mend"), [("HR1166", "did you mean 'HR116'?"), ("nonsense", "`headrace explain` lists all of them")]
)
def test_an_unknown_code_is_refused_with_a_way_on(headrace: Headrace, code: str, mend: str) -> None:
    outcome = headrace("explain", code)
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err == f"HR438 there is no error {code!r}; {mend}\n"
