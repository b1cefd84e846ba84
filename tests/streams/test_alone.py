"""A suspect has the process for itself, and batches share it."""

from __future__ import annotations

import asyncio

from headrace.streams.alone import Alone


async def test_a_suspect_waits_for_the_batches_under_way_and_lets_none_begin() -> None:
    alone = Alone()
    alone.join()
    alone.join()
    entered = asyncio.Event()
    done = asyncio.Event()

    async def suspect() -> None:
        async with alone.claimed():
            entered.set()
            await done.wait()

    task = asyncio.create_task(suspect())
    await asyncio.sleep(0)
    assert not alone.is_free, "who comes now waits, or it would never be alone"
    alone.leave()
    await asyncio.sleep(0)
    assert not entered.is_set()
    alone.leave()
    await entered.wait()
    freed = asyncio.create_task(alone.freed())
    await asyncio.sleep(0)
    assert not freed.done()
    done.set()
    await asyncio.gather(task, freed)
    assert alone.is_free


async def test_suspects_follow_one_another_also_after_one_that_failed() -> None:
    alone, at_work, most = Alone(), 0, 0

    async def suspect(*, fails: bool) -> None:
        nonlocal at_work, most
        async with alone.claimed():
            at_work += 1
            most = max(most, at_work)
            await asyncio.sleep(0)
            at_work -= 1
            if fails:
                raise ValueError

    await asyncio.gather(*(suspect(fails=fails) for fails in (False, True, False)), return_exceptions=True)
    assert most == 1
    assert alone.is_free
