"""Peers that may not share an environment with Headrace get one of their own, made once."""

from __future__ import annotations

import subprocess
import sys
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

__all__ = ["python_with_peers", "runtime_folder"]

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
        _run(sys.executable, "-m", "venv", "--clear", str(folder))
        _run(*pip, *wanted)
        _run(*pip, "--no-deps", "-e", str(_ROOT))
        (folder / "done").touch()
    return str(python)


def runtime_folder(cache: Path, wanted: str) -> str:
    """Return a folder with this version of onnxruntime: first on PYTHONPATH it stands before the installed one.

    Raises:
        SystemExit: pip could not install it.
    """
    folder = cache / f"onnxruntime-{wanted}"
    if not (folder / "done").exists():
        print(f"  installing onnxruntime {wanted}, which the peer in Java has", file=sys.stderr)
        pip = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--upgrade", "--no-deps"]
        _run(*pip, "--target", str(folder), f"onnxruntime=={wanted}")
        (folder / "done").touch()
    return str(folder)


def _run(*words: str) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(words)} failed:\n{done.stdout}{done.stderr}")


def _runtime() -> str:
    """Return the version of onnxruntime that Headrace has; peers get its build for processors."""
    for name in _RUNTIMES:
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    raise SystemExit("onnxruntime is not installed")
