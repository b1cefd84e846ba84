"""Who may be at work in this process: batches of any stage beside each other, or one suspect alone.

Only of a record that was alone can it be said that it killed its process.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

__all__ = ["Alone"]


class Alone:
    """A lock that many batches share, or one suspect has; suspects go first. For one event loop."""

    def __init__(self) -> None:
        self._batches = self._claims = 0
        self._quiet, self._free = asyncio.Event(), asyncio.Event()
        self._quiet.set()
        self._free.set()
        self._turn = asyncio.Lock()

    @property
    def is_free(self) -> bool:
        """Whether a batch may begin."""
        return not self._claims

    async def freed(self) -> None:
        """Wait until a batch may begin; ask again, since another suspect may have been faster."""
        await self._free.wait()

    def join(self) -> None:
        """A batch begins, while `is_free`."""
        self._batches += 1
        self._quiet.clear()

    def leave(self) -> None:
        """A batch has ended."""
        self._batches -= 1
        if not self._batches:
            self._quiet.set()

    @asynccontextmanager
    async def claimed(self) -> AsyncIterator[None]:
        """Let no batch begin, wait for the end of those under way, and for that of other suspects."""
        self._claims += 1
        self._free.clear()
        try:
            async with self._turn:
                await self._quiet.wait()
                yield
        finally:
            self._claims -= 1
            if not self._claims:
                self._free.set()
