"""Read single files out of zip and tar archives, into memory: nothing of an archive is ever written where it says."""

from __future__ import annotations

import io
import tarfile
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from headrace.streams.demo.errors import ArchiveContentError, UnsafeArchiveError

__all__ = ["read_member"]


def read_member(archive: Path, *names: str) -> bytes:
    """Return the content of a file in an archive; further names look into the archive found so far.

    Args:
        archive: a zip (a wheel is one) or a tar, compressed or not.
        names: the file's path in the archive; with several, each but the last is an archive itself. At least one.

    Raises:
        UnsafeArchiveError: HR424, some path leads outside, or the wanted file is a link.
        ArchiveContentError: HR425, no archive, a damaged one, or no such file in it.
    """
    first, *others = names
    with archive.open("rb") as stream:
        content = _member(stream, first, where := str(archive))
    for inside, name in zip(names, others, strict=False):
        content = _member(io.BytesIO(content), name, where := f"{where}, {inside}")
    return content


def _member(stream: BinaryIO, name: str, where: str) -> bytes:
    try:
        start = stream.read(2)  # not is_zipfile: it searches the end, where a tar may hold anything
        stream.seek(0)
        return _from_zip(stream, name, where) if start == b"PK" else _from_tar(stream, name, where)
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, OSError, EOFError) as error:
        raise _content_error(where, f"cannot be unpacked: {error}") from error


def _from_zip(stream: BinaryIO, name: str, where: str) -> bytes:
    with zipfile.ZipFile(stream) as bundle:
        _refuse_unsafe(bundle.namelist(), where)
        if name not in bundle.namelist():
            raise _content_error(where, f"has no file {name}")
        return bundle.read(name)


def _from_tar(stream: BinaryIO, name: str, where: str) -> bytes:
    with tarfile.open(fileobj=stream) as bundle:
        _refuse_unsafe(bundle.getnames(), where)
        if name not in bundle.getnames():
            raise _content_error(where, f"has no file {name}")
        member = bundle.getmember(name)
        file = bundle.extractfile(member) if member.isreg() else None  # it would follow a link
        if file is None:
            raise UnsafeArchiveError(f"in {where}, {name} is a link or a device", mend="remove it and try again")
        return file.read()


def _refuse_unsafe(names: Iterable[str], where: str) -> None:
    for name in names:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "\\" in name or ":" in "".join(path.parts[:1]):
            raise UnsafeArchiveError(f"{where} holds {name!r}, which leads outside", mend="remove it and try again")


def _content_error(where: str, fault: str) -> ArchiveContentError:
    return ArchiveContentError(f"{where} {fault}", mend="remove it and try again")
