"""A registry wherever fsspec reaches, with drivers as they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from headrace.core.registry.remote import RemoteStorage


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
