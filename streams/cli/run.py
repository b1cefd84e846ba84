"""`headrace run`: run a pipeline until it is stopped."""

from __future__ import annotations

from pathlib import Path

import click

from headrace.streams.cli.output import pipeline_argument, say

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
    import asyncio

    from headrace.core.plan.compile import compile_file
    from headrace.streams.broker import bootstrap
    from headrace.streams.home import home
    from headrace.streams.log import set_up_logs
    from headrace.streams.registry import default_location

    plan = compile_file(file, registry=default_location())
    address = bootstrap(plan.bootstrap, start_embedded=True, home=home(), progress=say)

    from headrace.streams.worker import WorkerSettings, run_worker

    set_up_logs("json" if form == "json" else "text", log_level, pipeline=plan.pipeline, stage="main")
    asyncio.run(run_worker(plan, WorkerSettings(bootstrap=address, name=worker, web_port=web_port)))
