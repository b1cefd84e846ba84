"""Every error code is provoked by a test that says so: `@pytest.mark.provokes("HRnnn")`.

It would prove nothing if the search found no marks, or if a mark named a code that there is not.
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator

from tests.docs.blocks import ROOT


def explained() -> set[str]:
    """Return the codes that there are, as a process of its own sees them: other tests make error classes too."""
    words = [sys.executable, "-m", "headrace", "explain", "--json"]
    listed = json.loads(subprocess.run(words, capture_output=True, check=True).stdout)
    return {one["code"] for one in listed}


def marked() -> Iterator[str]:
    """Yield the codes that tests say they provoke."""
    for path in (ROOT / "tests").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "provokes":
                yield from (str(one.value) for one in node.args if isinstance(one, ast.Constant))


def test_every_error_code_is_provoked_by_a_test() -> None:
    assert sorted(explained() - set(marked())) == []


def test_no_test_claims_to_provoke_a_code_that_there_is_not() -> None:
    assert set(marked())
    assert sorted(set(marked()) - explained()) == []
