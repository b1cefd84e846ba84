"""The catalog: steps found by entry points, broken plugins named and left out, doubles refused."""

from __future__ import annotations

import subprocess
import sys
import threading
from importlib.metadata import EntryPoint, entry_points
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


def test_an_offered_plugin_is_loaded_when_its_step_is_asked_for(plugin: Path) -> None:
    catalog = Catalog()
    catalog.offer([point(plugin, name, GOOD.format(step=name)) for name in ("shout", "whisper")])
    assert catalog.find("preprocess", "shout") is not None
    assert ("plugged_shout" in sys.modules, "plugged_whisper" in sys.modules) == (True, False)
    assert catalog.names("preprocess") == ["shout", "whisper"]
    assert [one.name for one in catalog.plugins] == ["shout", "whisper"]


def test_an_offered_plugin_that_is_broken_is_named_whether_or_not_it_was_asked_for(plugin: Path) -> None:
    for asks in (True, False):
        catalog = Catalog()
        catalog.offer([point(plugin, "shout", "raise ValueError('at import')")])
        if asks:
            assert catalog.find("preprocess", "shout") is None
            with pytest.raises(BrokenPluginError, match="at import"):
                catalog.refuse_broken("shout")
        assert catalog.broken == {"shout": "ValueError: at import"}


def test_a_stranger_s_step_with_the_name_of_an_offered_one_is_a_double(plugin: Path) -> None:
    catalog = Catalog()
    catalog.offer([point(plugin, "shout", GOOD.format(step="shout"))])
    catalog.load([point(plugin, "stranger", GOOD.format(step="shout"))])
    with pytest.raises(DuplicateStepError, match="by plugged_shout and by plugged_stranger"):
        catalog.find("preprocess", "shout")


def test_who_asks_while_another_thread_loads_the_plugin_gets_its_step(plugin: Path) -> None:
    slow = "import threading\ngate = threading.Event()\nasked = threading.Event()\n"
    (plugin / "gates.py").write_text(slow)
    import gates  # type: ignore[import-not-found]

    catalog = Catalog()
    source = "import gates\ngates.asked.set()\nassert gates.gate.wait(30)\n" + GOOD.format(step="shout")
    catalog.offer([point(plugin, "shout", source)])
    found: list[object] = []
    threads = [threading.Thread(target=lambda: found.append(catalog.find("preprocess", "shout"))) for _ in range(2)]
    threads[0].start()
    assert gates.asked.wait(30)
    threads[1].start()
    gates.gate.set()
    for thread in threads:
        thread.join(30)
    assert len(found) == 2
    assert None not in found


@pytest.mark.parametrize("name", sorted(point.name for point in entry_points(group="headrace")))
def test_each_plugin_of_headrace_brings_the_one_step_of_its_name(name: str) -> None:
    """They are loaded by that name, so a step of another name would be found only by chance."""
    catalog = Catalog()
    catalog.load(point for point in entry_points(group="headrace") if point.name == name)
    if catalog.plugins[0].distribution == "headrace":
        assert [spec.name for spec in catalog.specs()] == [name]


def test_looking_for_a_step_imports_no_other_plugin() -> None:
    code = (
        "import sys; from headrace.core.catalog import installed_catalog;"
        "assert installed_catalog().find('model', 'lexicon');"
        "print(sorted(name for name in sys.modules if name.startswith('headrace.plugins.') and name.count('.') > 2))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "['headrace.plugins.models.lexicon']"
