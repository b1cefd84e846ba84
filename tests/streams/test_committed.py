"""What a stage has committed, and the journal's words that go with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import OffsetMetadataTooLargeError

from headrace.streams.committed import Committed
from headrace.streams.journal import Journal

ONE, OTHER = TopicPartition("reviews", 0), TopicPartition("reviews", 1)


class Group:
    """Takes commits; says that words are too long, if told so."""

    def __init__(self, *, takes_words: bool = True) -> None:
        self.takes_words, self.commits = takes_words, list[dict[Any, Any]]()

    def assignment(self) -> frozenset[Any]:
        return frozenset({ONE})

    async def commit(self, offsets: Mapping[Any, tuple[int, str]]) -> None:
        if not self.takes_words:
            raise OffsetMetadataTooLargeError
        self.commits.append(dict(offsets))


async def test_what_was_committed_is_known_with_an_offset_for_each_partition() -> None:
    group = Group()
    committed = Committed(group, Journal("ingress", 128))
    committed.begin({ONE: 3, OTHER: 5})
    await committed.commit({ONE: 8})
    committed.note({OTHER: 9})
    assert committed.offsets == {ONE: 8, OTHER: 9}
    assert group.commits == [{ONE: (8, "")}]
    committed.begin({ONE: 8})
    assert committed.offsets == {ONE: 8}, "the other one is somebody else's by now"


async def test_words_are_written_beside_the_offset_that_there_is_and_only_of_what_is_assigned() -> None:
    group = Group()
    committed = Committed(group, Journal("ingress", 128))
    committed.begin({ONE: 3, OTHER: 5})
    await committed.mark([OTHER])
    assert group.commits == []
    await committed.mark([ONE, OTHER])
    assert [{tp: at for tp, (at, _) in commit.items()} for commit in group.commits] == [{ONE: 3}]


async def test_a_broker_that_takes_no_words_is_given_none_and_nothing_fails() -> None:
    committed = Committed(Group(takes_words=False), Journal("ingress", 128))
    committed.begin({ONE: 3})
    await committed.mark([ONE])
    assert committed.journal.words(ONE, 3) == ""
