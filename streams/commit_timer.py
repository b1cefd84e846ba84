"""Commits on time, whatever the record loop waits for meanwhile: until then readers may not see what was delivered."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from headrace.streams.delivery import Delivery

__all__ = ["CommitTimer"]


class CommitTimer:
    """Those of one loop.

    Args:
        delivery: says when a commit is due.
        commit: makes it, unless it is not to be made any more.
    """

    def __init__(self, delivery: Delivery, commit: Callable[[], Awaitable[None]]) -> None:
        self._delivery, self._commit = delivery, commit
        self._noted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._failure: Exception | None = None

    def start(self) -> None:
        """Begin to look at the clock."""
        self._task = asyncio.create_task(self._run())

    def stop(self) -> None:
        """Look no more. To be called while no commit is made: one that is cut off breaks its transaction."""
        if self._task is not None:
            self._task.cancel()

    def noted(self) -> None:
        """There may be something to commit."""
        self._noted.set()

    def raise_failed(self) -> None:
        """Raise what a commit has failed with since this was asked last."""
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def forget(self) -> None:
        """Forget what has failed: everything is read again anyway."""
        self._failure = None

    async def _run(self) -> None:
        while True:
            await self._noted.wait()
            self._noted.clear()
            while due_s := self._delivery.due_s:
                await asyncio.sleep(due_s)
            if due_s == 0:
                try:
                    await self._commit()
                except Exception as error:  # noqa: BLE001 - the record loop tells what it means
                    self._failure = error
