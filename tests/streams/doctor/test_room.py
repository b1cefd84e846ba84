"""What is said of cores, memory and folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from headrace.streams.doctor import room


def test_cores_and_memory_are_told() -> None:
    (found,) = room.look_at_room()
    assert found.state in ("ok", "warn")
    assert " core" in found.fact
    assert found.fact.endswith("GiB of memory")


@pytest.mark.parametrize(("memory", "state"), [(1 << 30, "warn"), (4 << 30, "ok"), (None, "ok")])
def test_little_memory_is_a_warning(monkeypatch: pytest.MonkeyPatch, memory: int | None, state: str) -> None:
    monkeypatch.setattr(room, "memory_bytes", lambda: memory)
    (found,) = room.look_at_room()
    assert (found.state, bool(found.mend)) == (state, state == "warn")


def test_a_folder_that_is_not_there_yet_is_not_made_by_looking(tmp_path: Path) -> None:
    found = room.look_at_folder("state", tmp_path / "a" / "b", "HEADRACE_HOME")
    assert (found.state, found.fact.endswith(", not there yet")) == ("ok", True)
    assert not (tmp_path / "a").exists()


@pytest.mark.provokes("HR403")
def test_a_folder_that_cannot_be_written_fails_with_the_variable_that_moves_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    found = room.look_at_folder("state", tmp_path / "file" / "inner", "HEADRACE_HOME")
    assert (found.state, "HEADRACE_HOME" in found.mend) == ("fail", True)
    assert found.fact == f"HR403 {tmp_path}/file/inner cannot be written: {tmp_path}/file is a file"
