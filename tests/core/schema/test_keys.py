"""The keys of options in words: every type that pydantic takes, since strangers write options too."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import Field

from headrace import Options
from headrace.core.catalog import installed_catalog
from headrace.core.config.pipeline import BatchLimits, Input
from headrace.core.schema.keys import field_rows, key_rows
from headrace.core.wire.result import ResultBody


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Inner(Options):
    """What lies inside."""

    depth: int = Field(default=1, ge=1, le=9, description="how deep")


class Tree(Options):
    """A model that holds itself."""

    children: list[Tree] = Field(default=[], description="more of them")


class Everything(Options):
    """One option of each kind."""

    text: str = Field(description="any text")
    maybe: float | None = Field(default=None, gt=0, description="a number or nothing")
    choice: Literal["a", "b"] = "a"
    colour: Colour = Colour.RED
    inner: Inner = Inner()
    many: tuple[Inner, ...] = Field(default=(), description="several")
    named: Mapping[str, list[int]] = {}
    folder: Path = Path("/tmp/x")
    kinds: frozenset[str] = frozenset(("x",))
    items: Sequence[str] = ()
    bare: dict = Field(default={})  # type: ignore[type-arg]
    call: Callable[[int], int] | None = None
    when: datetime | None = None
    anything: Any = None
    spoken: int = Field(default=3, alias="spoken-of")


@pytest.mark.parametrize(
    ("key", "row"),
    [
        ("text", ("text", "required", "any text")),
        ("maybe", ("number, more than 0", "", "a number or nothing")),
        ("choice", ("`a` or `b`", "`a`", "")),
        ("colour", ("`red` or `blue`", "`red`", "")),
        ("inner", ("section", "", "what lies inside")),
        ("inner.depth", ("whole number, at least 1, at most 9", "`1`", "how deep")),
        ("many", ("list of sections", "", "several")),
        ("many[].depth", ("whole number, at least 1, at most 9", "`1`", "how deep")),
        ("named", ("map of texts to lists of whole numbers", "", "")),
        ("folder", ("Path", "`/tmp/x`", "")),
        ("kinds", ("list of texts", '`["x"]`', "")),
        ("items", ("list of texts", "", "")),
        ("bare", ("dict", "", "")),
        ("call", ("value", "", "")),
        ("when", ("RFC 3339 time", "", "")),
        ("anything", ("step", "", "")),
        ("spoken-of", ("whole number", "`3`", "")),
    ],
)
def test_a_key_is_said_in_words(key: str, row: tuple[str, str, str]) -> None:
    rows = {found.key: tuple(found)[1:] for found in key_rows(Everything)}
    assert rows[key] == row


def test_a_model_inside_itself_is_told_once() -> None:
    assert [row.key for row in key_rows(Tree)] == ["children"]


def test_units_are_said_as_the_file_writes_them() -> None:
    assert {row.key: (row.type, row.default) for row in key_rows(BatchLimits)}["max_wait"] == ("duration", "`5ms`")
    assert {row.key: (row.type, row.default) for row in key_rows(Input)}["max_bytes"] == ("size", "`1MiB`")


def test_a_section_with_a_table_of_its_own_is_named_and_not_opened() -> None:
    keys = {row.key: row.type for row in key_rows(Everything, lambda name, field: "there" if name == "inner" else None)}
    assert keys["inner"] == "there"
    assert "inner.depth" not in keys


def test_every_field_of_a_result_is_told() -> None:
    keys = [row.key for row in field_rows(ResultBody)]
    assert {"id", "source.offset", "route.path", "experiments[].variant", "timings.total"} <= set(keys)


def test_every_option_of_every_installed_step_is_told() -> None:
    for spec in installed_catalog().specs():
        rows = list(key_rows(spec.options))
        assert set(spec.options.model_fields) <= {row.key for row in rows}
        assert all(row.type and row.meaning for row in rows)
