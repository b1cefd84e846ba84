"""A worker's sign of life: what it says of itself every few seconds on its group's heartbeat topic."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from headrace.core.wire.json import decode, encode

__all__ = ["ALIVE_S", "BEAT_S", "Heartbeat", "decode_heartbeat", "encode_heartbeat"]

BEAT_S = 3.0
"""Seconds from one sign of life to the next."""

ALIVE_S = 10.0
"""Seconds after which a worker that gave none counts as gone."""


class Heartbeat(BaseModel):
    """One sign of life; its key is the worker's name. Fields that a later version adds are passed over."""

    model_config = ConfigDict(defer_build=True, extra="ignore", frozen=True)

    time: str = Field(default="", description="when, by the worker's clock, UTC, ISO 8601")
    plan: str = Field(default="", description="hash of the plan that it runs")
    group: str = Field(default="", description="the process group that it works for")
    ready: bool = Field(default=False, description="whether records flow, or would if there were any")
    why: str = Field(default="", description="why it is not ready")
    host: str = Field(default="", description="the machine it runs on")
    pid: int = Field(default=0, description="its process there")
    stages: list[str] = Field(default=[], description="the stages that it runs")
    held: dict[str, str] = Field(default={}, description="STAGE:PARTITION that waits for a record, and why")
    quarantined: dict[str, str] = Field(default={}, description="STAGE/PLUGIN that is left alone, and why")
    versions: dict[str, list[str]] = Field(default={}, description="the versions it has loaded, by stage of a model")
    waiting: int = Field(default=0, description="how many records wait at its egress for more answers or their turn")
    waiting_for: str = Field(default="", description="a record that others of its key wait for, TOPIC:PARTITION:OFFSET")
    waiting_since: str = Field(default="", description="about when the one that waits longest began, UTC, ISO 8601")


def encode_heartbeat(beat: Heartbeat) -> bytes:
    """Return the value as it lies on the topic."""
    return encode(beat.model_dump(mode="json"))


def decode_heartbeat(value: bytes | None) -> Heartbeat | None:
    """Return what a worker says of itself; None when the value is damaged."""
    try:
        return Heartbeat.model_validate(decode(value or b""))
    except ValueError:
        return None
