"""The kind of Faust app that a worker is: without tables on disk, reading committed records only, and patient.

Faust 0.15 reads uncommitted unless it delivers exactly once itself, which doubled records in every trial of it. Its
agents would count what a transaction of ours wrote and then aborted.

What its reader joins is the group of heartbeats, and no fault of that may end a worker that is at work otherwise.
"""

from __future__ import annotations

import logging
from typing import Any

import faust
from aiokafka import AIOKafkaConsumer
from faust.tables.manager import TableManager
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, Consumer, Transport

from headrace.streams.rejoining import Rejoining

__all__ = ["FaustApp"]


class _Patient(Rejoining, AIOKafkaConsumer):  # type: ignore[misc]  # aiokafka has no types
    """Ends no worker for what may pass."""


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
