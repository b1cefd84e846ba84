"""What lies on a pipeline's control topic: settings that workers follow while they run, one JSON object a key."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from headrace.core.wire.json import decode, encode

__all__ = [
    "SETTINGS",
    "AliasMove",
    "ExperimentPhase",
    "ExperimentStop",
    "ModelReady",
    "ModelStop",
    "ModelSwitch",
    "PartitionFull",
    "PlanSeen",
    "RecordSkip",
    "Setting",
    "SettingFormError",
    "Skip",
    "StagePause",
    "decode_setting",
    "encode_setting",
    "key_parts",
    "setting_key",
]

Why = Annotated[str, Field(description="why, in a person's words; may be empty")]
Time = Annotated[str, Field(description="when, UTC, ISO 8601")]


class Setting(BaseModel):
    """The value of one setting. Fields that a later version adds are passed over."""

    model_config = ConfigDict(defer_build=True, extra="ignore", frozen=True, coerce_numbers_to_str=True)

    key: ClassVar[str]
    """How its key is made; each name in braces stands for a part."""


class AliasMove(Setting):
    """A model's alias stands for this version, whatever the registry says."""

    key = "alias/{model}@{alias}"

    version: str = Field(description="the version that the alias stands for")
    before: str = Field(
        default="", description="what it stood for, while workers still get ready for the version; empty afterwards"
    )


class ExperimentPhase(Setting):
    """The phase that an experiment is in, and what it looked like when that began."""

    key = "experiment/{experiment}"

    phase: int = Field(ge=1, description="its phase; counted from 1")
    fingerprint: str = Field(description="hash of what a change of opens a new phase: weights, variants, models")


class ExperimentStop(Setting):
    """An experiment assigns no unit until this is taken away."""

    key = "stopped/experiment/{experiment}"

    why: Why = ""
    time: Time = ""


class ModelStop(Setting):
    """A model answers no record until this is taken away: routers see it as away."""

    key = "stopped/model/{model}"

    why: Why = ""
    time: Time = ""


class StagePause(Setting):
    """A stage reads nothing until this is taken away."""

    key = "paused/{stage}"

    why: Why = ""
    time: Time = ""


class Skip(Setting):
    """Offsets of a partition whose records become dead letters without being tried."""

    key = "skip/{stage}/{partition}"

    first: int = Field(
        ge=0,
        validation_alias=AliasChoices("from", "first"),
        serialization_alias="from",
        description="the first offset that is skipped",
    )
    until: int = Field(ge=0, description="the first offset after them that is not")
    why: Why = ""
    time: Time = ""


class RecordSkip(Setting):
    """A record that no longer holds up its partition, or stops the worker: if it fails it is a dead letter."""

    key = "skip/{stage}/record/{record}"

    why: Why = ""
    time: Time = ""


class PartitionFull(Setting):
    """So much of a partition waits at egress for its turn that ingress reads no more of it until this is taken away."""

    key = "full/{partition}"

    records: int = Field(ge=0, description="how many were under way when that was said")
    time: Time = ""


class ModelReady(Setting):
    """A worker has a version of a model loaded and warm, or cannot load it."""

    key = "ready/{model}@{version}/{stage}/{instance}"

    ok: bool = Field(description="whether it is ready")
    why: str = Field(default="", description="why it is not")
    time: Time = ""


class ModelSwitch(Setting):
    """An ingress worker routes new records to a version; what lies before these offsets may be of another."""

    key = "switched/{model}@{version}/{instance}"

    ends: Mapping[str, Mapping[int, int]] = Field(
        default_factory=dict, description="for each stage and partition, the end of its link at that moment"
    )
    time: Time = ""


class PlanSeen(Setting):
    """A plan that workers have run."""

    key = "plan/{plan}"

    time: Time = ""
    file: str = Field(default="", description="hash of the pipeline file's text")
    facts: Mapping[str, Any] = Field(default_factory=dict, description="what of it a later plan has to know")


SETTINGS: tuple[type[Setting], ...] = (
    AliasMove,
    ExperimentPhase,
    ExperimentStop,
    ModelStop,
    StagePause,
    Skip,
    RecordSkip,
    PartitionFull,
    ModelReady,
    ModelSwitch,
    PlanSeen,
)
"""Every kind of setting."""


class SettingFormError(ValueError):
    """A setting's value is not what its key promises; whoever reads it goes on without."""


def setting_key(kind: type[Setting], **parts: str | int) -> str:
    """Return the key of a setting, such as `setting_key(Skip, stage="expert", partition=3)`.

    Raises:
        ValueError: a part is missing, or holds what keys are taken apart by.
    """
    key = kind.key.format(**parts)
    if key_parts(kind, key) != {name: str(part) for name, part in parts.items()}:
        raise ValueError(f"{parts} do not make a key of the form {kind.key}")
    return key


def key_parts(kind: type[Setting], key: str) -> dict[str, str] | None:
    """Return the parts of a key by name; None when it is none of this kind."""
    found = _PATTERNS[kind].fullmatch(key)
    return found.groupdict() if found else None


def decode_setting(key: str, value: bytes) -> Setting | None:
    """Return what a setting says; None when its key is one that this version does not know.

    Raises:
        SettingFormError: the value is damaged.
    """
    kind = next((kind for kind in SETTINGS if key_parts(kind, key) is not None), None)
    if kind is None:
        return None
    try:
        return kind.model_validate(decode(value))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the value"
        raise SettingFormError(f"{where}: {first['msg']}") from None
    except ValueError as error:
        raise SettingFormError(f"it is not JSON: {error}") from None


def encode_setting(setting: Setting) -> bytes:
    """Return the value as it lies on the topic."""
    return encode(setting.model_dump(by_alias=True, mode="json"))


def _pattern(key: str) -> re.Pattern[str]:
    def part(found: re.Match[str]) -> str:
        return f"(?P<{found[1]}>{_PARTS.get(found[1], '[^/]+')})"

    return re.compile(re.sub(r"\\{(\w+)\\}", part, re.escape(key)))


_PARTS = {"model": "[^/@]+", "alias": "[^/@]+", "version": "[^/@]+", "partition": "[0-9]{1,9}"}
_PATTERNS = {kind: _pattern(kind.key) for kind in SETTINGS}
