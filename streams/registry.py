"""Where models live when a pipeline file does not say."""

from __future__ import annotations

import os

from headrace.streams.home import home

__all__ = ["default_location"]


def default_location() -> str:
    """Return HEADRACE_REGISTRY, a folder or an fsspec URL, else the folder `registry` in the state folder."""
    return os.environ.get("HEADRACE_REGISTRY") or str(home() / "registry")
