"""The import rules of setup.cfg break when somebody breaks them: import-linter is shown a tree with a planted breach.

Through an editable install it sees three modules only, and keeps every contract; so `make check` shows it `.typing`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the code with the tree that `make types` makes."""
    for name in ("core", "plugins", "streams"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("Makefile", "setup.cfg"):
        shutil.copy(ROOT / name, tmp_path)
    subprocess.run(["make", "-s", "types"], cwd=tmp_path, check=True)
    return tmp_path


def lint(tree: Path) -> subprocess.CompletedProcess[str]:
    linter = Path(sys.executable).with_name("lint-imports")
    command = [str(linter), "--config", "setup.cfg", "--no-cache"]
    env = {**os.environ, "PYTHONPATH": ".typing", "COLUMNS": "200"}
    return subprocess.run(command, cwd=tree, env=env, capture_output=True, text=True, check=False)


def test_the_code_keeps_every_rule(tree: Path) -> None:
    done = lint(tree)
    assert "Contracts: 3 kept, 0 broken." in done.stdout
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("place", "breach", "rule"),
    [
        ("core/wire/planted.py", "import headrace.plugins.sinks.topic", "streams above plugins above core"),
        ("plugins/sinks/planted.py", "import headrace.streams.home", "streams above plugins above core"),
        ("core/plan/planted.py", "def f() -> None:\n    import aiokafka", "core needs no Kafka, no Faust"),
        ("plugins/codecs/planted.py", "import headrace.plugins.models.lexicon", "plugins of one kind"),
    ],
)
def test_a_breach_is_found(tree: Path, place: str, breach: str, rule: str) -> None:
    (tree / place).write_text(f'"""Planted."""\n\n{breach}\n')
    done = lint(tree)
    assert done.returncode == 1
    assert any(line.startswith(rule) and " BROKEN" in line for line in done.stdout.splitlines()), done.stdout
