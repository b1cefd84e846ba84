"""The guard against silent skips, proven on tests that skip.

It would prove nothing if conftest.py were not loaded; the allowed skip and the failed one run side by side for that.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

PLANTED = """
import pytest
def test_allowed(): pytest.skip("told")
def test_silent(): pytest.skip("not told")
@pytest.mark.skip(reason="by mark")
def test_marked(): pass
@pytest.mark.xfail(strict=True)
def test_expected_to_fail(): assert False
def test_passes(): pass
"""


def run(folder: Path) -> str:
    shutil.copy(Path(__file__).with_name("conftest.py"), folder)
    (folder / "allowed_skips.txt").write_text("# leave\ntest_planted.py::test_allowed: a reason\n")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-c",
        "/dev/null",
        "--rootdir",
        ".",
        "-p",
        "no:cacheprovider",
        "-rA",
        ".",
    ]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def test_a_skip_without_leave_fails_and_one_with_leave_does_not(tmp_path: Path) -> None:
    (tmp_path / "test_planted.py").write_text(PLANTED)
    out = run(tmp_path)
    assert "test_planted.py::test_silent is skipped, and allowed_skips.txt gives no leave: Skipped: not told" in out
    assert "test_planted.py::test_marked is skipped" in out
    assert "1 failed, 1 passed, 1 skipped, 1 xfailed, 1 error" in out  # a mark skips in the set-up: an error


def test_a_module_skipped_without_leave_fails(tmp_path: Path) -> None:
    (tmp_path / "test_planted.py").write_text("import pytest\npytest.importorskip('no_such_module')\n")
    assert "test_planted.py is skipped, and allowed_skips.txt gives no leave" in run(tmp_path)
