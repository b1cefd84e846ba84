"""Values that are made of their message only when somebody asks: nobody can tell, but for the time it takes."""

from __future__ import annotations

import msgspec
import pytest

from headrace.core.late import Late, LateRecord
from headrace.core.record import Content, Position, Record
from headrace.core.wire.frame import encode_record
from headrace.core.wire.incoming import Intake, to_record
from tests.support.made import message

VALUE = {"user": "ada", "pixels": [1, 2]}


class Made:
    """Counts how often a value is made."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> object:
        self.times += 1
        return dict(VALUE)


@pytest.fixture
def made() -> Made:
    return Made()


def record(made: Made, intake: Intake | None = None) -> Record:
    return to_record(message(), Content(Late(made)), intake or Intake())


def test_a_value_is_made_once_for_a_record_and_its_copies(made: Made) -> None:
    first = record(made)
    copy = first.with_text("words").with_output({"label": "good"}).replace(inference_ms=1.5)
    assert isinstance(copy, Record)
    assert made.times == 0
    assert copy.value == first.value == VALUE
    assert copy.value is first.value
    assert made.times == 1
    assert (copy.text, copy.output, copy.inference_ms) == ("words", {"label": "good"}, 1.5)


def test_what_a_step_puts_in_its_place_is_the_value(made: Made) -> None:
    changed = record(made).replace(value=[3])
    assert changed.value == [3]
    assert made.times == 0


def test_an_intake_that_reads_of_the_value_has_it_made_at_once(made: Made) -> None:
    found = record(made, Intake(unit=("user",)))
    assert type(found) is Record
    assert (found.unit, found.value) == ("ada", VALUE)
    assert made.times == 1


def test_a_record_with_a_late_value_travels_as_any_other(made: Made) -> None:
    plain = Record(id="1", source=Position("t", 0, 1), value=VALUE)
    late = LateRecord(**{name: getattr(plain, name) for name in plain.__struct_fields__} | {"value": Late(made)})
    assert encode_record(late, "float32") == encode_record(plain, "float32")
    assert msgspec.structs.replace(late, text="x").value == VALUE
