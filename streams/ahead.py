"""Whether ingress waits: for models that are behind in a join that waits for them without a deadline.

What the other models answered meanwhile is held in the memory of egress. It cannot read less itself, since the
answers that it waits for lie behind the others on its link; so nothing new is sent before the models have caught up.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping

from headrace.core.errors import HeadraceError
from headrace.core.plan.plan import Plan
from headrace.core.plan.stages import StagePlan
from headrace.streams.access.connection import Connection
from headrace.streams.observer import Observer
from headrace.streams.offsets import lags

__all__ = ["Ahead", "Brake", "awaited"]

log = logging.getLogger(__name__)

MOST_RECORDS = 50_000
"""About so many records may wait at egress: some 150 MB of usual texts."""
LEAST_FRAMES = 16
LOOK_EVERY_S = 1.0


def awaited(plan: Plan) -> tuple[StagePlan, ...]:
    """Return the stages of models that a join waits for without a deadline, and that read a link."""
    models = {model for join in plan.joins if join.is_apart and join.deadline_ms is None for model in join.models}
    return tuple(stage for stage in plan.stages if stage.reads and stage.kind == "model" and stage.model in models)


class Brake:
    """Holds at a lag that is too large, and lets go at half of it.

    Args:
        most: frames that a link may lag by, over all partitions.
    """

    def __init__(self, most: int) -> None:
        self._most, self.holds = most, False

    @classmethod
    def of(cls, plan: Plan) -> Brake:
        """Return one for the frames of this plan, which have at most `batch.max_records` records."""
        return cls(max(LEAST_FRAMES, MOST_RECORDS // plan.batch.max_records))

    def look(self, frames: int) -> bool:
        """Take the largest lag of now; return whether that changes anything."""
        before, self.holds = self.holds, frames > (self._most // 2 if self.holds else self._most)
        return self.holds != before


class Ahead:
    """Looks at the lags every second.

    Args:
        connection: the broker.
        plan: what runs.
        stopped: returns the models that answer no record now: nothing new waits for them.
    """

    def __init__(self, connection: Connection, plan: Plan, stopped: Callable[[], Collection[str]]) -> None:
        self._observer, self._stopped = Observer(connection, "ahead"), stopped
        self._models = {str(stage.reads): stage.model for stage in awaited(plan)}
        self._readers = {str(stage.reads): stage.consumer_group for stage in awaited(plan)}
        self._brake = Brake.of(plan)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look, if there is anything to look at."""
        if self._readers:
            self._task = asyncio.create_task(self._follow())

    @property
    def holds(self) -> bool:
        """Whether nothing is to be read for now."""
        return self._brake.holds

    async def close(self) -> None:
        """Let go of the broker."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._observer.close()

    async def _follow(self) -> None:
        while True:
            await self._look()
            await asyncio.sleep(LOOK_EVERY_S)

    async def _look(self) -> None:
        from aiokafka.errors import KafkaError

        try:
            found = await lags(self._observer, self._readers)
        except (KafkaError, HeadraceError, OSError, TimeoutError) as error:
            log.warning("whether models lag is not known for now: %s: %s", type(error).__name__, error)
            await self._observer.close()
            return
        self.note({link: sum(by_partition.values()) for link, by_partition in found.items()})

    def note(self, frames: Mapping[str, int]) -> None:
        """Take how many frames each link lags by."""
        stopped = self._stopped()
        going = {model: count for link, count in frames.items() if (model := self._models[link]) not in stopped}
        model, most = max(going.items(), key=lambda item: item[1], default=("", 0))
        if self._brake.look(most):
            if self.holds:
                log.warning(
                    "reading waits for the model %s: it is %d frames behind, and joins wait for it", model, most
                )
            else:
                log.info("reading goes on: the models that joins wait for have caught up, or are stopped")
