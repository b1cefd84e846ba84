"""The public interface is what its snapshot says; a change of it is a diff that somebody reviewed.

It would prove nothing if the snapshot were empty; names that every plugin uses are looked for.
"""

from __future__ import annotations

from pathlib import Path

import pytest

import headrace
from tests.api.snapshot import FILES, public_names


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_the_interface_is_what_its_snapshot_says(file: Path) -> None:
    assert FILES[file]() == file.read_text(encoding="utf-8"), "review the change, then run `make snapshot`"


def test_the_snapshot_has_what_every_plugin_uses() -> None:
    lines = public_names().splitlines()
    assert any(line.startswith("class Record(") for line in lines)
    assert any(line.startswith("Catalog.preprocess(self, name: str") for line in lines)


def test_all_names_are_sorted_importable_and_listed() -> None:
    assert headrace.__all__ == sorted(headrace.__all__)
    assert [name for name in headrace.__all__ if not hasattr(headrace, name)] == []
    assert dir(headrace) == headrace.__all__


def test_a_name_that_is_not_public_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Plan'"):
        _ = headrace.Plan
