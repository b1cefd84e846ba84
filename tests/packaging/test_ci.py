"""`.ci/run` fails when one of its parts fails, goes on to the others, and ends with the test runner's last line."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAKE = """\
#!/bin/sh
echo "made $1"
test "$1" = test && printf '%s\\n' '== test session starts ==' .F '== FAILURES ==' why \\
    '== short test summary info ==' 'FAILED a' 'LAST'
case " $FAIL " in *" $1 "*) echo "make: *** [$1] Error 1" >&2; exit 2;; esac
"""
LAST = "== 1 failed, 1 passed in 0.1s =="


def ci(folder: Path, fail: str) -> tuple[int, list[str]]:
    """Run CI with a `make` that does nothing but fail where it is told to."""
    make = folder / "make"
    make.write_text(MAKE.replace("LAST", LAST))
    make.chmod(0o755)
    env = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "FAIL": fail}
    done = subprocess.run([str(ROOT / ".ci" / "run")], env=env, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout.splitlines()


@pytest.mark.parametrize("fail", ["", "setup", "check", "test", "check test"])
def test_ci_runs_every_part_and_fails_when_one_fails(tmp_path: Path, fail: str) -> None:
    code, lines = ci(tmp_path, fail)
    assert (code != 0) == bool(fail)
    assert [line for line in lines if line.startswith("made")] == ["made setup", "made check", "made test"]
    assert lines[-1] == LAST
    assert "FAILED a" in lines[-3:]
