"""How each kind of fault is done to processes, and mended."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

from tests.chaos.conductor import Conductor
from tests.chaos.schedule import Fault, Kind
from tests.chaos.strike import Doing

__all__ = ["STOPPED_S", "doing"]

STOPPED_S = 15.0  # longer than a session, so that the group gives a stopped worker's partitions away
SHORTEST_CUT_S, LONGEST_CUT_S = 0.5, 8.0
GUEST = "w2"


def doing(conductor: Conductor, fault: Fault) -> Doing:
    """Return how a fault is done."""
    return _KINDS[fault.kind](conductor, fault)


def _kill(conductor: Conductor, fault: Fault) -> Doing:
    crew = conductor.crew
    return Doing(strike=lambda: crew.worker(fault.group).kill(), mend=lambda: _replace(conductor, fault.group))


def _replace(conductor: Conductor, group: str) -> None:
    conductor.crew.start(group)


def _terminate(conductor: Conductor, fault: Fault) -> Doing:
    def strike() -> None:
        code = conductor.crew.worker(fault.group).terminate(40)
        assert code == 0, f"SIGTERM ended {fault.group} with {code}"

    # It drains: nothing may come twice.
    return Doing(strike=strike, mend=lambda: _replace(conductor, fault.group), kills=False)


def _stop(conductor: Conductor, fault: Fault) -> Doing:
    """With or without another worker that takes over meanwhile, so that the stopped one comes back as a zombie."""
    crew, group, has_guest = conductor.crew, fault.group, fault.variety < 0.5

    def strike() -> None:
        crew.worker(group).process.send_signal(signal.SIGSTOP)

    def mend() -> None:
        time.sleep(STOPPED_S)
        crew.worker(group).process.send_signal(signal.SIGCONT)

    def invite() -> None:
        crew.start(group, GUEST).ready()

    if not has_guest:
        return Doing(strike, mend, form="alone")
    return Doing(strike, mend, after=lambda: _leave(conductor, group), prepare=invite, form="taken over")


def _churn(conductor: Conductor, fault: Fault) -> Doing:
    """Another worker joins, works, and leaves, politely or not."""
    crew, group, is_polite = conductor.crew, fault.group, fault.variety < 0.5

    def strike() -> None:
        crew.start(group, GUEST)

    def mend() -> None:
        conductor.wait("the guest's first word", lambda: crew.worker(group, GUEST).port > 0)
        conductor.feeder.go()  # it is about to join, and shall do so under load
        conductor.wait("work of the guest", lambda: crew.in_flight(group, GUEST) > 0)
        if is_polite:
            _leave(conductor, group)
        else:
            crew.worker(group, GUEST).kill()
            crew.forget(group, GUEST)

    return Doing(strike, mend, form="leaves" if is_polite else "is killed", kills=not is_polite)


def _leave(conductor: Conductor, group: str) -> None:
    code = conductor.crew.worker(group, GUEST).terminate(40)
    conductor.crew.forget(group, GUEST)
    assert code == 0, f"SIGTERM ended the guest of {group} with {code}"


def _broker(conductor: Conductor, fault: Fault) -> Doing:
    return Doing(strike=conductor.broker.kill, mend=conductor.broker.restart)


def _cut(conductor: Conductor, fault: Fault) -> Doing:
    """In silence, so that what was sent arrives once it is mended, or with a reset of every connection."""
    network, is_silent = conductor.broker.network, fault.phase < 0.5
    lasting_s = SHORTEST_CUT_S + fault.variety * (LONGEST_CUT_S - SHORTEST_CUT_S)

    def mend() -> None:
        time.sleep(lasting_s)
        network.mend()

    form = f"{'in silence' if is_silent else 'with a reset'} for {lasting_s:.1f} s"
    return Doing(strike=lambda: network.cut(silently=is_silent), mend=mend, form=form)


def _fill(conductor: Conductor, fault: Fault) -> Doing:
    return Doing(strike=conductor.broker.fill_disk, mend=conductor.broker.free_disk)


_KINDS: dict[Kind, Callable[[Conductor, Fault], Doing]] = {
    Kind.KILL: _kill,
    Kind.TERM: _terminate,
    Kind.STOP: _stop,
    Kind.CHURN: _churn,
    Kind.BROKER: _broker,
    Kind.CUT: _cut,
    Kind.DISK: _fill,
}
