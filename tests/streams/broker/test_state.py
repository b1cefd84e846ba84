"""What is remembered of a broker, and what is made of a file that is not ours."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.streams.broker import obituary, status, stop
from headrace.streams.broker.folders import Folders
from headrace.streams.broker.process import birth
from headrace.streams.broker.state import Started, read, remember

JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["pid", "born", "port", "started", "x"]), inner),
)


def test_what_was_remembered_is_read_again(tmp_path: Path) -> None:
    started = Started(4242, "boot/17", 9092, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    remember(tmp_path / "state.json", started)
    assert read(tmp_path / "state.json") == started
    assert [file.name for file in tmp_path.iterdir()] == ["state.json"]


@given(junk=st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_file_is_either_understood_or_nothing(junk: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.getbasetemp() / "junk-state.json"
    file.write_bytes(junk)
    assert read(file) is None or isinstance(read(file), Started)


def test_a_process_with_a_used_pid_is_never_taken_for_the_broker(tmp_path: Path) -> None:
    folders = Folders.of(tmp_path)
    folders.root.mkdir()
    own = birth(os.getpid())
    assert own
    remember(folders.state, Started(os.getpid(), own, 9092, datetime.now(UTC)))
    assert status(tmp_path)  # the same file with the right birth is believed, so what follows proves something
    remember(folders.state, Started(os.getpid(), f"{own}0", 9092, datetime.now(UTC)))
    assert status(tmp_path) is None
    assert obituary(tmp_path) == ""
    assert stop(tmp_path) is False  # and we still live


def test_asking_and_stopping_make_no_folder(tmp_path: Path) -> None:
    assert (status(tmp_path / "none"), obituary(tmp_path / "none"), stop(tmp_path / "none")) == (None, None, False)
    assert not (tmp_path / "none").exists()
