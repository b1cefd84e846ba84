"""Copies of remote models: fetched once, verified always."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from headrace.core.registry.cache import default_cache
from headrace.core.registry.errors import ModelFileMissingError, RegistryUnreachableError
from headrace.core.registry.folder import ModelSource
from headrace.core.registry.remote import RemoteStorage
from headrace.core.registry.store import Registry

MakeSource = Callable[..., ModelSource]


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that were read from the remote registry, as they are."""
    paths, read = [], RemoteStorage.open

    def watched(self: RemoteStorage, path: str) -> object:
        paths.append(path)
        return read(self, path)

    monkeypatch.setattr(RemoteStorage, "open", watched)
    return paths


def test_a_remote_model_is_fetched_once(remote: Registry, source: MakeSource, fetched: list[str]) -> None:
    manifest = remote.add(source(b"far away"), "reviews")
    folder = remote.files(manifest)
    assert (folder / "onnx/model.onnx").read_bytes() == b"far away"
    assert remote.files(manifest) == folder
    assert fetched == ["reviews/1/onnx/model.onnx", "reviews/1/tokenizer.json"]


def test_the_same_content_under_another_name_is_not_fetched_again(
    remote: Registry, source: MakeSource, fetched: list[str]
) -> None:
    given = source()
    first, second = remote.add(given, "reviews"), remote.add(given, "mail")
    assert remote.files(first) == remote.files(second)
    assert len(fetched) == 2


@pytest.mark.parametrize("harm", ["change", "remove", "empty"])
def test_a_damaged_copy_is_fetched_again(remote: Registry, source: MakeSource, harm: str) -> None:
    manifest = remote.add(source(b"far away"), "reviews")
    copy = remote.files(manifest) / "onnx/model.onnx"
    if harm == "remove":
        copy.unlink()
    else:
        copy.write_bytes(b"far_away" if harm == "change" else b"")
    assert (remote.files(manifest) / "onnx/model.onnx").read_bytes() == b"far away"
    assert [path.name for path in copy.parents[2].iterdir()] == [manifest.hash]


def test_a_registry_that_lost_a_file_leaves_nothing_in_the_cache(
    remote: Registry, source: MakeSource, tmp_path: Path
) -> None:
    manifest = remote.add(source(), "reviews")
    storage = remote._storage
    assert isinstance(storage, RemoteStorage)
    storage._fs.rm(storage._full("reviews/1/tokenizer.json"))
    with pytest.raises(ModelFileMissingError):
        remote.check(manifest)
    with pytest.raises(RegistryUnreachableError, match=r"cannot copy .*tokenizer\.json"):
        remote.files(manifest)
    assert list((tmp_path / "cache").iterdir()) == []


def test_workers_that_fetch_at_once_all_get_a_whole_copy(source: MakeSource, tmp_path: Path) -> None:
    # fsspec's driver for local files: its memory gives all readers of a file one position to share.
    remote, gate = Registry(f"local://{tmp_path}/far", cache=tmp_path / "cache"), threading.Barrier(6)
    manifest, folders = remote.add(source(b"x" * 100_000), "reviews"), []

    def fetch() -> None:
        gate.wait()
        folders.append(remote.files(manifest))

    threads = [threading.Thread(target=fetch) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(folders) == 6
    assert len(set(folders)) == 1
    assert [path.name for path in folders[0].parent.iterdir()] == [manifest.hash]


def test_the_copy_of_a_faster_worker_stays_where_it_is(
    remote: Registry, source: MakeSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest, read, faster = remote.add(source(), "reviews"), RemoteStorage.open, list[Any]()

    def overtaken(self: RemoteStorage, path: str) -> object:
        if not faster:
            faster.append(0)
            faster.append(remote.files(manifest).stat().st_ino)
        return read(self, path)

    monkeypatch.setattr(RemoteStorage, "open", overtaken)
    folder = remote.files(manifest)
    assert folder.stat().st_ino == faster[1]
    assert [path.name for path in folder.parent.iterdir()] == [manifest.hash]


@pytest.mark.provokes("HR309")
def test_a_cache_that_cannot_be_written_is_told(remote: Registry, source: MakeSource, tmp_path: Path) -> None:
    manifest = remote.add(source(), "reviews")
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(RegistryUnreachableError):
        remote.files(manifest)


def test_the_cache_is_where_the_others_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADRACE_CACHE", "/a")
    assert default_cache() == Path("/a/models")
    monkeypatch.delenv("HEADRACE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/b")
    assert default_cache() == Path("/b/headrace/models")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/c")
    assert default_cache() == Path("/c/.cache/headrace/models")
