"""A registry in a folder: exclusive claims, locks that end with their owner, no half files."""

from __future__ import annotations

import errno
import os
import sys
import threading
from pathlib import Path

import pytest

from headrace.core.registry.errors import RegistryUnreachableError
from headrace.core.registry.local import LocalStorage


def test_of_many_claims_at_once_one_wins(tmp_path: Path) -> None:
    storage, won, gate = LocalStorage(tmp_path), [], threading.Barrier(16)

    def claim() -> None:
        gate.wait()
        won.append(storage.claim("a/1"))

    threads = [threading.Thread(target=claim) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == [False] * 15 + [True]


def test_the_lock_keeps_another_process_out_and_ends_with_its_owner(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    storage.write("a/count", b"0")
    children = []
    for _ in range(4):
        pid = os.fork()
        if not pid:
            for _ in range(25):
                with storage.lock("a"):
                    storage.write("a/count", str(int(storage.read("a/count") or b"0") + 1).encode())
            os._exit(0)
        children.append(pid)
    assert [os.waitpid(pid, 0)[1] for pid in children] == [0] * 4
    assert storage.read("a/count") == b"100"


def test_a_half_written_file_is_never_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = LocalStorage(tmp_path)
    storage.write("a/small.json", b"old")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RegistryUnreachableError, match="No space left"):
        storage.write("a/small.json", b"new")
    assert storage.read("a/small.json") == b"old"
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["small.json"]


@pytest.mark.provokes("HR309")
def test_a_file_where_the_registry_should_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RegistryUnreachableError) as caught:
        LocalStorage(tmp_path / "file").folders("")
    assert str(tmp_path / "file") in caught.value.fault
    assert "Not a directory" in caught.value.fault


def test_a_local_registry_does_not_load_fsspec(tmp_path: Path) -> None:
    import subprocess

    code = (
        "import sys; from headrace.core.registry.store import Registry;"
        f"Registry({str(tmp_path)!r}).list(); print('fsspec' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
