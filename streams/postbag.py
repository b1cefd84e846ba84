"""What a batch owes the broker in exactly_once: every message, made before its transaction begins, and whose it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from aiokafka import TopicPartition
from aiokafka.errors import MessageSizeTooLargeError

from headrace.core.errors import RecordError
from headrace.core.record import Outgoing, Position
from headrace.core.wire.dead import Failure, dying, stub
from headrace.streams.dead_letter import DeadLetters
from headrace.streams.lone import compressed_bytes, plain_bytes
from headrace.streams.outcome import Outcome
from headrace.streams.sender import too_large, without_key
from headrace.streams.slot import Slot
from headrace.streams.topic_facts import DEFAULT_LIMIT_BYTES, TopicFacts

__all__ = ["Owed", "Post", "Postbag"]

_ROOM_BYTES = 256  # lengths, offsets and the header of a batch; what is that far below a limit need not be counted out


class Owed(NamedTuple):
    """One thing that a record owes: a result for an output, its place in a frame, or a dead letter.

    Attributes:
        carrier: where the message lies that brought the record.
        source: where the record's own message lies.
        what: the output's name, "link", or "dead" or "retry" and the output that failed.
    """

    carrier: Position
    source: Position
    what: str


class Post(NamedTuple):
    """A message, the partition in whose transaction it is sent, and who owes it: several records only for a frame.

    What remains of a refused dead letter has nobody: if that is refused as well, there is nothing to send instead.
    """

    tp: Any
    message: Outgoing
    slots: Sequence[Slot] = ()
    what: str = ""
    alone: bool = False
    compress: bool = False

    @property
    def owed(self) -> tuple[Owed, ...]:
        """What each record owes by it; made only where something went wrong."""
        return _owed(self.slots, self.what)


class Postbag:
    """Turns the slots of a batch into posts. What a topic would refuse becomes a dead letter before it is sent.

    A message that the broker refuses breaks its whole transaction. So sizes are compared here, by what the topics
    took when the worker started. What is refused all the same is a suspect: when it is read again it is sent alone,
    since its neighbours in a batch were refused with it; what is refused alone becomes a dead letter.

    Args:
        letters: makes dead letters; one may have to read the original again, which takes time.
        topics: what each topic takes.
    """

    def __init__(self, letters: DeadLetters, topics: Mapping[str, TopicFacts]) -> None:
        self._letters, self._topics = letters, topics
        self._suspects: set[Owed] = set()
        self._refused: dict[Owed, RecordError] = {}

    async def posts(self, outcome: Outcome) -> list[Post]:
        """Return everything that is to be sent for these slots, in order.

        Raises:
            KafkaError: an original could not be read.
        """
        posts: list[Post] = []
        is_calm = not (self._suspects or self._refused)
        for slot in outcome.slots:
            for output, message in slot.outgoing:
                if is_calm and self._taken_by_topic(message):
                    posts.append(Post(_tp(slot.carrier), message, (slot,), output))
                else:
                    posts += await self._posted((slot,), output, message)
            posts += [await self._buried(slot, failure) for failure in slot.failures]
        for shipment in outcome.shipments:
            posts += await self._posted(shipment.slots, "link", shipment.message)
        posts += [Post(_tp(slot.carrier), message) for slot in outcome.slots for message in slot.closing]
        return posts

    def refuse(self, post: Post, error: RecordError) -> None:
        """Remember that the broker refuses a message. Of a frame all records go down: it is one message."""
        self._suspects.update(post.owed)
        if post.alone or post.compress:
            self._refused.update(dict.fromkeys(post.owed, error))

    def forget(self, offsets: Mapping[Any, int]) -> None:
        """Forget what was refused before these offsets: they are committed."""
        for owed in [*self._suspects]:
            if owed.carrier.offset < offsets.get(_tp(owed.carrier), 0):
                self._suspects.discard(owed)
                self._refused.pop(owed, None)

    async def _posted(self, slots: Sequence[Slot], what: str, message: Outgoing) -> list[Post]:
        owed = _owed(slots, what)
        error = self._refusal(message, owed)
        if error is None:
            return [Post(_tp(slots[0].carrier), message, slots, what, alone=not self._suspects.isdisjoint(owed))]
        failure = self._letters.refused(what, error)
        return [await self._buried(slot, failure) for slot in slots]

    async def _buried(self, slot: Slot, failure: Failure) -> Post:
        letter = await self._letters.letter(slot, failure)
        slots, what = (slot,), f"{'retry' if failure.waits else 'dead'} {failure.output}"
        (owed,) = _owed(slots, what)
        tp = _tp(slot.carrier)
        refused = self._refused.get(owed)
        is_out = refused is not None or not (self._fits(letter) or compressed_bytes(letter) <= self._limit(letter))
        if failure.waits and is_out:
            return await self._buried(slot, dying(failure))  # what is kept of a message could not be tried again
        if refused is not None:
            return Post(tp, stub(letter, type(refused).__name__))
        if self._fits(letter):
            return Post(tp, letter, slots, what, alone=owed in self._suspects)
        if compressed_bytes(letter) <= self._limit(letter):
            return Post(tp, letter, slots, what, compress=True)
        return Post(tp, stub(letter, MessageSizeTooLargeError.__name__))

    def _refusal(self, message: Outgoing, owed: Sequence[Owed]) -> RecordError | None:
        if self._refused:
            for one in owed:
                if one in self._refused:
                    return self._refused[one]
        if self._taken_by_topic(message):
            return None
        return too_large() if self._may_lie(message) else without_key(message.topic)

    def _taken_by_topic(self, message: Outgoing) -> bool:
        return self._may_lie(message) and self._fits(message)

    def _may_lie(self, message: Outgoing) -> bool:
        """Whether the message has a key, if its topic takes none without."""
        if message.key is not None:
            return True
        facts = self._topics.get(message.topic)
        return facts is None or not facts.is_compacted

    def _fits(self, message: Outgoing) -> bool:
        limit = self._limit(message)
        rough = len(message.value or b"") + len(message.key or b"") + _ROOM_BYTES
        for name, value in message.headers:  # every result comes by here, and sum() takes three times as long
            rough += 3 * len(name) + len(value or b"") + 4
        return rough < limit or plain_bytes(message) <= limit

    def _limit(self, message: Outgoing) -> int:
        facts = self._topics.get(message.topic)
        return DEFAULT_LIMIT_BYTES if facts is None else facts.max_message_bytes


def _owed(slots: Sequence[Slot], what: str) -> tuple[Owed, ...]:
    return tuple(Owed(slot.carrier, slot.source, what) for slot in slots)


def _tp(carrier: Position) -> Any:
    return _partition(carrier.topic, carrier.partition)


@lru_cache(maxsize=4096)
def _partition(topic: str, partition: int) -> Any:
    return TopicPartition(topic, partition)
