"""What is said of Python, libraries and plugins."""

from __future__ import annotations

import platform
from importlib.metadata import EntryPoint

import pytest

from headrace.core.catalog import Catalog
from headrace.streams.doctor import software


def test_versions_are_told_without_importing_anything() -> None:
    found = {one.subject: one for one in software.look_at_software()}
    assert found["python"].fact.startswith(platform.python_version())
    assert "aiokafka 0." in found["libraries"].fact
    assert "onnxruntime" in found["libraries"].fact
    assert {one.state for one in found.values()} <= {"ok", "warn"}


def test_a_missing_library_fails_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(software, "_LIBRARIES", ("pluggy", "no-such-library"))
    (failed,) = [one for one in software.look_at_software() if one.state == "fail"]
    assert failed.fact == "not installed: no-such-library"


def test_a_system_that_nobody_tested_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    (warned,) = [one for one in software.look_at_software() if one.state == "warn"]
    assert warned.subject == "system"


def test_a_broken_plugin_is_a_warning_with_what_it_raised() -> None:
    catalog = Catalog()
    catalog.load([EntryPoint("shout", "headrace_no_such_module", "headrace")])
    steps, broken = software.look_at_plugins(catalog)
    assert steps.fact == "0 steps"
    assert (broken.state, "shout cannot be loaded: ModuleNotFoundError" in broken.fact) == ("warn", True)
