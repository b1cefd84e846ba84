"""The hooks that docs/plugins.md describes, implemented by the plugins that it shows."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from headrace import Position, Record
from headrace.core.catalog import Catalog
from tests.docs.blocks import ROOT, read_blocks


@pytest.fixture
def documented(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The modules of the page, importable."""
    for block in read_blocks(ROOT / "docs" / "plugins.md"):
        if "file" in block.settings:
            (tmp_path / block.settings["file"]).write_text(block.text, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_hook_headrace_register(documented: Path) -> None:
    catalog = Catalog()
    catalog.load(EntryPoint(name, name, "headrace") for name in ("shorten", "length"))
    assert catalog.broken == {}
    spec = catalog.find("preprocess", "shorten")
    assert spec is not None
    assert catalog.names("model") == ["length"]
    record = Record(id="1", source=Position("in", 0, 0), text="one two three")
    assert spec.factory(record, spec.options.model_validate({"words": 2})).text == "one two"


def test_a_plugin_that_misspells_the_hook_is_named_and_the_others_load(documented: Path) -> None:
    source = (documented / "shorten.py").read_text().replace("headrace_register", "headrace_registers")
    (documented / "misspelt.py").write_text(source)
    catalog = Catalog()
    catalog.load(EntryPoint(name, name, "headrace") for name in ("misspelt", "length"))
    assert "headrace_registers" in catalog.broken["misspelt"]
    assert catalog.names("model") == ["length"]
