"""The Faust app that hosts a group: life cycle, supervision, and the agent that reads the heartbeat topic."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from headrace.core.plan.stages import StagePlan
from headrace.streams.access.connection import Connection
from headrace.streams.beat import BeatService
from headrace.streams.stage import StageService
from headrace.streams.watch import WatchService
from headrace.streams.worker_parts import WorkerParts

__all__ = ["make_app"]

log = logging.getLogger(__name__)


def make_app(parts: WorkerParts, entries: Sequence[StagePlan]) -> Any:
    """Return the Faust app of a group, not yet started.

    Each stage that reads a topic runs as a service beside Faust's own consumer; that consumer reads the heartbeat topic
    only, because a Faust app without any agent's topic does not start.
    """
    from headrace.streams.faust_app import FaustApp

    plan = parts.plan
    app = FaustApp(
        parts.group.app_id,
        broker=_urls(parts.connection),
        broker_credentials=parts.connection.credentials,
        store="memory://",
        web_enabled=False,  # health and metrics are served by headrace.streams.web, also while Faust is still starting
        topic_disable_leader=True,
        topic_partitions=1,
        topic_replication_factor=1,
        topic_allow_declare=False,  # topics are made by headrace.streams.topics, as the plan says
        key_serializer="raw",
        value_serializer="raw",
        broker_session_timeout=6,
        broker_heartbeat_interval=1,
        consumer_auto_offset_reset="latest",
        broker_client_id=f"headrace-{plan.pipeline}-{parts.instance}-faust",
        loghandlers=[],
        **_instance(parts.worker),
    )
    heartbeats = app.topic(parts.group.heartbeat_topic, value_type=bytes, partitions=1)

    @app.agent(heartbeats, name=f"{plan.pipeline}.heartbeats")  # type: ignore[untyped-decorator]
    async def heartbeat(stream: Any) -> None:
        async for _ in stream:
            pass  # reading them keeps Faust's consumer alive; later parts show them in `headrace status`

    app.service(type("Beat", (BeatService,), {"parts": parts}))
    app.service(type("Watch", (WatchService,), {"parts": parts}))
    for stage in entries:
        app.service(type(f"Stage_{stage.name}", (StageService,), {"parts": parts, "stage": stage}))
    return app


def _urls(connection: Connection) -> list[str]:
    return [f"kafka://{address.strip()}" for address in connection.bootstrap.split(",")]


def _instance(worker: str | None) -> dict[str, str]:
    # Static membership must hold for Faust's consumer as well: the stage starts only after it has recovered.
    return {"consumer_group_instance_id": f"{worker}-faust"} if worker else {}
