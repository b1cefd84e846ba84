"""Dotted paths into JSON values."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.core.wire.path import MISSING, follow
from tests.support.made import json_values

VALUE = {"review": {"body": "good", "tags": ["a", {"name": "b"}], "": 1, "0": "zero"}, "nothing": None}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("review.body", "good"),
        ("review.tags.0", "a"),
        ("review.tags.1.name", "b"),
        ("review.0", "zero"),
        ("nothing", None),
    ],
)
def test_a_path_leads_through_objects_and_lists(path: str, found: Any) -> None:
    assert follow(VALUE, tuple(path.split("."))) == found


@pytest.mark.parametrize("path", ["review.title", "review.tags.2", "review.tags.-1", "review.body.x", "nothing.x", "x"])
def test_where_nothing_lies_it_says_so(path: str) -> None:
    assert follow(VALUE, tuple(path.split("."))) is MISSING


@given(json_values, st.lists(st.sampled_from(["a", "0", "1", "²", "-1", ""]), max_size=4).map(tuple))
def test_no_value_and_no_path_make_it_raise(value: Any, path: tuple[str, ...]) -> None:
    follow(value, path)
