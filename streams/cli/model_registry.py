"""What the commands of `headrace model` share: which registry is meant, and how sizes are written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from headrace.core.registry.store import Registry

__all__ = ["open_registry", "registry_option", "size_words"]

registry_option = click.option(
    "--registry",
    "location",
    metavar="LOCATION",
    help="A folder or fsspec URL.  [default: HEADRACE_REGISTRY, else registry in the state folder]",
)


def open_registry(location: str | None) -> Registry:
    """Return the registry that is meant."""
    from headrace.core.registry.store import Registry
    from headrace.streams.registry import default_location

    return Registry(location or default_location())


def size_words(size_bytes: float) -> str:
    """Return a number of bytes as people read it."""
    size, units = float(size_bytes), ["B", "kB", "MB", "GB"]
    while size >= 1000 and len(units) > 1:
        size, units = size / 1000, units[1:]
    return f"{size:.1f} {units[0]}" if units[0] != "B" else f"{size_bytes:.0f} B"
