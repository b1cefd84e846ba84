"""The command line imports what it needs and no more: that is why `--help` and `check` are quick.

It would prove nothing if the commands failed before they import anything; their output is looked at.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROBE = """
import sys
from headrace.streams.cli.main import main
try:
    main(sys.argv[1:])
except SystemExit as done:
    code = done.code
print(code, *sorted({name.partition(".")[0] for name in sys.modules}))
"""
HEAVY = {"aiokafka", "faust", "numpy", "onnxruntime", "rich", "sklearn", "tokenizers", "torch", "transformers"}
WHOLE = """\
headrace: 1
pipeline: imports
input: {topic: imports, text: body}
preprocess: [normalise]
models: {quick: lexicon, other: lexicon}
route: {cascade: {order: [quick, other], accept: 0.9}}
postprocess: [{labels: {threshold: 0.6}}]
output: [{topic: {name: imports.scored, when: "output.score > 0.5"}}]
"""


def modules_after(*arguments: str) -> tuple[str, set[str]]:
    """Return what a command printed, and the top-level modules that it had imported at its end."""
    done = subprocess.run([sys.executable, "-c", PROBE, *arguments], capture_output=True, text=True, check=True)
    printed, _, last = done.stdout.strip().rpartition("\n")
    code, *names = last.split()
    assert code == "0", done.stderr
    return printed, set(names)


def test_help_imports_click_and_no_other_dependency() -> None:
    printed, names = modules_after("--help")
    assert "Usage: headrace" in printed
    assert not names & (HEAVY | {"pydantic", "msgspec", "pluggy", "ruamel", "cel", "vaderSentiment", "fsspec"})


def test_check_loads_every_plugin_and_no_heavy_library(tmp_path: Path) -> None:
    (tmp_path / "whole.yaml").write_text(WHOLE)
    printed, names = modules_after("check", str(tmp_path / "whole.yaml"))
    assert "ok (pipeline imports: 2 models, 1 output" in printed
    assert {"pydantic", "cel"} <= names
    assert not names & HEAVY
