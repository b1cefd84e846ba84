"""Downloads, by the real pip from a package index of the test's own: nothing wrong and nothing half is ever kept."""

from __future__ import annotations

import base64
import io
import os
import signal
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from hashlib import sha256
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil
import pytest

from headrace.streams.demo.download import Package, fetch
from headrace.streams.demo.errors import (
    DownloadFailedError,
    DownloadHashError,
    IndexUnreachableError,
    PipMissingError,
)
from headrace.streams.errors import FolderError
from tests.streams.demo.sources import zipped

METADATA = b"Metadata-Version: 2.1\nName: headrace-tiny\nVersion: 1.0\n"
NO_PIP = (sys.executable, "-c", "raise SystemExit('the network must not be needed')")


class Index(SimpleHTTPRequestHandler):
    """A package index with one package; it stops in the middle of a file until `gate` is open."""

    gate = threading.Event()
    reached = threading.Event()

    def do_GET(self) -> None:
        if not self.path.endswith(".whl") or self.gate.is_set():
            super().do_GET()
            return
        content = Path(self.translate_path(self.path)).read_bytes()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        half = len(content) // 2
        self.wfile.write(content[:half])
        self.wfile.flush()
        self.reached.set()
        self.gate.wait(30)
        with suppress(OSError):  # whoever asked may be dead by now
            self.wfile.write(content[half:])

    def log_message(self, format: str, *args: object) -> None:
        pass


def wheel() -> bytes:
    record = "".join(
        f"{name},sha256={base64.urlsafe_b64encode(sha256(content).digest()).rstrip(b'=').decode()},{len(content)}\n"
        for name, content in {"headrace_tiny-1.0.dist-info/METADATA": METADATA}.items()
    )
    return zipped(
        {
            "headrace_tiny/data.bin": bytes(range(256)) * 2_000,
            "headrace_tiny-1.0.dist-info/METADATA": METADATA,
            "headrace_tiny-1.0.dist-info/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            "headrace_tiny-1.0.dist-info/RECORD": record.encode(),
        }
    )


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Package]:
    """A package that pip finds in an index on this machine, and nowhere else."""
    name, content = "headrace_tiny-1.0-py3-none-any.whl", wheel()
    folder = tmp_path / "index" / "simple" / "headrace-tiny"
    folder.mkdir(parents=True)
    (folder / name).write_bytes(content)
    Index.gate.set()
    Index.reached.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Index, directory=str(tmp_path / "index")))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for variable in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{server.server_port}/simple")
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    yield Package("headrace-tiny", "1.0", name, sha256(content).hexdigest(), len(content))
    Index.gate.set()
    server.shutdown()
    server.server_close()


def test_a_package_arrives_once_and_is_not_asked_for_again(tiny: Package, tmp_path: Path) -> None:
    file = fetch(tiny, tmp_path / "cache")
    assert file.read_bytes() == wheel()
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [tiny.file]
    assert fetch(tiny, tmp_path / "cache", pip=NO_PIP) == file


def test_a_damaged_file_in_the_cache_is_fetched_anew(tiny: Package, tmp_path: Path) -> None:
    (tmp_path / tiny.file).write_bytes(wheel()[:-1])
    assert fetch(tiny, tmp_path).read_bytes() == wheel()


@pytest.mark.provokes("HR422")
def test_another_file_than_the_known_one_is_refused_with_both_hashes(tiny: Package, tmp_path: Path) -> None:
    other = replace(tiny, sha256="0" * 64)
    with pytest.raises(DownloadHashError, match=f"expected sha256 {'0' * 64}, found {tiny.sha256}"):
        fetch(other, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_what_a_lying_pip_brings_is_refused_too(tiny: Package, tmp_path: Path) -> None:
    lie = "import sys, pathlib; (pathlib.Path(sys.argv[sys.argv.index('--dest') + 1]) / 'x').write_bytes(b'evil')"
    with pytest.raises(DownloadHashError, match=sha256(b"evil").hexdigest()):
        fetch(tiny, tmp_path / "cache", pip=(sys.executable, "-c", lie))
    assert list((tmp_path / "cache").iterdir()) == []


def test_setup_py_of_a_tampered_source_distribution_is_not_run(tiny: Package, tmp_path: Path) -> None:
    stream, code = io.BytesIO(), f"open({str(tmp_path / 'ran')!r}, 'w')".encode()
    with tarfile.open(fileobj=stream, mode="w:gz") as bundle:
        info = tarfile.TarInfo("headrace_tiny-1.0/setup.py")
        info.size = len(code)
        bundle.addfile(info, io.BytesIO(code))
    (tmp_path / "index/simple/headrace-tiny/headrace_tiny-1.0.tar.gz").write_bytes(stream.getvalue())
    source = replace(tiny, file="headrace_tiny-1.0.tar.gz", is_source=True)
    with pytest.raises(DownloadHashError):
        fetch(source, tmp_path / "cache")
    assert not (tmp_path / "ran").exists()


@pytest.mark.provokes("HR420")
def test_no_network_is_said_in_one_line(tiny: Package, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    with pytest.raises(IndexUnreachableError) as caught:
        fetch(tiny, tmp_path)
    assert "the package index does not answer (Connection refused); check the network" in str(caught.value)
    assert f"or put {tiny.file} into {tmp_path} by hand" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.provokes("HR421")
def test_an_index_without_the_version_is_said_in_pips_words(tiny: Package, tmp_path: Path) -> None:
    with pytest.raises(DownloadFailedError, match="No matching distribution found for headrace-tiny==2"):
        fetch(replace(tiny, version="2.0"), tmp_path)


@pytest.mark.provokes("HR423")
def test_a_python_without_pip_is_told_how_to_get_it(tiny: Package, tmp_path: Path) -> None:
    with pytest.raises(PipMissingError, match="-m ensurepip"):
        fetch(tiny, tmp_path, pip=(sys.executable, "-I", "-S", "-m", "pip"))


def test_a_pip_py_in_the_current_folder_is_not_run(
    tiny: Package, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pip.py").write_text("raise SystemExit('the wrong pip')")
    monkeypatch.chdir(tmp_path)
    assert fetch(tiny, tmp_path / "cache").is_file()


def test_a_folder_that_cannot_be_made_is_named(tiny: Package, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FolderError, match="file is a file"):
        fetch(tiny, tmp_path / "file" / "cache")


def test_progress_moves_while_pip_works_and_ends_at_the_whole(tiny: Package, tmp_path: Path) -> None:
    told: list[int] = []
    Index.gate.clear()

    def note(here: int) -> None:
        told.append(here)
        if 0 < here < tiny.size_bytes:
            Index.gate.set()

    fetch(tiny, tmp_path, on_bytes=note)
    assert told[-1] == tiny.size_bytes
    assert any(0 < here < tiny.size_bytes for here in told)


def test_a_download_that_is_killed_leaves_nothing_that_counts(tiny: Package, tmp_path: Path) -> None:
    Index.gate.clear()
    code = f"""
from pathlib import Path
from headrace.streams.demo.download import Package, fetch
fetch(Package({tiny.name!r}, '1.0', {tiny.file!r}, {tiny.sha256!r}, 1), Path({str(tmp_path / "cache")!r}))"""
    child = subprocess.Popen([sys.executable, "-c", code], start_new_session=True, stderr=subprocess.PIPE)
    assert Index.reached.wait(30)
    os.killpg(child.pid, signal.SIGKILL)
    child.communicate()
    assert not (tmp_path / "cache" / tiny.file).exists()
    Index.gate.set()
    assert fetch(tiny, tmp_path / "cache").read_bytes() == wheel()


def test_an_interrupted_download_takes_pip_and_its_half_file_along(tiny: Package, tmp_path: Path) -> None:
    Index.gate.clear()

    def interrupt(here: int) -> None:
        if Index.reached.is_set():
            raise KeyboardInterrupt

    before = psutil.Process().children()
    with pytest.raises(KeyboardInterrupt):
        fetch(tiny, tmp_path / "cache", on_bytes=interrupt)
    assert psutil.Process().children() == before  # pip itself would have waited for the other half
    assert list((tmp_path / "cache").iterdir()) == []
