"""Which offsets are committed, and when."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from headrace.streams.commit import Committer


class Broker:
    def __init__(self) -> None:
        self.now = 0.0
        self.assigned = {"a", "b"}
        self.commits: list[dict[str, int]] = []
        self.fault: Exception | None = None

    async def commit(self, offsets: Mapping[str, int]) -> None:
        if self.fault:
            raise self.fault
        self.commits.append(dict(offsets))

    def committer(self) -> Committer:
        return Committer(self.commit, lambda: frozenset(self.assigned), 100, lambda: self.now)


async def test_the_latest_offset_of_each_partition_is_committed_once() -> None:
    broker = Broker()
    committer = broker.committer()
    committer.note({"a": 3})
    committer.note({"a": 5, "b": 1})
    await committer.commit()
    await committer.commit()
    assert broker.commits == [{"a": 5, "b": 1}]


async def test_it_is_due_at_most_every_so_often() -> None:
    broker = Broker()
    committer = broker.committer()
    assert committer.due_s is None, "nothing is done yet"
    committer.note({"a": 1})
    assert committer.due_s == 0, "the first one need not wait"
    await committer.commit()
    committer.note({"a": 2})
    assert committer.due_s == 0.1
    broker.now = 0.11
    assert committer.due_s == 0


async def test_a_partition_that_is_gone_is_not_ours_to_commit() -> None:
    broker = Broker()
    committer = broker.committer()
    committer.note({"a": 1, "b": 2})
    broker.assigned = {"b"}
    await committer.commit()
    assert broker.commits == [{"b": 2}]


async def test_what_is_forgotten_is_not_committed() -> None:
    broker = Broker()
    committer = broker.committer()
    committer.note({"a": 1})
    committer.forget()
    assert committer.due_s is None
    await committer.commit()
    assert broker.commits == []


async def test_a_failed_commit_is_raised_and_not_tried_again_by_itself() -> None:
    broker = Broker()
    committer = broker.committer()
    broker.fault = ConnectionError()
    committer.note({"a": 1})
    with pytest.raises(ConnectionError):
        await committer.commit()
    broker.fault = None
    await committer.commit()
    assert broker.commits == [], "reading goes back to the committed offsets, and everything is noted anew"


async def test_commits_are_apart_from_begin_to_begin_but_slow_ones_leave_half_of_the_time() -> None:
    broker = Broker()

    took_s = [0.03, 0.05, 0.09, 0.3]

    async def slow(offsets: Mapping[str, int]) -> None:
        broker.now += took_s.pop(0)

    committer = Committer(slow, lambda: frozenset(broker.assigned), 100, lambda: broker.now)
    for due_s in (0.07, 0.05, 0.09, 0.3):
        committer.note({"a": 1})
        await committer.commit()
        committer.note({"a": 2})
        assert committer.due_s == pytest.approx(due_s)
