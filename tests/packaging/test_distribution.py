"""What `pip install` brings: sdist and wheel are built, looked into, and the wheel is used in a fresh environment.

The environment borrows the dependencies of the one that runs the tests, so that they are not downloaded again; headrace
itself comes from the wheel, and a test looks where from.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[2]
NOT_COPIED = shutil.ignore_patterns(".*", "*.egg-info", "build", "dist", "__pycache__", "*-data", "*.pyc")
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))


def run(*command: str | Path, folder: Path) -> str:
    done = subprocess.run(
        [str(word) for word in command],
        cwd=folder,
        env={**os.environ, "KAFKA": "127.0.0.1:9092"},  # one example reads it
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout}"
    return done.stdout


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist, and the wheel that was built from it."""
    source, folder = tmp_path_factory.mktemp("source") / "headrace", tmp_path_factory.mktemp("dist")
    shutil.copytree(ROOT, source, ignore=NOT_COPIED)
    run(sys.executable, "-m", "build", "--outdir", folder, source, folder=source)
    return folder


@pytest.fixture(scope="session")
def fresh(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of a virtual environment that has the wheel."""
    home = tmp_path_factory.mktemp("fresh")
    run(sys.executable, "-m", "venv", home, folder=home)
    (wheel,) = built.glob("*.whl")
    run(home / "bin" / "pip", "install", "-q", "--no-deps", "--no-index", wheel, folder=home)
    inside = run(home / "bin" / "python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", folder=home)
    (Path(inside.strip()) / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return home / "bin"


def test_the_wheel_has_the_code_its_licence_and_its_types_and_no_tests(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    with ZipFile(wheel) as archive:
        names = set(archive.namelist())
    modules = {name for name in names if name.endswith(".py")}
    on_disk = {
        f"headrace/{path.relative_to(ROOT)}"
        for top in ("core", "plugins", "streams")
        for path in (ROOT / top).rglob("*.py")
    }
    assert modules == {name.replace("headrace/core/api/", "headrace/") for name in on_disk}
    assert "headrace/py.typed" in names
    assert any(name.endswith("/LICENSE") for name in names)
    assert {name.partition("/")[0] for name in names} == {
        "headrace",
        f"{wheel.name.removesuffix('-py3-none-any.whl')}.dist-info",
    }


def test_the_sdist_has_what_building_needs(built: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"LICENSE", "README.md", "setup.cfg", "pyproject.toml", "core/api/py.typed"} <= names
    assert not [name for name in names if name.startswith("tests")]


def test_headrace_comes_from_the_wheel(fresh: Path, tmp_path: Path) -> None:
    where = run(fresh / "python", "-c", "import headrace.streams.cli.main as it; print(it.__file__)", folder=tmp_path)
    assert where.startswith(str(fresh.parent))


def test_the_commands_answer(fresh: Path, tmp_path: Path) -> None:
    assert "Usage: headrace" in run(fresh / "headrace", "--help", folder=tmp_path)
    version = run(fresh / "python", "-m", "headrace", "--version", folder=tmp_path)
    assert version == run(fresh / "headrace", "--version", folder=tmp_path)
    assert version.startswith("headrace, version ")


def test_the_examples_that_need_no_model_are_whole(fresh: Path, tmp_path: Path) -> None:
    plain = [path for path in EXAMPLES if "onnx" not in path.read_text(encoding="utf-8")]
    assert plain
    assert run(fresh / "headrace", "check", *plain, folder=tmp_path).count(": ok (") == len(plain)


def test_no_dependency_is_missing_or_in_conflict(fresh: Path, tmp_path: Path) -> None:
    assert "No broken requirements found." in run(fresh / "pip", "check", folder=tmp_path)
