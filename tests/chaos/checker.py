"""Judges a run under faults by its topics alone.

It shares no code with the engine: messages were read by another Kafka client, ids are spelled out again, and what is
due is known from what was published and from a run of the same input without faults.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence

from tests.chaos.compare import changed_letter, changed_result
from tests.chaos.ends import Due, Ends, source_of
from tests.chaos.exposed import judge_exposures
from tests.chaos.finding import ALTERED, DOUBLED, LOST, MISJUDGED, UNASKED, Finding
from tests.chaos.order import Scope, judge_order
from tests.support.client import Seen

__all__ = ["MAIN", "judge"]

MAIN = "out"
"""The role of the output that gets every result."""

_ById = Mapping[str, Sequence[Seen]]


def judge(
    due: Sequence[Due],
    stormy: Ends,
    calm: Ends,
    scope: Scope,
    waits: Callable[[int], bool] = lambda offset: False,
) -> list[Finding]:
    """Return everything that is wrong with a run under faults.

    Args:
        due: what was published, and how each record must end.
        stormy: what the run left.
        calm: what a run of the same input without faults left; only its results and exposures are looked at.
        scope: within what the order of results is promised.
        waits: tells the offsets whose records wait aside: nothing is promised of their order.
    """
    by_id = {one.id: one for one in due}
    letters = _grouped(stormy.dead, source_of)
    outputs = {role: _grouped(seen, _id) for role, seen in stormy.outputs.items()}
    expected = {role: _grouped(seen, _id) for role, seen in calm.outputs.items()}
    found = [*_calm_itself(due, expected), *_unknown(by_id, outputs, letters)]
    for one in due:
        found += _ended_as_letter(one, outputs, letters) if one.code else _ended_well(one, outputs, expected, letters)
    found += _doubled(due, outputs, letters)
    for role, seen in stormy.outputs.items():
        found += [*_identities(role, seen, stormy.pipeline), *judge_order(role, seen, scope, waits)]
    return [*found, *judge_exposures(stormy, calm)]


def _calm_itself(due: Sequence[Due], expected: Mapping[str, _ById]) -> Iterator[Finding]:
    """A reference that lacks a result, or has one too many, would excuse the same fault in the run."""
    for one in due:
        count = len(expected[MAIN].get(one.id, ()))
        if count != (0 if one.code else 1):
            yield Finding(LOST, one.id, f"the run without faults gave {count} results")


def _unknown(by_id: Mapping[str, Due], outputs: Mapping[str, _ById], letters: _ById) -> Iterator[Finding]:
    for role, found in {**outputs, "dead letters": letters}.items():
        for id_ in found.keys() - by_id.keys():
            yield Finding(UNASKED, id_, f"{role} has a record that nobody published")


def _ended_well(
    one: Due, outputs: Mapping[str, _ById], expected: Mapping[str, _ById], letters: _ById
) -> Iterator[Finding]:
    for letter in letters.get(one.id, ()):
        yield Finding(MISJUDGED, one.id, f"a dead letter with {_reason(letter, 'headrace.code')}")
    for role, results in expected.items():
        calm = results.get(one.id, ())
        seen = outputs[role].get(one.id, ())
        if calm and not seen:
            yield Finding(LOST, one.id, f"no result on {role}")
        if seen and not calm:
            yield Finding(UNASKED, one.id, f"{role} has a result that is not due there")
        for copy in seen if calm else ():
            changed = changed_result(copy, calm[0])
            if changed:
                yield Finding(ALTERED, one.id, f"{role}: {'; '.join(changed)}")


def _ended_as_letter(one: Due, outputs: Mapping[str, _ById], letters: _ById) -> Iterator[Finding]:
    for role, results in outputs.items():
        if one.id in results:
            yield Finding(UNASKED, one.id, f"{role} has a result of a record that must be a dead letter")
    found = letters.get(one.id, ())
    if not found:
        yield Finding(LOST, one.id, f"no dead letter; due with {one.code}")
    for letter in found:
        said = (_reason(letter, "headrace.code"), _reason(letter, "headrace.stage"))
        if said != (one.code, one.stage):
            yield Finding(MISJUDGED, one.id, f"{' of '.join(said)} instead of {one.code} of {one.stage}")
        for change in changed_letter(letter, one):
            yield Finding(ALTERED, one.id, f"dead letter: {change}")


def _doubled(due: Sequence[Due], outputs: Mapping[str, _ById], letters: _ById) -> Iterator[Finding]:
    """A record that was read twice comes twice to each of its outputs: that is one double, not several."""
    places = {**outputs, "dead letters": letters}
    for one in due:
        counts = {role: len(found.get(one.id, ())) for role, found in places.items()}
        copies = max(counts.values()) - 1
        if copies > 0:
            where = ", ".join(f"{role} {count}" for role, count in counts.items() if count)
            yield Finding(DOUBLED, one.id, f"came more than once: {where}", copies)


def _identities(role: str, seen: Sequence[Seen], pipeline: str) -> Iterator[Finding]:
    """Copies have one `ce_id`, other results another; pipeline and plan are those of the run."""
    ids: dict[str, str] = {}
    plans: set[str] = set()
    for one in seen:
        body = one.body
        plans.add(body["plan"])
        named = one.header("ce_id")
        if ids.setdefault(named, body["id"]) != body["id"] or body["pipeline"] != pipeline:
            yield Finding(ALTERED, body["id"], f"{role}: ce_id {named} of another result, or of another pipeline")
    if len(set(ids.values())) != len(ids):
        yield Finding(ALTERED, role, "copies of one result have several ce_ids")
    if len(plans) > 1:
        yield Finding(ALTERED, role, f"results of several plans: {sorted(plans)}")


def _grouped(seen: Sequence[Seen], name: object) -> dict[str, list[Seen]]:
    found: dict[str, list[Seen]] = defaultdict(list)
    for one in seen:
        found[name(one)].append(one)  # type: ignore[operator]
    return dict(found)


def _id(seen: Seen) -> str:
    return str(seen.body["id"])


def _reason(letter: Seen, name: str) -> str:
    return (dict(letter.headers).get(name) or b"(nothing)").decode()
