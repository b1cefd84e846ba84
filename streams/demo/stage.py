"""How the demo is seen: a bar and the latest results on a terminal, plain lines otherwise."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from headrace.streams.cli.output import is_terminal, printable, say
from headrace.streams.demo.tally import Tally

__all__ = ["line_of", "preparing", "showing"]

_SHOWN = 5  # results shown by name; after that, one for every so many
_EVERY = 400
_WIDTH = 56
_STEPS = {
    "wait": "waiting for another demo to prepare the model",
    "fetch": "fetching encoder, tokenizer and reviews (107 MB, once)",
    "embed": "reading the training reviews with the frozen encoder (once)",
    "train": "training the classification head",
    "join": "joining head and encoder to one graph",
}


@contextmanager
def preparing() -> Iterator[Callable[[str, int, int], None]]:
    """Give a function that shows the steps of the preparation: bars on a terminal, a line a step otherwise."""
    if not is_terminal():
        told: set[str] = set()

        def tell(step: str, done: int, total: int) -> None:
            if step not in told:
                told.add(step)
                say(f"  {_STEPS[step]}")

        yield tell
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("  {task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        tasks: dict[str, Any] = {}

        def advance(step: str, done: int, total: int) -> None:
            if step not in tasks:
                tasks[step] = progress.add_task(_STEPS[step], total=None)
            progress.update(tasks[step], completed=done, total=total or None)

        yield advance


@contextmanager
def showing(tally: Tally) -> Iterator[Callable[[Mapping[str, Any] | None], None]]:
    """Give a function that shows results as they come."""
    if not is_terminal():
        yield lambda value: _plain(tally, value)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True, highlight=False)
    columns = (TextColumn("  results"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("", total=tally.expected)

        def show(value: Mapping[str, Any] | None) -> None:
            if value is not None and _is_shown(len(tally.results)):
                progress.console.print(line_of(tally, value), markup=False)
            progress.update(task, completed=len(tally.results))

        yield show


def line_of(tally: Tally, value: Mapping[str, Any]) -> str:
    """Return one line for a result: label, score, the model that served, and the beginning of the text."""
    output, text = value["output"], printable(tally.text(str(value["id"])))
    shown = text if len(text) <= _WIDTH else text[: _WIDTH - 3] + "..."
    path = " > ".join(value["route"]["path"])
    return f"  {output['label']:<8} {output['score']:.2f}  {path:<14}  {shown}"


def _plain(tally: Tally, value: Mapping[str, Any] | None) -> None:
    count = len(tally.results)
    if value is not None and _is_shown(count):
        say(f"  {count:>5,} of {tally.expected:,}{line_of(tally, value)}")


def _is_shown(count: int) -> bool:
    return count <= _SHOWN or count % _EVERY == 0
