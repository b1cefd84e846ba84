"""The map of the house: every module with the sentence it opens with."""

from __future__ import annotations

import ast
from pathlib import Path

from table import code, one_line, table

__all__ = ["module_map"]

ROOT = Path(__file__).parents[2]
FOLDERS = ("core", "plugins", "streams")


def module_map() -> str:
    """Return one table a folder: file, first sentence."""
    folders = [sorted({path.parent for path in (ROOT / top).rglob("*.py")}) for top in FOLDERS]
    parts = [_folder(folder) for inside in folders for folder in inside]
    return "\n\n".join(part for part in parts if part)


def _folder(folder: Path) -> str:
    init = folder / "__init__.py"
    files = [path for path in sorted(folder.glob("*.py")) if path != init]
    if not files:
        return ""
    opening = f"\n\n{_sentence(init)}" if init.exists() else ""
    rows = [(code(path.name), _sentence(path)) for path in files]
    return f"## {folder.relative_to(ROOT)}/{opening}\n\n{table(('File', 'What it is for'), rows)}"


def _sentence(path: Path) -> str:
    doc = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return one_line(doc.partition("\n\n")[0])
