"""`headrace run`: run a pipeline until it is stopped."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from headrace.core.errors import HeadraceError
from headrace.streams.cli.output import pipeline_argument, say

if TYPE_CHECKING:
    from headrace.core.plan.plan import Plan
    from headrace.streams.worker import WorkerSettings

__all__ = ["run"]


@click.command()
@pipeline_argument
@click.option(
    "--worker",
    metavar="NAME",
    envvar="HEADRACE_WORKER",
    help="Name of this worker: it keeps its partitions across restarts.",
)
@click.option("--web-port", type=click.IntRange(0, 65535), help="Serve /healthz, /readyz and /metrics on 127.0.0.1.")
@click.option(
    "--log",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Form of the log lines.",
)
@click.option(
    "--log-level", type=click.Choice(["debug", "info", "warning", "error"]), default="info", show_default=True
)
def run(file: Path, worker: str | None, web_port: int | None, form: str, log_level: str) -> None:
    """Run the pipeline of FILE until Ctrl-C or SIGTERM; batches in flight end first."""
    from headrace.core.plan.compile import compile_file
    from headrace.streams.broker import bootstrap
    from headrace.streams.home import home
    from headrace.streams.log import set_up_logs
    from headrace.streams.registry import default_location

    plan = compile_file(file, registry=default_location())
    address = bootstrap(plan.bootstrap, start_embedded=True, home=home(), progress=say)

    from headrace.streams.worker import WorkerSettings

    set_up_logs("json" if form == "json" else "text", log_level, pipeline=plan.pipeline, stage="main")
    _work(plan, WorkerSettings(bootstrap=address, name=worker, web_port=web_port), in_json=form == "json")


def _work(plan: Plan, settings: WorkerSettings, *, in_json: bool) -> None:
    import asyncio

    from headrace.streams.drain import StuckError
    from headrace.streams.worker import run_worker

    runner = asyncio.Runner()
    try:
        runner.run(run_worker(plan, settings))
    except StuckError as stuck:
        for error in stuck.errors:
            _tell(error, in_json=in_json)
        os._exit(1 if stuck.errors else 0)  # a polite exit would wait for what does not end
    except HeadraceError as error:
        if not in_json:
            raise
        _tell(error, in_json=True)
        sys.exit(1)
    finally:
        runner.close()


def _tell(error: HeadraceError, *, in_json: bool) -> None:
    """Say an error as the last line of the log, in the form of the others."""
    if in_json:
        logging.getLogger("headrace").error("%s", error, extra={"code": error.code})
    else:
        say(str(error))
