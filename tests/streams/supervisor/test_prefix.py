"""Names of workers: the same again after a restart, never two alike at one time."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from headrace.streams.errors import FolderError
from headrace.streams.supervisor.prefix import worker_prefix

HOLD = """
import sys
from pathlib import Path
from headrace.streams.supervisor.prefix import worker_prefix
with worker_prefix(Path(sys.argv[1]), "reviews") as (prefix, _):
    print(prefix, flush=True)
    sys.stdin.read()
"""


def test_a_name_is_the_same_again_and_a_second_supervisor_gets_another(tmp_path: Path) -> None:
    with worker_prefix(tmp_path, "reviews") as (first, _):
        with worker_prefix(tmp_path, "reviews") as (second, _), worker_prefix(tmp_path, "other") as (other, _):
            assert second == first[:-1] + "1"
            assert other == first
        with worker_prefix(tmp_path, "reviews") as (again, _):
            assert again == second
    with worker_prefix(tmp_path, "reviews") as (again, _):
        assert again == first


def test_a_name_is_free_again_when_its_holder_was_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        held = child.stdout.readline().strip()
        with worker_prefix(tmp_path, "reviews") as (other, _):
            assert other != held
        child.kill()
    with worker_prefix(tmp_path, "reviews") as (again, _):
        assert again == held


def test_another_folder_gives_another_name(tmp_path: Path) -> None:
    with worker_prefix(tmp_path / "a", "reviews") as (one, file), worker_prefix(tmp_path / "b", "reviews") as (two, _):
        assert one != two
        assert file == tmp_path / "a" / "run" / "reviews.0.json"


@pytest.mark.parametrize("host", ["böse host/1", "x" * 300, "", "..."])
def test_any_host_gives_a_name_that_kafka_takes(host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: host)
    with worker_prefix(tmp_path, "reviews") as (prefix, _):
        assert re.fullmatch(r"[a-zA-Z0-9][a-zA-Z0-9._-]{0,48}", prefix)


@pytest.mark.provokes("HR403")
def test_a_state_folder_that_cannot_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("a file")
    with pytest.raises(FolderError, match="is a file"), worker_prefix(tmp_path, "reviews"):
        pass
