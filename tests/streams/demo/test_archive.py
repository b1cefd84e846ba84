"""Reading out of archives: the right bytes, and nothing from archives that reach outside."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from headrace.streams.demo.archive import read_member
from headrace.streams.demo.errors import ArchiveContentError, UnsafeArchiveError
from tests.streams.demo.sources import tarred, zipped

Pack = Callable[[dict[str, bytes]], bytes]

OUTSIDE = ["../evil", "a/../../evil", "/etc/evil", "..\\evil", "C:/evil"]


def saved(folder: Path, content: bytes) -> Path:
    path = folder / "archive"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_a_member_comes_out_as_it_went_in(tmp_path: Path, pack: Pack) -> None:
    archive = saved(tmp_path, pack({"a/b.txt": b"\x00\xff", "c": b""}))
    assert read_member(archive, "a/b.txt") == b"\x00\xff"
    assert read_member(archive, "c") == b""


def test_a_member_of_an_archive_in_an_archive_is_found(tmp_path: Path) -> None:
    inner = zipped({"deep": b"treasure"})
    archive = saved(tmp_path, tarred({"middle.tar.gz": tarred({"inner.zip": inner})}))
    assert read_member(archive, "middle.tar.gz", "inner.zip", "deep") == b"treasure"


def test_a_tar_that_holds_a_zip_is_not_taken_for_one(tmp_path: Path) -> None:
    import io
    import tarfile

    stream, content = io.BytesIO(), zipped({"other": b""})
    with tarfile.open(fileobj=stream, mode="w") as bundle:
        info = tarfile.TarInfo("inner.zip")
        info.size = len(content)
        bundle.addfile(info, io.BytesIO(content))
    assert read_member(saved(tmp_path, stream.getvalue()), "inner.zip") == content


@pytest.mark.provokes("HR424")
@pytest.mark.parametrize("name", OUTSIDE)
@pytest.mark.parametrize("pack", [zipped, tarred])
def test_an_archive_with_a_path_that_leads_outside_is_refused_whole(tmp_path: Path, name: str, pack: Pack) -> None:
    archive = saved(tmp_path, pack({"fine": b"", name: b"evil"}))
    with pytest.raises(UnsafeArchiveError, match="leads outside"):
        read_member(archive, "fine")
    assert [path.name for path in tmp_path.iterdir()] == ["archive"]


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    archive = saved(tmp_path, tarred({"secret": b"mine"}, wanted="secret"))
    with pytest.raises(UnsafeArchiveError, match="wanted is a link"):
        read_member(archive, "wanted")


@pytest.mark.provokes("HR425")
@pytest.mark.parametrize("pack", [zipped, tarred])
def test_a_missing_member_is_named(tmp_path: Path, pack: Pack) -> None:
    archive = saved(tmp_path, pack({"a": b""}))
    with pytest.raises(ArchiveContentError, match="has no file b; remove it and try again"):
        read_member(archive, "b")


@pytest.mark.parametrize("content", [b"", b"no archive", zipped({"a": b"b" * 99})[:60], tarred({"a": b"b" * 99})[:40]])
def test_what_is_no_archive_or_half_of_one_is_said_so(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ArchiveContentError, match="archive cannot be unpacked"):
        read_member(saved(tmp_path, content), "a")


def test_a_zip_with_a_flipped_bit_is_said_to_be_damaged(tmp_path: Path) -> None:
    content = bytearray(zipped({"a": b"b" * 99}))
    content[50] ^= 1
    with pytest.raises(ArchiveContentError, match="cannot be unpacked"):
        read_member(saved(tmp_path, bytes(content)), "a")
