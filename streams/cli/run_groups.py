"""Run every group of a plan as supervised child processes: `headrace run FILE` of a pipeline that comes apart."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping

from headrace.core.plan.plan import Plan
from headrace.streams.access.connection import Connection
from headrace.streams.home import home
from headrace.streams.supervisor.child import ChildSpec
from headrace.streams.supervisor.prefix import worker_prefix
from headrace.streams.supervisor.supervise import supervise
from headrace.streams.threads import THREADS, threads_of

__all__ = ["run_groups"]


def run_groups(
    plan: Plan,
    connection: Connection,
    *,
    worker: str | None,
    threads: int | None,
    web_port: int | None,
    form: str,
    log_level: str,
) -> int:
    """Run until a signal, and return the exit code.

    Args:
        plan: its groups, with their replicas.
        connection: the broker, the same for all.
        worker: what the children's names begin with; None lets this machine and its state folder decide.
        threads: of a run of a model in each; None shares the cores among the children.
        web_port: the first child's port for health and metrics, the next ones follow; 0 lets the system choose each.
        form: of the log, text or json.
        log_level: of the log.
    """
    with worker_prefix(home(), plan.pipeline) as (prefix, state_file):
        environ = {
            **os.environ,
            "HEADRACE_BROKER": connection.bootstrap,
            THREADS: str(threads_of(plan, threads).threads),
        }
        children = list(
            _children(plan, environ, prefix=worker or prefix, web_port=web_port, form=form, log_level=log_level)
        )
        facts = {"pipeline": plan.pipeline}
        return supervise(children, form="json" if form == "json" else "text", facts=facts, state_file=state_file)


def _children(
    plan: Plan, environ: Mapping[str, str], *, prefix: str, web_port: int | None, form: str, log_level: str
) -> Iterator[ChildSpec]:
    at = 0
    for group in plan.groups.values():
        for replica in range(group.replicas):
            name = group.name if group.replicas == 1 else f"{group.name}.{replica + 1}"
            port = [] if web_port is None else ["--web-port", str(web_port + at if web_port else 0)]
            words = ["run", plan.file, "--group", group.name, "--worker", f"{prefix}-{name}", *port]
            yield ChildSpec(
                name, [sys.executable, "-m", "headrace", *words, "--log", form, "--log-level", log_level], environ
            )
            at += 1
