"""Records that hold up their partition: what is done before them, and how long they are waited for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import structs

from headrace.core.record import Position
from headrace.core.routing.decision import Decision
from headrace.core.routing.slip import Slip
from headrace.core.wire.dead import Failure
from headrace.streams.hold import Holding, HoldRules
from headrace.streams.slot import Slot
from tests.support.made import record
from tests.support.processes import Processes, through

PAUSES = HoldRules(pauses=True, patience_s=60)
STOPS = HoldRules(stops=True)


def slot(partition: int, offset: int, code: str = "", *, is_transient: bool = False, output: str = "") -> Slot:
    """A record over a link, or one that failed with a code, as a whole or for one output."""
    made = Slot(None, record(), Position("in", partition, 900 + offset), Position("link", partition, offset))
    if code:
        said: dict[str, Any] = {"error": "E", "kind": "author", "message": "no", "stage": "s", "plugin": "p"}
        failure = Failure(code=code, output=output, is_transient=is_transient, **said)
        if output:
            made.dead = [failure]
        else:
            made.fail(failure)
    return made


def places(slots: list[Slot]) -> list[tuple[int, int]]:
    return [(one.carrier.partition, one.carrier.offset) for one in slots]


def test_without_such_rules_every_failure_ends_its_record() -> None:
    slots = [slot(0, 1, "HR501"), slot(0, 2)]
    assert Holding(HoldRules()).cut(slots) == (slots, [])


def test_a_partition_is_done_up_to_the_first_that_holds_it_up_and_the_others_whole() -> None:
    slots = [slot(0, 1), slot(0, 2), slot(0, 2, "HR501"), slot(0, 3), slot(1, 7), slot(0, 4, "HR501")]
    kept, (held,) = Holding(STOPS).cut(slots)
    assert places(kept) == [(0, 1), (1, 7)], "of a frame with a failed record nothing is done"
    assert (held.carrier.offset, held.source.offset, held.is_final) == (2, 902, True)


def test_what_failed_for_one_output_stops_as_well_and_what_was_skipped_does_not() -> None:
    kept, held = Holding(STOPS).cut([slot(0, 1, "HR523"), slot(0, 2, "HR508", output="scored"), slot(0, 3)])
    assert places(kept) == [(0, 1)]
    assert [one.failure.code for one in held] == ["HR508"]


def test_only_what_may_pass_is_waited_for_and_not_for_ever() -> None:
    now = 0.0
    holding = Holding(PAUSES, lambda: now)
    lasting, passing = slot(0, 1, "HR501"), slot(0, 2, "HR501", is_transient=True)
    assert not holding.holds(lasting)
    for second in (0.0, 30.0, 59.0):
        now = second
        _, held = holding.cut([lasting, passing])
        assert [(one.carrier.offset, one.is_final) for one in held] == [(2, False)]
        holding.note(held)
    now = 61.0
    assert holding.cut([passing]) == ([passing], [])
    assert holding.holds(slot(0, 3, "HR501", is_transient=True)), "the next one has a patience of its own"


def test_a_branch_is_waited_for_and_stops_nobody() -> None:
    branch = slot(0, 1, "HR501")
    assert branch.remains is not None
    branch.remains = branch.remains.replace(
        slip=Slip(policy="parallel", decision=Decision(combine="parallel", steps=()), branch=0)
    )
    assert branch.is_branch
    assert Holding(STOPS).cut([branch]) == ([branch], [])
    assert branch.failure is not None
    branch.failure = structs.replace(branch.failure, is_transient=True)
    assert Holding(PAUSES).holds(branch)


def test_what_may_pass_waits_aside_until_its_patience_ends_and_then_fails_as_the_file_says() -> None:
    now = 100.0
    holding = Holding(HoldRules(stops=True, patience_s=60, retries=True), now_s=lambda: now)
    lasting, passing = slot(0, 1, "HR501"), slot(0, 2, "HR501", is_transient=True)
    of_output = slot(0, 3, "HR508", is_transient=True, output="scored")
    holding.begin(lambda slot: False)
    assert [holding.is_aside(one) for one in (lasting, passing, of_output)] == [False, True, True]
    assert [holding.holds(one) for one in (lasting, passing, of_output)] == [True, False, False]
    holding.set_aside([lasting, passing, of_output])
    assert [one.waits for each in (lasting, passing, of_output) for one in each.failures] == [False, True, True]

    tried = slot(0, 4, "HR501", is_transient=True)
    assert tried.remains is not None
    tried.remains = tried.remains.replace(headers=(("headrace.retry.since", b"50000"),))
    holding.begin(lambda slot: False)
    assert holding.is_aside(tried)
    now = 111.0
    assert holding.is_aside(tried), "one batch is judged alike"
    holding.begin(lambda slot: False)
    assert (holding.is_aside(tried), holding.holds(tried)) == (False, True)


def test_a_partition_rests_until_what_lies_next_is_due() -> None:
    now = 0.0
    holding = Holding(HoldRules(), lambda: now)
    holding.rest(("aside", 1), 2.0)
    assert list(holding.waiting()) == [("aside", 1)]
    assert holding.known({("aside", 1)}) == {}, "nothing ails it"
    now = 2.1
    assert holding.waiting() == {}


def test_what_is_to_be_skipped_holds_up_nothing() -> None:
    holding = Holding(HoldRules(stops=True, pauses=True, patience_s=60))
    holding.begin(lambda slot: slot.carrier.offset == 1)
    slots = [slot(0, 1, "HR530"), slot(0, 1, "HR501", is_transient=True), slot(0, 2, "HR501")]
    kept, (held,) = holding.cut(slots)
    assert (places(kept), held.carrier.offset) == ([(0, 1), (0, 1)], 2)


def test_a_record_that_is_to_be_passed_over_holds_up_nothing_and_others_of_its_message_do() -> None:
    holding = Holding(STOPS)
    holding.begin(lambda slot: slot.source.offset == 901)
    slots = [slot(0, 1, "HR530"), slot(0, 2, "HR501")]
    kept, (held,) = holding.cut(slots)
    assert (places(kept), held.source.offset) == ([(0, 1)], 902)


def test_one_batch_is_judged_alike_however_long_it_takes() -> None:
    now = 0.0
    holding = Holding(PAUSES, lambda: now)
    passing = slot(0, 2, "HR501", is_transient=True)
    holding.note(holding.cut([passing])[1])
    now = 59.0
    holding.begin(lambda slot: False)
    now = 61.0
    assert holding.holds(passing)
    holding.begin(lambda slot: False)
    assert not holding.holds(passing)


def test_what_turns_out_to_be_none_to_travel_stops_as_well(processes: Callable[..., Processes]) -> None:
    made = processes(preprocess=["odd"], groups={"in": {"stages": ["ingress"]}}, delivery={"on_failure": "stop"})
    through(made, ["0.2 a", "object", "0.2 b"])
    assert [(one.source.offset, one.failure.code) for one in made.held] == [(1, "HR610")]
    assert (list(made.results), made.dead) == ([0], {})


def test_a_worker_that_stops_on_failures_waits_first_where_it_may_pass() -> None:
    now = 0.0
    holding = Holding(HoldRules(stops=True, pauses=True, patience_s=60), lambda: now)
    passing = slot(0, 2, "HR501", is_transient=True)
    (held,) = holding.cut([passing])[1]
    assert not held.is_final
    holding.note([held])
    now = 61.0
    (held,) = holding.cut([passing])[1]
    assert held.is_final


def test_a_partition_waits_longer_each_time_and_is_free_once_its_record_is_through() -> None:
    now, lasted = 0.0, []
    holding = Holding(PAUSES, lambda: now)
    (held,) = holding.cut([slot(3, 5, "HR501", is_transient=True)])[1]
    for _ in range(7):
        holding.note([held])
        begun = now
        while holding.waiting():
            now += 0.01
        lasted.append(now - begun)
    for seconds, least in zip(lasted, (1, 2, 4, 8, 16, 30, 30), strict=True):
        assert 0.75 * least <= seconds <= 1.26 * least
    assert list(holding.known({("link", 3)}).values()) == ["in:3:905 waits: HR501 no"]
    holding.passed({("link", 3): 5})
    assert holding.known({("link", 3)}) != {}
    holding.passed({("link", 3): 6})
    assert holding.known({("link", 3)}) == {}
