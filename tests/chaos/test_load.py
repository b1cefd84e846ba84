"""The load is drawn from its seed alone, and says where each record will lie and how it has to end."""

from __future__ import annotations

import json
from itertools import islice

from tests.chaos.load import LARGEST_BYTES, PARTITIONS, Placer, planted, records
from tests.chaos.schedule import EVERYWHERE, Fault, Kind

NOON_MS = 1_795_435_200_000
MADE = list(islice(records(7), 600))


def planted_by(kind: Kind, variety: float = 0.0, seed: int = 7) -> object:
    return planted(seed, Fault(5, kind, EVERYWHERE, 100, 0.5, variety))


def test_a_seed_gives_the_same_records_again_and_another_seed_other_ones() -> None:
    assert list(islice(records(7), 600)) == MADE
    assert list(islice(records(8), 600)) != MADE
    assert planted_by(Kind.POISON) == planted_by(Kind.POISON)


def test_each_partition_is_filled_without_a_gap_and_a_key_has_one() -> None:
    placer = Placer("in", NOON_MS)
    placed = [placer.place(made) for made in MADE]
    for partition in range(PARTITIONS):
        offsets = [one.offset for one in placed if one.partition == partition]
        assert offsets == list(range(len(offsets)))
        assert len(offsets) > 20
    assert len({(one.key, one.partition) for one in placed}) == len({one.key for one in placed})


def test_every_plain_record_has_a_text_and_a_user_and_a_result_is_due() -> None:
    for made in MADE:
        said = json.loads(made.value or b"")
        assert said["body"]
        assert said["user"] == made.user
        assert len(made.value or b"") < LARGEST_BYTES
        assert (made.code, made.stage) == ("", "")


def test_a_planted_record_says_what_becomes_of_it() -> None:
    oversize = planted(7, Fault(5, Kind.OVERSIZE, EVERYWHERE, 100, 0.5, 0.0))
    assert oversize.code == "HR503"
    assert len(oversize.value or b"") > LARGEST_BYTES
    for reading in (["ingress"], ["ingress", "expert", "egress"]):
        deadly = [planted(7, Fault(5, Kind.DEADLY, EVERYWHERE, 100, 0.5, at / 10), reading) for at in range(10)]
        assert {(one.code, one.stage) for one in deadly} == {("HR612", stage) for stage in reading}
    poison = [planted(7, Fault(5, Kind.POISON, EVERYWHERE, 100, 0.5, at / 10)) for at in range(10)]
    assert {(one.code, one.stage) for one in poison} == {
        ("HR501", "ingress"),
        ("HR501", "expert"),
        ("FAULT1", "ingress"),
        ("HR511", "ingress"),
        ("HR502", "ingress"),
    }
