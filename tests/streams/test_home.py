"""Where state and downloads go, and what happens when they cannot."""

from __future__ import annotations

from pathlib import Path

import pytest

from headrace.streams.errors import FolderError
from headrace.streams.home import cache, home, writable


def test_state_goes_to_the_current_folder_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    for unset in (None, ""):
        monkeypatch.delenv("HEADRACE_HOME") if unset is None else monkeypatch.setenv("HEADRACE_HOME", unset)
        assert home() == tmp_path / ".headrace"
    monkeypatch.setenv("HEADRACE_HOME", "elsewhere/../state")
    assert home() == tmp_path / "state"


def test_a_tilde_is_the_users_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("HEADRACE_HOME", "~/state")
    assert home() == tmp_path / "state"


def test_downloads_go_to_the_cache_that_is_set_nearest(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("HEADRACE_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    assert cache() == tmp_path / ".cache" / "headrace"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache() == tmp_path / "xdg" / "headrace"
    monkeypatch.setenv("HEADRACE_CACHE", str(tmp_path / "own"))
    assert cache() == tmp_path / "own"


def test_asking_for_a_folder_makes_none(tmp_path: Path) -> None:
    home(), cache()
    assert not home().exists()


def test_git_ignores_what_lies_in_a_headrace_folder(tmp_path: Path) -> None:
    inner = tmp_path / ".headrace" / "broker" / "logs"
    assert writable(inner) == inner
    assert writable(inner) == inner  # a second time it is there already
    assert (tmp_path / ".headrace" / ".gitignore").read_text() == "*\n"
    assert list(inner.iterdir()) == []


def test_a_folder_of_another_name_is_left_to_its_owner(tmp_path: Path) -> None:
    writable(tmp_path / "state" / "broker")
    assert not list(tmp_path.rglob(".gitignore"))


def test_an_own_gitignore_is_kept(tmp_path: Path) -> None:
    folder = writable(tmp_path / ".headrace")
    (folder / ".gitignore").write_text("!keep\n")
    writable(folder)
    assert (folder / ".gitignore").read_text() == "!keep\n"


@pytest.mark.provokes("HR403")
@pytest.mark.parametrize("inside", ["", "broker", "broker/logs"])
def test_a_file_where_the_folder_should_be_is_named(tmp_path: Path, inside: str) -> None:
    (tmp_path / "taken").touch()
    with pytest.raises(FolderError) as caught:
        writable(tmp_path / "taken" / inside)
    assert f"{tmp_path / 'taken'} is a file" in str(caught.value)
    assert "HEADRACE_HOME" in caught.value.mend


@pytest.mark.provokes("HR403")
def test_a_cache_that_cannot_be_written_names_its_own_variable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    monkeypatch.setenv("HEADRACE_CACHE", str(tmp_path / "taken"))
    with pytest.raises(FolderError, match="set HEADRACE_CACHE to a folder"):
        writable(cache() / "maven")
