"""Peers that may not share an environment with Headrace get one of their own, made once."""

from __future__ import annotations

import subprocess
import sys
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

__all__ = ["python_with_peers"]

_PINNED = ("quixstreams==3.28.1", "bytewax==0.21.1")
_SHARED = ("msgspec", "pydantic", "pluggy", "ruamel.yaml")
_RUNTIMES = ("onnxruntime-gpu", "onnxruntime")
_ROOT = Path(__file__).parents[2]


def python_with_peers(cache: Path) -> str:
    """Return the Python of an environment that has Quix Streams and Bytewax, and what our functions import.

    Raises:
        SystemExit: pip could not install them; a comparison without the peer is none.
    """
    wanted = [*_PINNED, *_SHARED, f"numpy=={version('numpy')}", f"onnxruntime=={_runtime()}"]
    folder = cache / f"peers-{sha256(' '.join([*wanted, str(_ROOT)]).encode()).hexdigest()[:12]}"
    python = folder / "bin" / "python"
    if not (folder / "done").exists():
        pip = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        print("  installing Quix Streams and Bytewax", file=sys.stderr)
        for words in (
            [sys.executable, "-m", "venv", "--clear", str(folder)],
            [*pip, *wanted],
            [*pip, "--no-deps", "-e", str(_ROOT)],
        ):
            done = subprocess.run(words, capture_output=True, text=True, check=False)
            if done.returncode:
                raise SystemExit(f"{' '.join(words)} failed:\n{done.stdout}{done.stderr}")
        (folder / "done").touch()
    return str(python)


def _runtime() -> str:
    """Return the version of onnxruntime that Headrace has; peers get its build for processors."""
    for name in _RUNTIMES:
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    raise SystemExit("onnxruntime is not installed")
