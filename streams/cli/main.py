"""`headrace`: the command line's front door. Commands load only when called, so `--help` stays fast."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any

import click

from headrace.core.errors import HeadraceError
from headrace.streams.cli.output import error_lines, printable
from headrace.version import VERSION

__all__ = ["cli", "main"]

# name -> what it does. A command's file is headrace.streams.cli.<name>, its click command the name itself.
# The sentence stands here, not only in the file, because importing ten files to print --help costs 300 ms.
COMMANDS = {
    "init": "Write a small pipeline that runs as it is.",
    "check": "Find everything wrong with a pipeline file.",
    "plan": "Show what a pipeline file compiles to.",
    "run": "Run a pipeline until it is stopped.",
    "status": "Show lag, members, workers and what was changed.",
    "pause": "Let a stage of a running pipeline read nothing for a while.",
    "resume": "Let paused stages of a running pipeline read again.",
    "skip": "Let a stage pass over records that it cannot get past.",
    "publish": "Send JSONL, CSV or text lines to the input topic.",
    "tail": "Show results and dead letters as they come.",
    "dlq": "List, show and redrive dead letters.",
    "model": "Import, list, show, shard and verify models of the registry.",
    "experiment": "List and show the experiments of a pipeline file.",
    "plugins": "List, show and check the installed steps.",
    "schema": "Print the JSON Schema of files and messages, and AsyncAPI.",
    "broker": "Start, stop and look at the embedded Kafka.",
    "demo": "See real reviews flow through a real Kafka and a real transformer.",
    "doctor": "Say what this machine has and lacks.",
    "explain": "Say what an error code means and how to mend it.",
}


class LazyGroup(click.Group):
    """A group that knows its commands by name and imports one only when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of a newcomer's first hour."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command's file; None when there is no such command."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"headrace.streams.cli.{cmd_name}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing any of them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or fail with the nearest name."""
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            import difflib

            close = difflib.get_close_matches(name, COMMANDS, 1)
            ctx.fail(f"no command {name!r}" + (f"; did you mean {close[0]!r}?" if close else ""))
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; `headrace tail | head` ends well when the reader has what it wanted."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # caught here, since click itself would make it exit 1
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(VERSION, "-V", "--version", prog_name="headrace")
@click.option("--debug", is_flag=True, help="Show tracebacks instead of one-line errors.")
def cli(debug: bool) -> None:
    """Transformer inference on Kafka topics: one YAML file describes a pipeline.

    First time? `headrace demo` shows everything at work; `headrace init DIR` gives a file to start from.
    """


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line; end with 0 done, 1 the thing asked for failed, 2 wrong usage."""
    words = list(sys.argv[1:] if args is None else args)
    debug = "--debug" in words
    if debug:  # accepted anywhere, since one adds it after seeing the error
        words = ["--debug", *(word for word in words if word != "--debug")]
    try:
        code = cli.main(words, prog_name="headrace", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except HeadraceError as error:
        if debug:
            raise
        click.echo("\n".join(error_lines(error)), err=True)
        sys.exit(1)
    except Exception as error:  # the last place that can turn a surprise into one line
        if debug:
            raise
        fault = printable(" ".join(str(error).split())[:500])
        click.echo(
            f"HR999 unexpected {type(error).__name__}: {fault}; run again with --debug and report what it prints",
            err=True,
        )
        sys.exit(1)
    sys.exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    main()
