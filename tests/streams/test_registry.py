"""Where models live when nobody says."""

from __future__ import annotations

from pathlib import Path

import pytest

from headrace.streams.registry import default_location


def test_the_registry_is_in_the_state_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HEADRACE_HOME", str(tmp_path))
    assert default_location() == str(tmp_path / "registry")


def test_the_environment_can_name_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADRACE_REGISTRY", "s3://models/all")
    assert default_location() == "s3://models/all"
    monkeypatch.setenv("HEADRACE_REGISTRY", "")
    assert default_location().endswith("/registry")
