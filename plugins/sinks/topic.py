"""Write results to a Kafka topic: one JSON object a record, with the headers of a CloudEvent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from pydantic import Field

from headrace import Catalog, MessageShape, Outgoing, Result, SinkOptions, hookimpl
from headrace.core.step import Plain
from headrace.core.wire.cloudevents import result_headers
from headrace.core.wire.json import encode

__all__ = ["Topic", "TopicOptions", "headrace_register"]


class TopicOptions(SinkOptions):
    """What a pipeline file may say of `topic`."""

    # `check` refuses other names, with the place; the pattern is here for editors that read the schema.
    name: str = Field(
        description="the topic: letters, digits, '.', '_' and '-', at most 249",
        json_schema_extra={"pattern": "^[a-zA-Z0-9._-]{1,249}$"},
    )
    key: Literal["input", "unit"] = Field(
        default="input",
        description="the message's key: that of the message that came in, byte for byte, or the record's unit, so that "
        "all results of one user lie in one partition; without a unit there is no key",
    )
    partitions: int | None = Field(
        default=None, ge=1, description="partitions of the topic, if it has to be made; else topics.partitions"
    )


class Topic:
    """Write each result to the topic, with the key that its message had."""

    def __init__(self, options: TopicOptions) -> None:
        self._name, self._key = options.name, options.key
        self.plain = Plain(options.name, by_unit=options.key == "unit")

    def topics(self) -> Sequence[str]:
        """Return the one topic."""
        return (self._name,)

    def outgoing(self, results: Sequence[Result]) -> Sequence[Outgoing]:
        """Return one message a result, in order."""
        return [self._message(result) for result in results]

    def shape(self) -> MessageShape:
        """Return what a message on the topic looks like."""
        from headrace.core.schema.messages import RESULT

        if self._key == "input":
            return RESULT
        key = {"type": ["string", "null"], "description": "the unit; none for a record without one"}
        return replace(RESULT, name="result-by-unit", key=key)

    def _message(self, result: Result) -> Outgoing:
        record, body = result
        return Outgoing(
            topic=self._name,
            key=self.plain.key(record),
            value=encode(body),
            headers=result_headers(record, body, output=self._name),
        )


@hookimpl
def headrace_register(catalog: Catalog) -> None:
    """Register the sink `topic`."""
    catalog.sink("topic", Topic, options=TopicOptions)
