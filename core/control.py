"""The settings that are in force in a running pipeline, as one value: asked by name, changed by making a new one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from headrace.core.wire.control import (
    AliasMove,
    ExperimentPhase,
    ExperimentStop,
    ModelReady,
    ModelStop,
    ModelSwitch,
    PartitionFull,
    PlanSeen,
    RecordSkip,
    Setting,
    Skip,
    StagePause,
    decode_setting,
    encode_setting,
    key_parts,
    setting_key,
)
from headrace.core.wire.json import encode

__all__ = ["Settings"]

AnySetting = TypeVar("AnySetting", bound=Setting)


class Settings:
    """What the control topic says at one moment. Nothing in it changes, so any thread may ask.

    Args:
        values: key -> setting.
    """

    def __init__(self, values: Mapping[str, Setting] = {}) -> None:
        self._values = dict(values)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Settings) and self._values == other._values

    def __hash__(self) -> int:
        return hash(frozenset(self._values))

    def __repr__(self) -> str:
        return f"Settings({self._values!r})"

    def value(self, key: str) -> Setting | None:
        """Return the setting of that key; None when it is not set."""
        return self._values.get(key)

    def with_change(self, key: str, value: Setting | Mapping[str, Any] | bytes | None) -> Settings:
        """Return the settings after a change; None takes the setting away, an unknown key changes nothing.

        Phases only grow, and whoever opens one first has it: two workers that open the same phase for other weights
        at the same moment both read who came first, and the second one opens the next.

        Raises:
            SettingFormError: the value is not what its key promises.
        """
        rest = {other: setting for other, setting in self._values.items() if other != key}
        if value is None:
            return Settings(rest)
        data = value if isinstance(value, bytes) else encode_setting(value) if isinstance(value, Setting) else None
        setting = decode_setting(key, encode(value) if data is None else data)
        if isinstance(setting, ExperimentPhase) and _is_open(self._values.get(key), setting):
            return self
        return self if setting is None else Settings({**rest, key: setting})

    # -- typed questions

    def aliases(self) -> Mapping[str, str]:
        """Return the version of each alias that was moved, by `model@alias`."""
        moves = self._all(AliasMove)
        return {f"{parts['model']}@{parts['alias']}": move.version for parts, move in moves}

    def agreed_aliases(self) -> Mapping[str, str]:
        """Return the same, but for an alias that is on its way the version before: what all workers have for sure."""
        moves = self._all(AliasMove)
        return {f"{parts['model']}@{parts['alias']}": move.before or move.version for parts, move in moves}

    def phase(self, experiment: str) -> ExperimentPhase | None:
        """Return the phase of an experiment; None when none was written down."""
        return self._one(ExperimentPhase, experiment=experiment)

    def phases(self) -> Mapping[str, int]:
        """Return the phase of each experiment that has one written down."""
        return {parts["experiment"]: setting.phase for parts, setting in self._all(ExperimentPhase)}

    def stopped_experiments(self) -> Mapping[str, str]:
        """Return the experiments that assign no unit, and why."""
        return {parts["experiment"]: stop.why for parts, stop in self._all(ExperimentStop)}

    def stopped_models(self) -> Mapping[str, str]:
        """Return the models that answer no record, and why."""
        return {parts["model"]: stop.why for parts, stop in self._all(ModelStop)}

    def is_paused(self, stage: str) -> bool:
        """Whether the stage reads nothing."""
        return self._one(StagePause, stage=stage) is not None

    def paused(self) -> Mapping[str, str]:
        """Return the stages that read nothing, and why."""
        return {parts["stage"]: pause.why for parts, pause in self._all(StagePause)}

    def skip(self, stage: str, partition: int) -> Skip | None:
        """Return what is skipped of a partition that a stage reads; None when nothing is."""
        return self._one(Skip, stage=stage, partition=partition)

    def skips(self) -> Mapping[str, Mapping[int, Skip]]:
        """Return what is skipped, by stage and partition."""
        found: dict[str, dict[int, Skip]] = {}
        for parts, skip in self._all(Skip):
            found.setdefault(parts["stage"], {})[int(parts["partition"])] = skip
        return found

    def skipped_records(self) -> Mapping[str, frozenset[str]]:
        """Return the records that no longer hold up a stage, by stage."""
        found: dict[str, set[str]] = {}
        for parts, _ in self._all(RecordSkip):
            found.setdefault(parts["stage"], set()).add(parts["record"])
        return {stage: frozenset(records) for stage, records in found.items()}

    def full(self) -> Mapping[int, int]:
        """Return the partitions of which ingress reads no more for now, and how many records are under way."""
        return {int(parts["partition"]): full.records for parts, full in self._all(PartitionFull)}

    def ready(self, model: str, version: str) -> Mapping[tuple[str, str], ModelReady]:
        """Return what workers say of a version of a model, by stage and instance."""
        return {
            (parts["stage"], parts["instance"]): ready
            for parts, ready in self._all(ModelReady)
            if (parts["model"], parts["version"]) == (model, version)
        }

    def all_ready(self) -> Iterator[tuple[Mapping[str, str], ModelReady]]:
        """Yield all that workers say of versions, with model, version, stage and instance."""
        return self._all(ModelReady)

    def switched(self, model: str, version: str) -> Mapping[str, ModelSwitch]:
        """Return the ingress workers that route to a version, by instance."""
        return {
            parts["instance"]: switch
            for parts, switch in self._all(ModelSwitch)
            if (parts["model"], parts["version"]) == (model, version)
        }

    def all_switched(self) -> Iterator[tuple[Mapping[str, str], ModelSwitch]]:
        """Yield all that ingress workers say of versions that they route to, with model, version and instance."""
        return self._all(ModelSwitch)

    def plans(self) -> Mapping[str, PlanSeen]:
        """Return the plans that were run, by hash."""
        return {parts["plan"]: plan for parts, plan in self._all(PlanSeen)}

    def newest_plan(self) -> tuple[str, PlanSeen] | None:
        """Return the plan that was noted last, and what it noted; None when none ever ran."""
        return max(self.plans().items(), key=_noted_at, default=None)

    def _one(self, kind: type[AnySetting], **parts: str | int) -> AnySetting | None:
        found = self._values.get(setting_key(kind, **parts))
        return found if isinstance(found, kind) else None

    def _all(self, kind: type[AnySetting]) -> Iterator[tuple[dict[str, str], AnySetting]]:
        for key, setting in self._values.items():
            if isinstance(setting, kind) and (parts := key_parts(kind, key)) is not None:
                yield parts, setting


def _is_open(before: Setting | None, phase: ExperimentPhase) -> bool:
    return isinstance(before, ExperimentPhase) and before.phase >= phase.phase


def _noted_at(noted: tuple[str, PlanSeen]) -> str:
    return noted[1].time
