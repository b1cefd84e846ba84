"""What every storage keeps, wherever it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from headrace.core.registry.errors import RegistryUnreachableError
from headrace.core.registry.location import open_storage
from headrace.core.registry.storage import Storage, translated


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


@pytest.mark.provokes("HR309")
def test_whatever_a_driver_raises_becomes_one_line() -> None:
    class StrangeError(Exception):
        pass

    with pytest.raises(RegistryUnreachableError) as caught, translated("reach s3://models"):
        raise StrangeError("two\nlines " + "and more " * 100)
    assert caught.value.fault.startswith("cannot reach s3://models: two lines and more")
    assert len(caught.value.fault) < 400
