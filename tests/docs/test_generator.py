"""The generated parts of the docs are made from the code, and a stale one is noticed.

It would prove nothing if the generator looked at no page; a planted page is found stale, written, and found fresh.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from tests.docs.blocks import ROOT

PLANTED = """\
# Planted

<!-- generated: keys BatchLimits; make docs -->
old
<!-- end of generated -->

After.
"""


def generate(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(root / "docs" / "generator"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def planted(root: Path, text: str) -> Path:
    shutil.copytree(ROOT / "docs" / "generator", root / "docs" / "generator")
    (root / "docs" / "page.md").write_text(text)
    (root / "README.md").write_text("# Nothing generated\n")
    return root / "docs" / "page.md"


def test_a_stale_part_is_named_then_made_then_fresh(tmp_path: Path) -> None:
    page = planted(tmp_path, PLANTED)
    stale = generate(tmp_path, "--check")
    assert (stale.returncode, stale.stdout) == (1, "docs/page.md is stale; run make docs\n")
    assert page.read_text() == PLANTED
    assert generate(tmp_path).stdout == "wrote docs/page.md\n"
    assert "| `max_wait` | duration | `5ms` |" in page.read_text()
    assert page.read_text().endswith("<!-- end of generated -->\n\nAfter.\n")
    fresh = generate(tmp_path, "--check")
    assert (fresh.returncode, fresh.stdout) == (0, "")


def test_a_part_that_nothing_makes_or_nothing_ends_is_an_error(tmp_path: Path) -> None:
    page = planted(tmp_path, PLANTED.replace("keys BatchLimits", "nonsense"))
    assert "docs/page.md: nothing makes 'nonsense'" in generate(tmp_path).stderr
    page.write_text(PLANTED.replace("<!-- end of generated -->", ""))
    assert "docs/page.md: a generated part has no end" in generate(tmp_path).stderr
