"""Every hook that a plugin can implement, by phase of life."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from headrace.core.catalog import Catalog

__all__ = ["PROJECT", "hookimpl", "hookspec"]

PROJECT = "headrace"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


# -- start-up: once a process, before any pipeline file is read


@hookspec
def headrace_register(catalog: Catalog) -> None:
    """Register the steps that this plugin brings, one line a step.

    Importing the plugin's module must stay cheap: heavy libraries are imported in a step's `open`.

    Args:
        catalog: has one method a kind of step, for example `catalog.preprocess("shout", Shout, options=ShoutOptions)`.

    Who may implement it: any module or object named by an entry point of group `headrace`.
    """
