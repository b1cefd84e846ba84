"""A worker's app from start to end: watched while it runs, and stopped in time, or given up."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from headrace.core.errors import HeadraceError
from headrace.streams.errors import NotDrainedError, NotJoinedError, UnexpectedError
from headrace.streams.health import Health

__all__ = ["Drain", "Ending", "Explain", "StuckError", "live"]

log = logging.getLogger(__name__)

Drain = Callable[[], Awaitable[bool]]
"""Lets every batch of a stage that is in flight end; returns whether all of them ended well."""

Explain = Callable[[BaseException], HeadraceError | None]
"""Returns what an error means that ended Faust; None when it is as unexpected as it looks."""

START_S = 5.0  # connecting and joining take one or two, if the broker is there
JOIN_S = 60.0  # twice as long as a rebalance may take; Faust's consumer never tells of an error before its first one
DRAIN_S = 25.0  # a batch takes at most half of a rebalance's 30 s; Kubernetes kills after 30 s
GOODBYE_S = 5.0  # what is drained only has to say goodbye to the broker, and aiokafka may wait for ever to do so


class StuckError(Exception):
    """Threads or tasks are left that do not end: the process must not wait for them.

    `errors` is what there is to tell; empty when the work itself was done.
    """

    def __init__(self, *errors: HeadraceError) -> None:
        super().__init__(*errors)
        self.errors = errors


class Ending:
    """How a worker is told to end, and whether its work is done.

    Attributes:
        told: done when it shall end; holds the error that ends it, if it is one.
        hurry: set when nobody wants to wait for its batches in flight.
        drained: set while nothing is in flight that would have to be read again.
    """

    def __init__(self) -> None:
        self.told: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.hurry, self.drained = asyncio.Event(), asyncio.Event()
        self.drained.set()
        self._drains: list[Drain] = []

    def add(self, drain: Drain) -> None:
        """Take what lets the batches of one stage end; called before anything is stopped, perhaps again later."""
        self._drains.append(drain)
        self.drained.clear()

    async def drain(self) -> None:
        """Let the batches of all stages end, at the same time."""
        if not self._drains:
            return
        if all(await asyncio.gather(*(drain() for drain in self._drains))):
            self.drained.set()

    def signal(self) -> None:
        """Take SIGTERM or Ctrl-C: the first one ends the worker, the second one makes it hurry."""
        if self.told.done():
            self.hurry.set()
        else:
            log.info("stopping: the batches in flight end first")
            self.told.set_result(None)

    def fail(self, error: HeadraceError) -> None:
        """End the worker for this error."""
        if not self.told.done():
            self.told.set_exception(error)


async def live(app: Any, ending: Ending, health: Health, explain: Explain = lambda error: None) -> None:
    """Start the app, wait until it is told to end or crashes, and stop it: its batches in flight end first.

    Raises:
        StuckError: it does not stop, with what made it end, HR411 if batches in flight were given up, or HR217 if it
            never started.
        HeadraceError: what made it end, if it was no signal; HR411, if its last batches or their commit failed.
    """
    errors: list[HeadraceError] = []
    try:
        await _until(app, ending.told, explain)
    except NotJoinedError as error:
        raise StuckError(error) from None  # what waits for ever to be started cannot be stopped either
    except HeadraceError as error:
        errors.append(error)
    except Exception as error:  # noqa: BLE001 - Faust and aiokafka raise of many kinds when the broker goes meanwhile
        fault = f"the worker could not start: {type(error).__name__}: {error}"
        errors.append(explain(error) or UnexpectedError(fault, mend="look at the log above, then start again"))
    health.stopping()
    is_stopped = await _stop(app, ending)
    if not ending.drained.is_set():
        errors.append(_not_drained(ending, is_stopped))
    if not errors:
        log.info("stopped: every batch in flight was delivered and committed")
    if not is_stopped:
        raise StuckError(*errors)
    if errors:
        raise errors[0]


async def _until(app: Any, told: asyncio.Future[None], explain: Explain) -> None:
    """Start the app and wait for a signal, a failure of the stage, or a crash of Faust's own services."""
    starting = asyncio.create_task(app.start())
    await asyncio.wait({starting, told}, timeout=JOIN_S, return_when=asyncio.FIRST_COMPLETED)
    if told.done():  # but what has started half-way cannot be stopped cleanly
        await asyncio.wait({starting}, timeout=START_S)
    if starting.done():
        starting.result()
    elif not told.done():
        raise NotJoinedError(
            f"the worker did not get into its consumer groups within {JOIN_S:g} s",
            mend="see the log above; is the broker well, and no other worker of this name?",
        )
    crash = asyncio.create_task(app.wait_until_stopped())  # by itself
    await asyncio.wait({crash, told}, return_when=asyncio.FIRST_COMPLETED)
    if not told.done():
        reason = getattr(app, "crash_reason", None)
        known = explain(reason) if reason is not None else None
        raise known or UnexpectedError(f"Faust stopped: {reason!r}", mend="look at the log above, then start again")
    crash.cancel()
    told.result()


async def _stop(app: Any, ending: Ending) -> bool:
    """Stop the app; whether it has stopped when patience is over."""
    stopping, hurry = asyncio.create_task(_drain_and_stop(app, ending)), asyncio.create_task(ending.hurry.wait())
    drained = asyncio.create_task(ending.drained.wait())
    await asyncio.wait({stopping, hurry, drained}, timeout=DRAIN_S, return_when=asyncio.FIRST_COMPLETED)
    if drained.done():
        await asyncio.wait({stopping, hurry}, timeout=GOODBYE_S, return_when=asyncio.FIRST_COMPLETED)
    for waiting in (hurry, drained):
        waiting.cancel()
    with suppress(asyncio.InvalidStateError):  # not done
        stopping.result()
    return stopping.done()


async def _drain_and_stop(app: Any, ending: Ending) -> None:
    await ending.drain()  # before anything is stopped, since Faust's own services may wait for a broker that is away
    await app.stop()


def _not_drained(ending: Ending, is_stopped: bool) -> NotDrainedError:
    if ending.hurry.is_set():
        why = "it was told to hurry"
    else:
        why = "the broker did not take all of them" if is_stopped else f"they did not end within {DRAIN_S:g} s"
    return NotDrainedError(
        f"stopped before the batches in flight had ended: {why}", mend="nothing is lost, they will be read again"
    )
