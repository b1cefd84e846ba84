"""The kind of Faust app that a worker is: without tables on disk, reading committed records only, and patient.

Faust 0.15 reads uncommitted unless it delivers exactly once itself, which doubled records in every trial of it. Its
agents would count what a transaction of ours wrote and then aborted.

What its reader joins is the group of heartbeats, and no fault of that may end a worker that is at work otherwise.
"""

from __future__ import annotations

import asyncio
import logging
import re
from typing import Any

import aiokafka.errors
import faust
from aiokafka import AIOKafkaConsumer
from faust.tables.manager import TableManager
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, Consumer, Transport

__all__ = ["FaustApp"]

log = logging.getLogger(__name__)

AGAIN_S = 1.0
_NAMED = re.compile(r"(\w+Error)\(")


class _Patient(AIOKafkaConsumer):  # type: ignore[misc]  # aiokafka has no types
    """Joins its group again after what aiokafka did not expect, such as a broker that has just started and still loads.

    By itself it tells whoever reads, and does nothing more until that one has heard it. Faust ends, or never listens.
    """

    _held_coordinator: Any = None

    @property
    def _coordinator(self) -> Any:
        return self._held_coordinator

    @_coordinator.setter
    def _coordinator(self, coordinator: Any) -> None:
        self._held_coordinator = coordinator
        if hasattr(coordinator, "_push_error_to_user"):
            tell = coordinator._push_error_to_user

            async def bear(error: BaseException) -> None:
                if not _may_pass(error):
                    await tell(error)
                    return
                log.warning("the reader of heartbeats joins its group again after %s: %s", type(error).__name__, error)
                await asyncio.sleep(AGAIN_S)
                coordinator.request_rejoin()

            coordinator._push_error_to_user = bear


def _may_pass(error: BaseException) -> bool:
    """Whether to try again may help. What it did not expect aiokafka wraps into an error that only names it."""
    named = _NAMED.search(str(error))
    kind = getattr(aiokafka.errors, named[1], None) if named else None
    return bool(getattr(error, "retriable", False) or getattr(kind, "retriable", False))


class _Thread(AIOKafkaConsumerThread):  # type: ignore[misc]  # faust has no types
    logger = logging.getLogger("mode.thread")  # or its start and stop lines would come as ours

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer.__class__ = _Patient
        consumer._isolation_level = "read_committed"  # no setting reaches it; it is read when the consumer starts
        return consumer


class _Consumer(Consumer):  # type: ignore[misc]  # faust has no types
    logger = logging.getLogger("mode.consumer")

    def _new_consumer_thread(self) -> _Thread:
        return _Thread(self, loop=self.loop, beacon=self.beacon)


class _Transport(Transport):  # type: ignore[misc]  # faust has no types
    Consumer = _Consumer


class _Tables(TableManager):  # type: ignore[misc]  # faust has no types
    async def on_start(self) -> None:
        """Start without the second that Faust's own waits for tables that come late: ours are all there by now.

        Nothing is read before, so a worker that was killed would be away for a second more.
        """
        await self._update_channels()
        await self.recovery.start()


class FaustApp(faust.App):  # type: ignore[misc]  # faust has no types
    """A Faust app whose agents see what is committed."""

    logger = logging.getLogger("mode.app")  # mode's own start and stop lines; ours say more

    def __init__(self, *given: Any, **settings: Any) -> None:
        super().__init__(*given, TableManager=_Tables, **settings)

    async def on_first_start(self) -> None:
        """Make no folder for tables: there are none, and the current folder need not be writable."""

    def _new_transport(self) -> _Transport:
        return _Transport(self.conf.broker_consumer, self)
