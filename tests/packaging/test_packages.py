"""Guards of setup.cfg: every folder is installed, every plugin is found, and nothing is imported under two names.

They would prove nothing if setup.cfg were not found or no folder were walked; both are looked at.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from configparser import ConfigParser
from pathlib import Path

ROOT = Path(__file__).parents[2]
TOPS = ("core", "plugins", "streams")


def settings() -> ConfigParser:
    config = ConfigParser()
    assert config.read(ROOT / "setup.cfg")
    return config


def package_of(folder: Path) -> str:
    """Return the package that a folder is installed as; core/api is headrace itself."""
    parts = folder.relative_to(ROOT).parts
    return "headrace" if parts == ("core", "api") else ".".join(("headrace", *parts))


def module_files(*tops: str) -> list[Path]:
    found = [path for top in tops for path in sorted((ROOT / top).rglob("*.py"))]
    assert found
    return found


def test_every_package_folder_is_listed_and_every_listed_one_is_there() -> None:
    listed = settings()["options"]["packages"].split()
    on_disk = {package_of(path.parent) for path in module_files(*TOPS)}
    assert sorted(on_disk) == sorted(listed)


def test_every_folder_with_modules_is_a_package() -> None:
    folders = {path.parent for path in module_files(*TOPS)}
    assert [str(folder) for folder in folders if not (folder / "__init__.py").exists()] == []


def test_every_plugin_module_has_an_entry_point_of_its_name() -> None:
    lines = settings()["options.entry_points"]["headrace"].strip().splitlines()
    declared = dict(line.split(" = ") for line in lines)
    registering = {
        path.stem: f"{package_of(path.parent)}.{path.stem}"
        for path in module_files("plugins")
        if any(isinstance(node, ast.FunctionDef) and node.name == "headrace_register" for node in tree(path).body)
    }
    assert declared == registering


def test_nothing_is_imported_under_two_names() -> None:
    assert not {*TOPS} & sys.modules.keys()
    everywhere = module_files(*TOPS, "tests", "docs", "benchmarks")
    assert [f"{path}: {name}" for path in everywhere for name in imported(path) if name.partition(".")[0] in TOPS] == []


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module or ""
