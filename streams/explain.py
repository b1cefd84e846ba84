"""Every error code that is known here, with what its docstring says of it."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import entry_points
from typing import NamedTuple

from headrace.core.errors import (
    BrokerError,
    ConfigError,
    HeadraceError,
    MachineError,
    PluginError,
    RecordError,
    TransientError,
)
from headrace.core.hooks import PROJECT

__all__ = ["Explanation", "explanations"]

_WHO: tuple[tuple[type[HeadraceError], str], ...] = (
    (ConfigError, "whoever writes the pipeline file or the command"),
    (PluginError, "the author of the plugin"),
    (BrokerError, "whoever runs the Kafka broker"),
    (MachineError, "whoever looks after the machine"),
    (TransientError, "whoever runs what the step needs"),
    (RecordError, "the publisher of the record; meanwhile it is a dead letter"),
)


class Explanation(NamedTuple):
    """An error, for a person who met its code."""

    code: str
    name: str
    fact: str
    body: str
    who: str


def explanations() -> dict[str, Explanation]:
    """Return every error that has a code, by code: those of Headrace and those of the installed plugins."""
    for module in _error_modules():
        importlib.import_module(module)
    with suppress(HeadraceError):
        from headrace.core.catalog import installed_catalog

        installed_catalog()  # a stranger's plugin brings its own errors
    roots = _packages()
    known = [leaf for leaf in _leaves(HeadraceError) if leaf.__module__.partition(".")[0] in roots]
    leaves = sorted(known, key=lambda leaf: (leaf.code, leaf.__module__, leaf.__qualname__))
    return {leaf.code: _explain(leaf) for leaf in leaves}


def _packages() -> set[str]:
    """Return the top-level packages whose errors a user can meet: ours, and those of installed plugins."""
    return {point.module.partition(".")[0] for point in entry_points(group=PROJECT)} | {PROJECT}


def _error_modules() -> Iterator[str]:
    import headrace.core
    import headrace.plugins
    import headrace.streams

    for package in (headrace.core, headrace.plugins, headrace.streams):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if module.name.rpartition(".")[2] == "errors":
                yield module.name


def _leaves(branch: type[HeadraceError]) -> Iterator[type[HeadraceError]]:
    for leaf in branch.__subclasses__():
        yield from _leaves(leaf)
        if leaf.code and isinstance(leaf.code, str):  # a plugin's author may have written a number
            yield leaf


def _explain(leaf: type[HeadraceError]) -> Explanation:
    fact, _, body = inspect.cleandoc(leaf.__doc__ or "").partition("\n")
    who = next((who for branch, who in _WHO if issubclass(leaf, branch)), "whoever can reproduce it; please report it")
    return Explanation(leaf.code, leaf.__name__, fact, body.strip(), who)
