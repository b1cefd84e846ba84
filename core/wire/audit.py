"""What lies on a pipeline's audit topic: who changed which setting, when and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from headrace.core.wire.json import encode

__all__ = ["AuditEntry", "encode_entry"]


class AuditEntry(BaseModel):
    """One change of one setting."""

    model_config = ConfigDict(defer_build=True, extra="ignore", frozen=True)

    who: str = Field(description="who did it: user@host, or the worker that did it by itself")
    key: str = Field(description="the setting's key on the control topic")
    old: Mapping[str, Any] | None = Field(description="its value until then; null when there was none")
    new: Mapping[str, Any] | None = Field(description="its value from then on; null when it was taken away")
    time: str = Field(description="when, UTC, ISO 8601")
    why: str = Field(default="", description="why, in a person's words; may be empty")


def encode_entry(entry: AuditEntry) -> bytes:
    """Return the entry as it lies on the topic."""
    return encode(entry.model_dump(mode="json"))
