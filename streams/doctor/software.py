"""Python, Headrace, the libraries it stands on, and its plugins."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

from headrace.core.catalog import Catalog
from headrace.streams.doctor.finding import Finding
from headrace.version import VERSION

__all__ = ["look_at_plugins", "look_at_software"]

# Those whose version explains a fault; `pip check` looks at all of them.
_LIBRARIES = (
    "aiokafka",
    "faust-streaming",
    "pluggy",
    "pydantic",
    "msgspec",
    "numpy",
    "tokenizers",
    "transformers",
)
_RUNTIMES = ("onnxruntime-gpu", "onnxruntime")


def look_at_software() -> Iterator[Finding]:
    """Yield what is found of Python, the system, and the libraries; none is imported."""
    yield Finding("python", "ok", f"{platform.python_version()} at {sys.executable}")
    yield _system()
    yield Finding("headrace", "ok", VERSION)
    versions = {name: _version(name) for name in _LIBRARIES}
    runtime = next((name for name in _RUNTIMES if _version(name)), _RUNTIMES[-1])
    versions[runtime] = _version(runtime)
    missing = [name for name, found in versions.items() if found is None]
    if missing:
        mend = "install them again: pip install --force-reinstall headrace"
        yield Finding("libraries", "fail", f"not installed: {', '.join(missing)}", mend)
    present = ", ".join(f"{name} {found}" for name, found in versions.items() if found)
    yield Finding("libraries", "ok", present)


def look_at_plugins(catalog: Catalog) -> Iterator[Finding]:
    """Yield how many steps the plugins bring, and each plugin that is broken."""
    yield Finding("plugins", "ok", f"{len(catalog.specs())} steps")
    for name, fault in catalog.broken.items():
        yield Finding("plugins", "warn", f"{name} cannot be loaded: {fault}", "reinstall or update it")


def _system() -> Finding:
    system = f"{platform.system()} {platform.release()}, {platform.machine()}"
    if platform.system() == "Linux":
        return Finding("system", "ok", system)
    return Finding("system", "warn", f"{system}: Headrace is tested on Linux only", "use Linux if something is odd")


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
