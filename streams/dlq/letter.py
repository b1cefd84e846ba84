"""A dead letter as somebody looks at it: its reasons, its record, and whether it may be published again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from headrace.core.record import Message
from headrace.core.wire.mark import Mark
from headrace.streams.client.letter import letter_reasons

__all__ = ["Letter"]


@dataclass(frozen=True)
class Letter:
    """One letter of the dead letter topic, and the mark that says that it was redriven, if it was."""

    message: Message
    mark: Mark | None = None

    @cached_property
    def reasons(self) -> Mapping[str, Any]:
        """What its headers say: code, class, stage, plugin and so on."""
        return letter_reasons(self.message)

    @property
    def place(self) -> str:
        """Where it lies in its topic, as commands name it: PARTITION:OFFSET."""
        return f"{self.message.position.partition}:{self.message.position.offset}"

    @cached_property
    def died_ms(self) -> float:
        """When it was written, epoch milliseconds; the message's own time when its header does not tell."""
        try:
            moment = datetime.fromisoformat(str(self.reasons["time"]))
        except ValueError:
            return float(self.message.timestamp_ms)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000

    @property
    def is_redriven(self) -> bool:
        """Whether it was redriven already: it, not one that lay there before its topic was made anew."""
        return self.mark is not None and self.mark.died == self.reasons["time"]

    def refusal(self, pipeline: str) -> str | None:
        """Return why it cannot be published again; None when it can.

        Args:
            pipeline: the name of the pipeline.
        """
        reasons = self.reasons
        if reasons["original_missing"]:
            return f"the original is missing ({reasons['original_missing']})"
        source = reasons["source"]["topic"]
        if not source or not reasons["code"]:
            return "it is no dead letter of Headrace"
        if source.startswith(f"{pipeline}.link."):
            return "it is a damaged frame of a link, no message of the input"
        return None
