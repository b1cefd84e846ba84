"""What is published: a key and a value; and the wish that says how lines become them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from headrace.core.errors import Place
from headrace.core.plan.plan import Plan
from headrace.core.wire.path import MISSING
from headrace.streams.client.errors import LineRefusedError

__all__ = ["Form", "Parcel", "Wish", "key_bytes", "put"]

Form = Literal["jsonl", "csv", "text"]


class Parcel(NamedTuple):
    """What becomes a message. A value of None is a tombstone."""

    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True)
class Wish:
    """How lines become messages of one pipeline.

    Attributes:
        form: what the lines are.
        source: the name of the source, for errors.
        is_text: whether the pipeline takes the whole message as text.
        text: path of the text in a JSON object; empty when there is none.
        unit: path of the unit; empty when there is none.
        key: path of the key that was asked for, or the name of its CSV column; empty for the unit.
        text_column: the CSV column that holds the text; empty for the one that is named like its path.
        strict: whether every line must be JSON.
        id: path of the event's id; empty for messages that are no CloudEvents.
        origin: the event's `ce_source`, when it has an id.
        tombstone: a line that is exactly this is published without a value; empty for none.
    """

    form: Form
    source: str = "-"
    is_text: bool = False
    text: tuple[str, ...] = ()
    unit: tuple[str, ...] = ()
    key: str = ""
    text_column: str = ""
    strict: bool = False
    id: str = ""
    origin: str = ""
    tombstone: bytes = b""

    @classmethod
    def of(cls, plan: Plan, form: Form, source: str, *, key: str = "", text_column: str = "", strict: bool) -> Wish:
        """Return the wish of a pipeline: where its text and unit lie, and what was asked for beside that."""
        intake, is_text = plan.input.intake, plan.input.codec.spec.name == "text"
        return cls(form, source, is_text, intake.text, intake.unit, key, text_column, strict)

    @property
    def id_path(self) -> tuple[str, ...]:
        """Where the event's id lies; empty for messages that are no CloudEvents."""
        return tuple(self.id.split(".")) if self.id else ()

    @property
    def key_path(self) -> tuple[str, ...]:
        """Where the key lies; empty for messages without one."""
        return tuple(self.key.split(".")) if self.key else self.unit

    def refusal(self, number: int, fault: str) -> LineRefusedError:
        """Return the error for a line."""
        place = Place(self.source, number)
        return LineRefusedError(f"the line {fault}", mend="correct it and publish again", place=place)

    def decoded(self, line: bytes, number: int) -> str:
        """Return the line as text.

        Raises:
            LineRefusedError: HR433, it is not UTF-8.
        """
        try:
            return line.decode()
        except UnicodeDecodeError as error:
            raise self.refusal(number, f"is not UTF-8 at byte {error.start}") from None


def key_bytes(value: Any) -> bytes | None:
    """Return a JSON value as the key of a message, as results show it: text as it is, numbers and the rest as JSON."""
    if value is MISSING or value is None:
        return None
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")
    from headrace.core.wire.json import encode

    return encode(value)


def put(value: dict[str, Any], path: tuple[str, ...], field: Any) -> dict[str, Any]:
    """Put a field at a path of an object, which is changed and returned."""
    *around, last = path
    inner = value
    for name in around:
        inner = inner.setdefault(name, {})
    inner[last] = field
    return value
