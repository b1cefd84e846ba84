"""Lets faults strike at their moments, under lag and with a batch in flight, and waits until their effects are over."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from tests.chaos.broker import Broker
from tests.chaos.crew import Crew
from tests.chaos.feeder import Feeder
from tests.chaos.load import Made
from tests.chaos.schedule import EVERYWHERE, PLANTED, Fault, Kind
from tests.chaos.stand import BATCH, Layout
from tests.chaos.strike import Doing, Strike
from tests.chaos.watch import Watch
from tests.support.client import until

__all__ = ["Conductor", "StuckError"]

PATIENCE_S = 120.0
MOST_MISSES = 20
LOOK_S = 0.03
LEAST_DEATHS = 3
"""Of a record that kills its process, before it may be condemned."""


class StuckError(AssertionError):
    """The pipeline did not go on, or a fault found nothing to strike."""


class Conductor:
    """Knows how far the pipeline is, and who is hit.

    Args:
        layout: how the pipeline is cut.
        pace_ms: how long the slowest process takes over a record.
        broker: with its wire.
        crew: the workers.
        watch: what they have committed.
        feeder: publishes the load.
        planted: makes the record that a fault plants.
        say: told what happens, a line each.
    """

    def __init__(
        self,
        layout: Layout,
        *,
        pace_ms: float,
        broker: Broker,
        crew: Crew,
        watch: Watch,
        feeder: Feeder,
        planted: Callable[[Fault], Made],
        say: Callable[[str], None],
    ) -> None:
        self._layout, self.broker, self.crew, self.watch, self.feeder = layout, broker, crew, watch, feeder
        self._say, self._made, self._pace_ms = say, planted, pace_ms
        self._groups = tuple(layout.stages)
        self._front = self._groups[0]
        self._marks: dict[str, int] = dict.fromkeys(self._groups, 0)
        self.strikes: list[Strike] = []
        self.read = 0

    def play(self, schedule: Sequence[Fault], doing: Callable[[Conductor, Fault], Doing]) -> None:
        """Let the faults of a schedule strike, one after the other.

        Raises:
            StuckError: something did not go on.
        """
        for fault in schedule:
            self.wait(f"the moment of fault {fault.number}", lambda fault=fault: self.read >= fault.at)  # type: ignore[misc]
            if fault.kind is Kind.DEADLY:
                self._plant_killer(fault)
            elif fault.kind in PLANTED:
                self._plant(fault)
            else:
                self._strike(fault, doing(self, fault))
        self.feeder.finish()
        self.wait("the end of the load", lambda: self.feeder.is_done and self.read == len(self.feeder.due))

    def wait(self, what: str, ask: Callable[[], bool], patience_s: float = PATIENCE_S) -> None:
        """Wait until it is so, and meanwhile look after the workers.

        Raises:
            StuckError: it took too long since the last progress of the input.
        """
        deadline, read = time.monotonic() + patience_s, self.read
        while not ask():
            self._look()
            if self.read != read:
                deadline, read = time.monotonic() + patience_s, self.read
            if time.monotonic() > deadline:
                raise StuckError(
                    f"waited {patience_s:g} s for {what}; {self.read} of {len(self.feeder.due)} records read"
                )
            time.sleep(LOOK_S)

    def in_flight(self, groups: Sequence[str]) -> int:
        """Return how many records the workers of groups have in flight; 0 if there is no lag beside them."""
        count = sum(self.crew.in_flight(group) for group in groups)
        return count if self._lag() > self.crew.in_flight(self._front) else 0

    def progressed(self, groups: Sequence[str], marks: Mapping[str, int]) -> bool:
        """Whether each of the groups has committed more than it had."""
        return all((self.watch.committed(group) or 0) > marks[group] for group in groups)

    def committed_now(self, groups: Sequence[str]) -> dict[str, int]:
        """Return what groups have committed, as soon as the broker says so."""
        return {
            group: until(f"the offsets of {group}", lambda group=group: _some(self.watch.committed(group)))[0]  # type: ignore[misc]
            for group in groups
        }

    def _strike(self, fault: Fault, do: Doing) -> None:
        hit = self._groups if fault.group == EVERYWHERE else (fault.group,)
        for misses in range(MOST_MISSES):
            self.feeder.hold()
            do.prepare()
            self.feeder.go()
            self.wait(f"commits of {hit} since the last fault", lambda: self.progressed(hit, self._marks))
            in_flight, lag = self._await_load(fault, hit)
            began = time.monotonic()
            is_struck = self._do(fault, do, hit)
            took_s = time.monotonic() - began
            do.after()
            self._marks |= self.committed_now(hit)
            may_double = sum(_largest(self._layout.stages[group]) for group in hit) if do.kills else 0
            self.strikes.append(Strike(fault, do.form, in_flight, lag, took_s, may_double, misses, is_struck))
            how = f"over after {took_s:.1f} s" if is_struck else "struck an idle worker, once more"
            self._say(f"fault {fault.number:3} {fault.kind} {do.form} {fault.group}: {how}")
            if is_struck:
                return
        raise StuckError(f"fault {fault.number} found nothing to strike")

    def _do(self, fault: Fault, do: Doing, hit: Sequence[str]) -> bool:
        """Strike, mend, and wait until those hit work again; whether they had something to do when they were hit."""
        is_everywhere = fault.group == EVERYWHERE
        self.feeder.hold()
        do.strike()
        is_behind = not is_everywhere and bool(self.watch.lag(fault.group))
        marks = {} if is_everywhere else self.committed_now(hit)  # without a broker nobody says
        do.mend()
        marks = marks or self.committed_now(hit)
        if not is_behind:
            self.feeder.go()  # else they would be waited for with nothing to do
        self.wait(f"work of {hit} after fault {fault.number}, {fault.kind}", lambda: self.progressed(hit, marks))
        self.feeder.go()
        return is_behind or is_everywhere or not do.kills

    def _plant(self, fault: Fault) -> None:
        """Let its record be published, and wait until it is read; others are before and behind it."""
        made, seen = self._made(fault), [(0, 0)]
        self.feeder.plant(made)

        def is_read() -> bool:
            seen.append((self.crew.in_flight(self._front), self._lag()))
            due, positions = self.feeder.place_of(made.name), self.watch.positions(self._front)
            return due is not None and positions is not None and positions.get(due.partition, 0) > due.offset

        self.wait(f"the record of fault {fault.number}", is_read)
        self.strikes.append(Strike(fault, made.code, *max(seen), None, 0))
        self._say(f"fault {fault.number:3} {fault.kind} {made.code} of {made.stage}: read")

    def _plant_killer(self, fault: Fault) -> None:
        """Let its record be published, and wait until it is a dead letter; whom it kills is started again and again."""
        made, seen, deaths = self._made(fault), [(0, 0)], len(self.crew.deaths)
        began = time.monotonic()
        self.feeder.plant(made)

        def look() -> None:
            seen.append((self.crew.in_flight(self._front), self._lag()))

        def is_published() -> bool:
            look()
            return self.feeder.place_of(made.name) is not None

        def is_dead() -> bool:
            look()
            return self.watch.has_letter(made.name)

        self.wait(f"the record of fault {fault.number}", is_published)
        self.feeder.hold()
        self.wait(f"the dead letter of fault {fault.number}", is_dead)
        self.feeder.go()
        died = len(self.crew.deaths) - deaths
        del self.crew.deaths[deaths:]
        in_flight, lag = max(seen)
        form, doubled = f"{died} deaths at {made.stage}", died * _largest(made.stage)
        self.strikes.append(
            Strike(fault, form, in_flight, lag, time.monotonic() - began, doubled, counts=died >= LEAST_DEATHS)
        )
        self._say(f"fault {fault.number:3} {fault.kind}: {form}, over after {self.strikes[-1].recovery_s:.1f} s")

    def _await_load(self, fault: Fault, hit: Sequence[str]) -> tuple[int, int]:
        """Wait until there is lag and a batch in flight, a part of a batch more, and again; return how much it is."""
        seen = [0]

        def is_loaded() -> bool:
            seen.append(self.in_flight(hit))
            return seen[-1] > 0

        self.wait("a batch in flight", is_loaded)
        time.sleep(fault.phase * BATCH * self._pace_ms / 1000)
        self.wait("a batch in flight", is_loaded)
        return seen[-1], self._lag()

    def _lag(self) -> int:
        return len(self.feeder.due) - self.read

    def _look(self) -> None:
        self.crew.tend()
        positions = self.watch.positions(self._front)
        if positions is None:
            return
        self.read = sum(positions.values())


def _largest(stage: str) -> int:
    """Return how many records two batches of a stage have at most: of a link, the last frame may reach over."""
    return 2 * (BATCH if stage == "ingress" else 2 * BATCH - 1)


def _some(count: int | None) -> tuple[int] | None:
    return None if count is None else (count,)
