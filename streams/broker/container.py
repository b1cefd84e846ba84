"""Whether this process runs in a container that will be thrown away with its disk."""

from __future__ import annotations

import os

__all__ = ["in_container"]


def in_container() -> bool:
    """Return whether HEADRACE_CONTAINER says so; Headrace's own image sets it.

    It is said, not guessed: a development container, a cloud workspace and a CI job look like containers too
    (`/.dockerenv`, cgroups), and there the embedded broker is just what is wanted.
    """
    return os.environ.get("HEADRACE_CONTAINER", "").lower() not in ("", "0", "false", "no")
