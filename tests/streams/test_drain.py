"""How a worker's app begins and ends: told, failed, crashed, stuck."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from headrace.core.errors import HeadraceError
from headrace.streams import drain
from headrace.streams.drain import Ending, StuckError, live
from headrace.streams.errors import NotDrainedError, NotJoinedError, OffsetGapError, UnexpectedError
from headrace.streams.health import Health


class App:
    """A Faust app that starts, crashes and stops as the test says."""

    def __init__(self, ending: Ending) -> None:
        self.ending, self.crashed = ending, asyncio.Event()
        self.starts, self.drains, self.stops = asyncio.Event(), asyncio.Event(), asyncio.Event()
        for event in (self.starts, self.drains, self.stops):
            event.set()
        self.calls: list[str] = []
        self.crash_reason: Exception | None = None
        self.start_fault: Exception | None = None
        self.last_commit_fails = False

    async def start(self) -> None:
        self.calls.append("start")
        if self.start_fault:
            raise self.start_fault
        await self.starts.wait()
        self.ending.add(self.drain)

    async def drain(self) -> bool:
        self.calls.append("drain")
        await self.drains.wait()
        return not self.last_commit_fails

    async def stop(self) -> None:
        self.calls.append("stop")
        await self.stops.wait()

    async def wait_until_stopped(self) -> None:
        await self.crashed.wait()


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("START_S", "JOIN_S", "DRAIN_S", "GOODBYE_S"):
        monkeypatch.setattr(drain, name, 0.1)


@pytest.fixture
async def ending() -> Ending:
    return Ending()


@pytest.fixture
async def app(ending: Ending) -> App:
    return App(ending)


async def lived(app: App, act: Callable[[], Any]) -> tuple[bool, tuple[HeadraceError, ...]]:
    """Live through an act; whether it ended unstuck, and the errors that it ended with."""
    asyncio.get_running_loop().call_later(0.02, act)
    try:
        await live(app, app.ending, Health())
    except StuckError as stuck:
        return False, stuck.errors
    except HeadraceError as error:
        return True, (error,)
    return True, ()


async def test_a_signal_ends_it_and_it_drains(app: App, ending: Ending, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    assert await lived(app, ending.signal) == (True, ())
    assert app.calls == ["start", "drain", "stop"]
    assert caplog.messages[-1] == "stopped: every batch in flight was delivered and committed"


async def test_an_error_of_the_stage_ends_it_and_it_drains_all_the_same(app: App, ending: Ending) -> None:
    error = OffsetGapError("gap")
    assert await lived(app, lambda: ending.fail(error)) == (True, (error,))
    assert app.calls == ["start", "drain", "stop"]


async def test_only_the_first_error_counts(app: App, ending: Ending) -> None:
    first, second = OffsetGapError("first"), OffsetGapError("second")

    def fail() -> None:
        ending.fail(first)
        ending.fail(second)

    assert await lived(app, fail) == (True, (first,))


async def test_a_crash_of_faust_is_told(app: App) -> None:
    app.crash_reason = RuntimeError("out of luck")
    unstuck, (error,) = await lived(app, app.crashed.set)
    assert unstuck
    assert isinstance(error, UnexpectedError)
    assert "out of luck" in str(error)


async def test_a_start_that_fails_is_told_and_what_had_started_is_stopped(app: App) -> None:
    app.start_fault = ConnectionError("gone meanwhile")
    unstuck, (error,) = await lived(app, lambda: None)
    assert (unstuck, app.calls) == (True, ["start", "stop"])
    assert "HR999 the worker could not start: ConnectionError: gone meanwhile" in str(error)


@pytest.mark.provokes("HR217")
async def test_an_app_that_never_starts_is_given_up(app: App) -> None:
    app.starts.clear()
    unstuck, (error,) = await lived(app, lambda: None)
    assert (unstuck, app.calls) == (False, ["start"])
    assert isinstance(error, NotJoinedError)


async def test_a_signal_while_it_starts_waits_for_the_start(app: App, ending: Ending) -> None:
    app.starts.clear()
    asyncio.get_running_loop().call_later(0.05, app.starts.set)
    assert await lived(app, ending.signal) == (True, ())
    assert app.calls == ["start", "drain", "stop"]


async def test_batches_that_do_not_end_are_given_up(app: App, ending: Ending) -> None:
    app.drains.clear()
    unstuck, (error,) = await lived(app, ending.signal)
    assert not unstuck
    assert isinstance(error, NotDrainedError)
    assert "they did not end within" in str(error)


async def test_an_error_is_not_hidden_by_batches_that_do_not_end(app: App, ending: Ending) -> None:
    app.drains.clear()
    gap = OffsetGapError("gap")
    unstuck, errors = await lived(app, lambda: ending.fail(gap))
    assert (unstuck, errors[0], type(errors[1])) == (False, gap, NotDrainedError)


async def test_a_second_signal_does_not_wait(app: App, ending: Ending, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drain, "DRAIN_S", 60)
    app.drains.clear()
    asyncio.get_running_loop().call_later(0.06, ending.signal)
    unstuck, (error,) = await lived(app, ending.signal)
    assert not unstuck
    assert "it was told to hurry" in str(error)


async def test_a_broker_that_takes_no_goodbye_does_not_hold_what_is_drained(app: App, ending: Ending) -> None:
    app.stops.clear()
    assert await lived(app, ending.signal) == (False, ())


async def test_a_goodbye_may_take_a_little(app: App, ending: Ending, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drain, "GOODBYE_S", 60)
    app.stops.clear()
    asyncio.get_running_loop().call_later(0.1, app.stops.set)
    assert await lived(app, ending.signal) == (True, ())


async def test_batches_that_failed_at_the_end_are_told(app: App, ending: Ending) -> None:
    app.last_commit_fails = True
    unstuck, (error,) = await lived(app, ending.signal)
    assert unstuck
    assert "the broker did not take all of them" in str(error)


async def test_one_stage_that_did_not_end_well_is_enough(app: App, ending: Ending) -> None:
    async def other() -> bool:
        return False

    ending.add(other)
    unstuck, (error,) = await lived(app, ending.signal)
    assert (unstuck, app.calls) == (True, ["start", "drain", "stop"]), "the others are drained all the same"
    assert "the broker did not take all of them" in str(error)


async def test_stages_are_drained_at_the_same_time(app: App, ending: Ending) -> None:
    async def other() -> bool:
        app.drains.set()
        return True

    app.drains.clear()
    asyncio.get_running_loop().call_later(0.01, ending.add, other)  # after the app's own, which waits for it
    assert await lived(app, ending.signal) == (True, ())
