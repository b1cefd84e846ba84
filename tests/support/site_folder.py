"""A folder of distributions as pip would leave it, for tests of plugins that are broken, doubled or odd."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

__all__ = ["headrace", "put_plugin"]


def put_plugin(folder: Path, name: str, source: str, *, version: str = "1.0") -> None:
    """Put a distribution `name` with one module and one entry point of the same name into the folder."""
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.py").write_text(source)
    facts = folder / f"{name}-{version}.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (facts / "entry_points.txt").write_text(f"[headrace]\n{name} = {name}\n")


def headrace(site: Path, *words: str | Path, environment: Mapping[str, str] = {}) -> subprocess.CompletedProcess[str]:
    """Run `headrace WORDS...` in a process of its own that finds the folder's distributions."""
    command = [sys.executable, "-m", "headrace", *(str(word) for word in words)]
    variables = {**os.environ, "PYTHONPATH": str(site), **environment}
    return subprocess.run(command, env=variables, capture_output=True, text=True, timeout=60, check=False)
