"""Where a registry's files lie: both kinds of place behave alike."""

from __future__ import annotations

import errno
import os
import sys
import threading
from pathlib import Path

import pytest

from headrace.core.registry.errors import RegistryUnreachableError
from headrace.core.registry.storage import LocalStorage, RemoteStorage, Storage, open_storage, translated


@pytest.fixture(params=["local", "memory"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    return open_storage(str(tmp_path / "local") if request.param == "local" else f"memory://{tmp_path}")


def test_what_is_not_there_is_not_an_error(storage: Storage) -> None:
    assert storage.folders("") == storage.folders("a/b") == ()
    assert storage.read("a/b.json") is None
    assert storage.size("a/b.json") is None


def test_what_is_written_is_read_and_written_over(storage: Storage, tmp_path: Path) -> None:
    storage.write("a/small.json", b"old")
    storage.write("a/small.json", b"new!")
    (tmp_path / "big").write_bytes(b"big" * 1000)
    storage.upload(tmp_path / "big", "a/deep/er/big")
    assert (storage.read("a/small.json"), storage.size("a/small.json")) == (b"new!", 4)
    with storage.open("a/deep/er/big") as file:
        assert file.read() == b"big" * 1000
    assert storage.folders("a") == ("deep",)
    assert storage.size("a/deep") is None


def test_a_folder_is_claimed_once(storage: Storage) -> None:
    assert storage.claim("a/1")
    assert not storage.claim("a/1")
    assert storage.claim("a/2")
    assert sorted(storage.folders("a")) == ["1", "2"]


def test_a_removed_folder_can_be_claimed_again(storage: Storage) -> None:
    storage.claim("a/1")
    storage.write("a/1/deep/file", b"x")
    storage.remove("a/1")
    assert storage.folders("a") == ()
    assert storage.claim("a/1")


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


def test_a_driver_that_overwrites_in_spite_of_the_mode_does_not_give_two_the_same_claim(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fsspec.implementations.memory import MemoryFileSystem

    first, written = RemoteStorage(f"memory://{tmp_path}"), MemoryFileSystem.pipe_file

    def late(self: MemoryFileSystem, path: str, value: bytes, mode: str = "overwrite") -> None:
        written(self, path, value)
        written(self, path, b"somebody else, a moment later")

    monkeypatch.setattr(MemoryFileSystem, "pipe_file", late)
    assert not first.claim("a/1")


def test_a_file_url_is_a_folder(tmp_path: Path) -> None:
    storage = open_storage(f"file://{tmp_path}/with%20blank")
    assert isinstance(storage, LocalStorage)
    assert storage.root == tmp_path / "with blank"


def test_a_tilde_is_the_home_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert open_storage("~/models").location == f"{tmp_path}/models"


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


@pytest.mark.provokes("HR309")
@pytest.mark.parametrize("url", ["nosuch://bucket/models", "s3:/x://"])
def test_a_url_without_a_driver_is_told(url: str) -> None:
    with pytest.raises(RegistryUnreachableError) as caught:
        open_storage(url)
    assert url in caught.value.fault
    assert "driver" in caught.value.mend


@pytest.mark.provokes("HR309")
def test_whatever_a_driver_raises_becomes_one_line() -> None:
    class StrangeError(Exception):
        pass

    with pytest.raises(RegistryUnreachableError) as caught, translated("reach s3://models"):
        raise StrangeError("two\nlines " + "and more " * 100)
    assert caught.value.fault.startswith("cannot reach s3://models: two lines and more")
    assert len(caught.value.fault) < 400


def test_a_local_registry_does_not_load_fsspec(tmp_path: Path) -> None:
    import subprocess

    code = (
        "import sys; from headrace.core.registry.store import Registry;"
        f"Registry({str(tmp_path)!r}).list(); print('fsspec' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
