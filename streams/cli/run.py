"""`headrace run`: run a pipeline until it is stopped."""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from headrace.core.errors import HeadraceError
from headrace.streams.cli.errors import UnknownGroupError, WorkerNameError
from headrace.streams.cli.output import error_lines, pipeline_argument, say, threads_option

if TYPE_CHECKING:
    from headrace.core.plan.plan import Plan
    from headrace.streams.worker import WorkerSettings

__all__ = ["run"]

_WORKER = re.compile(r"[A-Za-z0-9._-]{1,100}")


@click.command()
@pipeline_argument
@click.option(
    "--worker",
    metavar="NAME",
    envvar="HEADRACE_WORKER",
    help="Name of this worker: it keeps its partitions across restarts.",
)
@click.option("--group", metavar="NAME", help="Run one worker of this group only; without it, all groups.")
@threads_option
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
def run(
    file: Path,
    *,
    worker: str | None,
    group: str | None,
    threads: int | None,
    web_port: int | None,
    form: str,
    log_level: str,
) -> None:
    """Run the pipeline of FILE until Ctrl-C or SIGTERM; batches in flight end first.

    A pipeline of several groups runs as that many child processes, which are started again when they die. With
    --group this process is one worker of one group; start more of them, here or elsewhere, to share its work.
    """
    from headrace.core.plan.compile import compile_file
    from headrace.streams.access.connection import connection_to
    from headrace.streams.home import home
    from headrace.streams.registry import default_location

    if worker and not _WORKER.fullmatch(worker):
        raise WorkerNameError(worker)
    plan = compile_file(file, registry=default_location())
    if group is not None and group not in plan.groups:
        raise UnknownGroupError(group, plan.groups)
    connection = connection_to(plan.broker, start_embedded=True, home=home(), progress=say)
    chosen = group or (next(iter(plan.groups)) if is_single(plan) else None)
    if chosen is None:
        from headrace.streams.cli.run_groups import run_groups

        sys.exit(
            run_groups(
                plan, connection, worker=worker, threads=threads, web_port=web_port, form=form, log_level=log_level
            )
        )
    from headrace.streams.log import set_up_logs
    from headrace.streams.moved import moved_aliases
    from headrace.streams.worker import WorkerSettings

    facts = {"stage": "main"} if is_single(plan) else {"group": chosen}
    set_up_logs("json" if form == "json" else "text", log_level, pipeline=plan.pipeline, **facts)
    if any(model.facts.reference for _, model in plan.model_plans()):
        with told(in_json=form == "json"):
            aliases = moved_aliases(connection, plan.pipeline)
        if aliases:
            plan = compile_file(file, registry=default_location(), aliases=aliases)
    settings = WorkerSettings(connection=connection, group=chosen, name=worker, web_port=web_port, threads=threads)
    _work(plan, settings, in_json=form == "json")


@contextmanager
def told(*, in_json: bool) -> Iterator[None]:
    """End with an error as the last line of the log, in the form of the others."""
    try:
        yield
    except HeadraceError as error:
        if not in_json:
            raise
        _tell(error, in_json=True)
        sys.exit(1)


def is_single(plan: Plan) -> bool:
    """Whether one process runs all of it."""
    return [group.replicas for group in plan.groups.values()] == [1]


def _work(plan: Plan, settings: WorkerSettings, *, in_json: bool) -> None:
    import asyncio

    from headrace.streams.drain import StuckError
    from headrace.streams.worker import run_worker

    runner = asyncio.Runner()
    try:
        with told(in_json=in_json):
            runner.run(run_worker(plan, settings))
    except StuckError as stuck:
        for error in stuck.errors:
            _tell(error, in_json=in_json)
        os._exit(1 if stuck.errors else 0)  # a polite exit would wait for what does not end
    finally:
        runner.close()


def _tell(error: HeadraceError, *, in_json: bool) -> None:
    """Say an error as the last line of the log, in the form of the others."""
    if in_json:
        logging.getLogger("headrace").error("%s", error, extra={"code": error.code})
    else:
        say("\n".join(error_lines(error)))
