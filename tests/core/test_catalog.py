"""The catalog: steps found by entry points, broken plugins named and left out, doubles refused."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from headrace.core.catalog import Catalog, installed_catalog
from headrace.core.errors import BrokenPluginError, DuplicateStepError
from headrace.core.record import Record

GOOD = """
from headrace import hookimpl
def shout(record): return record
@hookimpl
def headrace_register(catalog): catalog.preprocess("{step}", shout)
"""


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on Python's path, for modules of one test."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "modules", {**sys.modules})
    return tmp_path


def point(folder: Path, name: str, source: str) -> EntryPoint:
    (folder / f"plugged_{name}.py").write_text(source)
    return EntryPoint(name, f"plugged_{name}", "headrace")


def unchanged(record: Record) -> Record:
    return record


def test_a_plugin_s_steps_are_found_by_kind_and_name(plugin: Path) -> None:
    catalog = Catalog()
    catalog.load([point(plugin, "a", GOOD.format(step="shout"))])
    found = catalog.find("preprocess", "shout")
    assert found is not None
    assert (found.kind, found.name, found.distribution) == ("preprocess", "shout", "plugged_a")
    assert catalog.names("preprocess") == ["shout"]
    assert catalog.find("model", "shout") is None
    assert catalog.broken == {}


@pytest.mark.provokes("HR601")
@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("import no_such_library", "ModuleNotFoundError: No module named 'no_such_library'"),
        ("def (", "SyntaxError"),
        ("raise ValueError('at import')", "ValueError: at import"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("class Panic(BaseException): pass\nraise Panic('rust')", "Panic: rust"),
        (
            "from headrace import hookimpl\n@hookimpl\ndef headrace_register(catalog): catalog.nonsense('x')",
            "AttributeError",
        ),
        ("from headrace import hookimpl\n@hookimpl\ndef headrace_register(book): pass", "PluginValidationError"),
        ("from headrace import hookimpl\n@hookimpl\ndef headrace_regsiter(catalog): pass", "PluginValidationError"),
    ],
)
def test_a_broken_plugin_is_named_and_the_others_load(plugin: Path, source: str, fault: str) -> None:
    catalog = Catalog()
    catalog.load([point(plugin, "broken", source), point(plugin, "good", GOOD.format(step="shout"))])
    assert catalog.names("preprocess") == ["shout"]
    assert fault in catalog.broken["broken"]
    assert "\n" not in catalog.broken["broken"]
    catalog.refuse_broken("good")
    with pytest.raises(BrokenPluginError, match="plugin 'broken' could not be loaded"):
        catalog.refuse_broken("broken")


def test_a_plugin_that_breaks_halfway_leaves_no_step_and_no_rival_behind(plugin: Path) -> None:
    half = GOOD.format(step="shout").replace("catalog): ", "catalog):\n    ")
    half += "    catalog.preprocess('whisper', shout)\n    raise ValueError('no more')\n"
    catalog = Catalog()
    catalog.load([point(plugin, "good", GOOD.format(step="shout")), point(plugin, "half", half)])
    assert catalog.names("preprocess") == ["shout"]
    assert catalog.find("preprocess", "shout") is not None
    assert [(one.name, one.module, one.fault) for one in catalog.plugins] == [
        ("good", "plugged_good", ""),
        ("half", "plugged_half", "ValueError: no more"),
    ]


def test_an_error_that_cannot_be_printed_breaks_its_plugin_only(plugin: Path) -> None:
    mute = "class MuteError(Exception):\n    def __str__(self): raise RuntimeError\nraise MuteError"
    catalog = Catalog()
    catalog.load([point(plugin, "mute", mute), point(plugin, "good", GOOD.format(step="shout"))])
    assert catalog.broken == {"mute": "MuteError: (it cannot say: RuntimeError)"}
    assert catalog.names("preprocess") == ["shout"]


def test_every_double_is_told_with_all_who_brought_it(plugin: Path) -> None:
    catalog = Catalog()
    catalog.load([point(plugin, name, GOOD.format(step="shout")) for name in ("a", "b")])
    assert [problem.fault for problem in catalog.doubled()] == [
        "preprocess 'shout' is registered by plugged_a and by plugged_b"
    ]


def test_an_entry_point_that_leads_nowhere_is_named(plugin: Path) -> None:
    catalog = Catalog()
    catalog.load([EntryPoint("lost", "no_such_module:thing", "headrace")])
    assert "no_such_module" in catalog.broken["lost"]


@pytest.mark.provokes("HR602")
def test_a_step_of_two_plugins_is_neither_s(plugin: Path) -> None:
    catalog = Catalog()
    catalog.load([point(plugin, name, GOOD.format(step="shout")) for name in ("a", "b", "c")])
    fault = "preprocess 'shout' is registered by plugged_a and by plugged_b and by plugged_c; uninstall one of them"
    with pytest.raises(DuplicateStepError, match=fault):
        catalog.find("preprocess", "shout")


def test_a_plugin_listed_twice_is_no_double(plugin: Path) -> None:
    catalog = Catalog()
    once = point(plugin, "a", GOOD.format(step="shout"))
    catalog.load([once, once])
    assert catalog.find("preprocess", "shout") is not None


def test_steps_of_two_kinds_may_have_one_name() -> None:
    catalog = Catalog()
    catalog.preprocess("clean", unchanged)
    catalog.postprocess("clean", unchanged)
    assert [(spec.kind, spec.name) for spec in catalog.specs()] == [("postprocess", "clean"), ("preprocess", "clean")]


def test_what_is_installed_is_loaded_once_and_whole() -> None:
    catalog = installed_catalog()
    assert catalog is installed_catalog()
    assert catalog.broken == {}
    assert {"json", "text", "cloudevents"} <= set(catalog.names("codec"))
    assert catalog.find("sink", "topic") is not None
