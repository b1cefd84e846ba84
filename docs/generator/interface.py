"""What can be read off the code that users touch: commands, public names, metrics."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from table import code, one_line, table

import headrace
from headrace.streams.cli.main import COMMANDS
from headrace.streams.meter import Meter

__all__ = ["command_table", "metric_table", "name_table"]

# What has no docstring of its own, because it is an alias, a value or a marker.
_SAID = {
    "Output": "What a model says of one record: a JSON object as a mapping.",
    "__version__": "The version of Headrace.",
    "hookimpl": "Marks a function of yours as the implementation of the hook of that name.",
}


def command_table() -> str:
    """Return the commands in the order of a newcomer's first hour."""
    return table(("Command", "What it does"), ((code(f"headrace {name}"), what) for name, what in COMMANDS.items()))


def name_table() -> str:
    """Return every public name with the first sentence of its docstring."""
    return table(("Name", "What it is"), ((code(name), _first(name)) for name in headrace.__all__))


def metric_table() -> str:
    """Return every figure of /metrics."""
    return table(("Metric", "Type", "Labels", "Meaning"), _metrics())


def _first(name: str) -> str:
    said = _SAID.get(name)
    return said or one_line((inspect.getdoc(getattr(headrace, name)) or "").partition("\n\n")[0])


def _metrics() -> Iterator[tuple[str, ...]]:
    # Labels show in what is collected only once something was counted, so they are read off the collectors.
    for collector in vars(Meter("docs").registry)["_collector_to_names"]:
        labels = ", ".join(code(name) for name in vars(collector)["_labelnames"])
        for metric in collector.collect():
            suffix = "_total" if metric.type == "counter" else ""
            yield code(metric.name + suffix), metric.type, labels, metric.documentation
