"""Show what a command waits for: a spinner on a terminal, plain lines otherwise, always on stderr."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from headrace.streams.cli.output import is_terminal, printable, say

__all__ = ["waiting"]


@contextmanager
def waiting() -> Iterator[Callable[[str], None]]:
    """Give a function that is told, phrase by phrase, what is being waited for.

    On a terminal the last phrase spins and vanishes when all went well; the ones before it stay, since they tell what
    was decided ("port 9092 is taken; using 40123").
    """
    if not is_terminal():
        yield lambda phrase: say(printable(phrase))
        return
    from rich.console import Console
    from rich.text import Text

    console, told = Console(stderr=True, highlight=False), list[Text]()
    with console.status("") as spinner:

        def tell(phrase: str) -> None:
            if told:
                console.print(told[-1])
            told.append(Text(printable(phrase), style="dim"))
            spinner.update(told[-1])

        try:
            yield tell
        except BaseException:  # Ctrl-C among them: what was awaited, or done last, is the answer to "what now?"
            if told:
                console.print(told[-1])
            raise
