"""Asks the coordinator of a consumer group, which a new cluster has to make first."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

__all__ = ["patiently"]

PATIENCE_S = 6.0
FIRST_S = 20.0  # a new cluster makes the topic of its offsets when it is first asked; a slow one takes its time
AGAIN_S = 0.1

Answer = TypeVar("Answer")


async def patiently(ask: Callable[[], Awaitable[Answer]]) -> Answer:
    """Return the answer; a coordinator that is not there yet, or is elsewhere by now, is waited for.

    Raises:
        KafkaError: what it says in the end; at once, if it says that we may not ask.
    """
    from aiokafka.errors import GroupAuthorizationFailedError, GroupCoordinatorNotAvailableError, KafkaError

    begun = time.monotonic()
    while True:
        try:
            return await ask()
        except GroupAuthorizationFailedError:
            raise
        except KafkaError as error:
            patience_s = FIRST_S if isinstance(error, GroupCoordinatorNotAvailableError) else PATIENCE_S
            if time.monotonic() > begun + patience_s:
                raise
            await asyncio.sleep(AGAIN_S)
