"""The records of a run: drawn from the seed one after the other, those that faults plant, and where each will lie."""

from __future__ import annotations

import json
import random
import zlib
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from tests.chaos.ends import Due
from tests.chaos.schedule import Fault, Kind

__all__ = ["DEADLY_WORDS", "LARGEST_BYTES", "PARTITIONS", "Made", "Placer", "planted", "records"]

PARTITIONS = 4
USERS = 23
LARGEST_BYTES = 8_000
"""`input.max_bytes` of the pipeline."""

DEADLY_WORDS = (("kill", "ingress"), ("unsurvivable", "expert"), ("killlate", "egress"))
"""What makes a step, the model and the last step kill the process, and where each of them is."""

# What the word list is sure of, what it is not, and what it does not know: so that the cascade goes both ways.
_WORDS = ("good", "bad", "film", "the", "a", "was", "not", "broken", "awful", "great", "love", "hate", "plot", "end")


class Made(NamedTuple):
    """A record that is to be published.

    Attributes:
        name: its number, or that of the fault that plants it; travels with it as a header.
        user: its key and unit.
        value: its value.
        code, stage: of the dead letter that it must become; empty when a result is due.
    """

    name: str
    user: str
    value: bytes | None
    code: str = ""
    stage: str = ""


class Placer:
    """Says where each record will lie, before it is published: nobody else publishes to the topic.

    Args:
        topic: the input.
        start_ms: the first record's timestamp; each next one's is a millisecond later.
    """

    def __init__(self, topic: str, start_ms: int) -> None:
        self._topic, self._next_ms = topic, start_ms
        self._next_offset: Counter[int] = Counter()

    def place(self, made: Made) -> Due:
        """Return the record with its place."""
        key = made.user.encode()
        partition = zlib.crc32(key) % PARTITIONS
        offset, at_ms = self._next_offset[partition], self._next_ms
        self._next_offset[partition] += 1
        self._next_ms += 1
        headers = (("name", made.name.encode()), ("note", b"\xff kept"))
        return Due(made.name, self._topic, partition, offset, key, made.value, headers, at_ms, made.code, made.stage)


def records(seed: int) -> Iterator[Made]:
    """Yield records whose results are due, without an end; the same ones for the same seed."""
    chance, number = random.Random(f"load {seed}"), 0
    while True:
        user, words = _user(chance), " ".join(chance.choices(_WORDS, k=chance.randint(3, 12)))
        yield Made(str(number), user, _value(user, number, words))
        number += 1


def planted(seed: int, fault: Fault, reading: Collection[str] = ("ingress",)) -> Made:
    """Return the record that a fault plants.

    Args:
        seed: of the load.
        fault: what plants it.
        reading: the stages that read a topic; the others run in the process of ingress.
    """
    name, chance = f"planted-{fault.number}", random.Random(f"planted {seed} {fault.number}")
    user = _user(chance)
    if fault.kind is Kind.OVERSIZE:
        return Made(name, user, _value(user, fault.number, "good " * LARGEST_BYTES), "HR503", "ingress")
    # Without a unit it meets no variant: of a join, the answer of the other model would stand.
    if fault.kind is Kind.DEADLY:
        word, place = DEADLY_WORDS[int(fault.variety * len(DEADLY_WORDS))]
        stage = place if place in reading else "ingress"
        return Made(name, user, _value(None, fault.number, f"{word} {name}"), "HR612", stage)
    forms = (
        (_value(user, fault.number, f"raise {name}"), "HR501", "ingress"),
        (_value(None, fault.number, f"unbearable {name}"), "HR501", "expert"),
        (_value(user, fault.number, f"refuse {name}"), "FAULT1", "ingress"),
        (b"{no json", "HR511", "ingress"),
        (None, "HR502", "ingress"),
    )
    return Made(name, user, *forms[int(fault.variety * len(forms))])


def _user(chance: random.Random) -> str:
    return f"user{chance.randrange(USERS)}"


def _value(user: str | None, number: int, text: str) -> bytes:
    said: Mapping[str, object] = {"number": number, "user": user, "body": text}
    return json.dumps(said).encode()
