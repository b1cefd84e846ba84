"""A mark on `<pipeline>.redriven`: this dead letter was published again, so nobody does it twice by accident.

The key is the letter's place in the dead letter topic, `PARTITION:OFFSET`. It is written in one transaction with the
message itself, so a redrive that is cut off leaves neither a message without its mark nor a mark without its message.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from headrace.core.wire.json import decode, encode

__all__ = ["Mark", "decode_mark", "encode_mark", "marks_topic", "redrive_id"]


def marks_topic(pipeline: str) -> str:
    """Return the topic that remembers what was redriven."""
    return f"{pipeline}.redriven"


def redrive_id(pipeline: str) -> str:
    """Return the transactional id of a redrive: one a pipeline, so that of two at once the older one is fenced."""
    return f"{pipeline}.redrive"


class Mark(BaseModel):
    """One dead letter that was published again. Fields that a later version adds are passed over."""

    model_config = ConfigDict(defer_build=True, extra="ignore", frozen=True)

    died: str = Field(description="when the letter was written; another one at its place is another letter")
    time: str = Field(description="when it was redriven, UTC, ISO 8601")
    who: str = Field(default="", description="who did it: user@host")
    to: str = Field(default="", description="the topic it was published to")


def encode_mark(mark: Mark) -> bytes:
    """Return the value as it lies on the topic."""
    return encode(mark.model_dump(mode="json"))


def decode_mark(value: bytes | None) -> Mark | None:
    """Return the mark; None when it was taken away, or is damaged."""
    try:
        return Mark.model_validate(decode(value or b""))
    except ValueError:
        return None
