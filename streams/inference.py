"""The model stages: each record visits the models of its slip until one output is accepted."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import lru_cache
from typing import Any

import msgspec

from headrace.core.config.expression import Expression, compile_expression
from headrace.core.errors import HeadraceError, ModelOutputError, StepContractError
from headrace.core.plan.stages import StagePlan
from headrace.core.record import Batch, Output, Record
from headrace.core.routing.chain import handed_on
from headrace.core.routing.errors import BranchExpiredError
from headrace.core.routing.slip import Slip, advance, ends_alike, next_part, pass_over
from headrace.core.wire.errors import ModelStoppedError, PlanChangedError
from headrace.core.wire.json import encode, encode_strictly
from headrace.streams.bisect import Retries, Trap, as_failure
from headrace.streams.deadline import expired, how_late, is_late
from headrace.streams.leg import Leg
from headrace.streams.opened import warm_up
from headrace.streams.slot import Slot

__all__ = ["Infer", "ModelStage", "RunPart", "stopped_error"]

log = logging.getLogger(__name__)

REFUSED_S = 30.0  # a version that cannot be loaded is not tried again at each batch


class Infer(Leg):
    """Runs a model: each record gets the output, and its slip moves on."""

    def __init__(self, *leg: Any) -> None:
        super().__init__(*leg)
        self._said: list[tuple[Output, bytes] | None] = []
        self._before: Slip | None = None
        self._after: Slip | None = None

    def run(self, slots: Sequence[Slot]) -> int:
        """Run the model; each record that it served carries the time of its batch."""
        begun = time.perf_counter()
        count = super().run(slots)
        took_ms = (time.perf_counter() - begun) * 1000
        for slot in slots:
            if slot.record is not None:
                # What `changed` returned is known to nobody else yet: no need for another copy.
                msgspec.structs.force_setattr(slot.record, "inference_ms", slot.record.inference_ms + took_ms)
        return count

    def changed(self, record: Record, answer: Any) -> Record:
        """Return the record with the output, its slip moved on.

        Raises:
            ModelOutputError: HR605, the output is no JSON object.
            ChainTextError: HR518, it has no text where the next model of a chain reads.
        """
        if type(answer) is not dict and not isinstance(answer, Mapping):
            raise ModelOutputError(f"the model returned {type(answer).__name__}, not an object", mend="return a dict")
        written = _written(answer)
        self._said.append(None if written is None else (answer, written))
        slip = record.slip
        if slip is not None and slip is self._before and self._after is not None:
            return msgspec.structs.replace(record, output=answer, slip=self._after)
        found = handed_on(record, answer, advance(_slip(record), answer, _accepts))
        # Most records of a batch share their slip, and where it leads depends on no answer.
        self._before, self._after = (slip, found.slip) if slip is not None and ends_alike(slip) else (None, None)
        return found

    def _taken(self, records: Sequence[Record], answers: Sequence[Any]) -> list[Record]:
        self._said = []
        return super()._taken(records, answers)

    def _give(self, slots: Sequence[Slot], records: Sequence[Record]) -> None:
        super()._give(slots, records)
        for slot, said in zip(slots, self._said, strict=False):
            slot.said = said
        self._said = []


class RunLastPart(Infer):
    """Runs the last part of a sharded model: what the parts gave each other ends here."""

    def changed(self, record: Record, answer: Any) -> Record:
        """Return the record with the output and without their tensors."""
        return super().changed(record, answer).replace(tensors={})


class RunPart(Infer):
    """Runs a part of a sharded model that is not the last one: each record gets the tensors for the next one."""

    def changed(self, record: Record, answer: Any) -> Record:
        """Return the record with its tensors, on its way to the next part.

        Raises:
            StepContractError: HR603, it is no mapping of arrays.
        """
        if not isinstance(answer, Mapping) or not all(hasattr(array, "dtype") for array in answer.values()):
            raise StepContractError("the part of the model returned no tensors", mend="return arrays by name")
        return record.replace(tensors=answer, slip=next_part(_slip(record)))


class ModelStage:
    """A model, or a part of one, in each version that is loaded.

    A record that was routed to another version gets it: that is loaded at its first record. It happens when a worker
    starts anew while records of the version before are still on their way to it.

    Args:
        stage: its place in the plan.
        plugin: the step's name.
        retries: how often failing records are tried again.
        stopped: the models that answer no record now.
        opens: opens a version, and returns the step and what closes it.
    """

    def __init__(
        self,
        stage: StagePlan,
        plugin: str,
        retries: Retries,
        stopped: Callable[[], frozenset[str]],
        opens: Callable[[str], tuple[Any, ExitStack]] | None = None,
    ) -> None:
        self.stage, self._plugin, self._retries, self._stopped = stage, plugin, retries, stopped
        self._opens = opens
        self._legs: dict[str, Infer] = {}
        self._closing: dict[str, ExitStack] = {}
        self._used: dict[str, float] = {}
        self._cold: dict[str, Any] = {}
        self._refused: dict[str, tuple[float, BaseException]] = {}
        self._changing = threading.RLock()  # a version is loaded by the steps' thread, or beside it

    def ensure(self, version: str) -> bool:
        """Load a version, unless it is; returns whether it had to be.

        Raises:
            HeadraceError: it cannot be.
        """
        with self._changing:
            if version in self._legs:
                return False
            if self._opens is None:
                raise HeadraceError(f"{version} cannot be opened", mend="restart the worker")
            self.load(version, *self._opens(version))
            self.warm_up()
            return True

    def load(self, version: str, step: Any, closing: ExitStack | None = None) -> None:
        """Take an opened step for a version, and what closes it."""
        kind = RunPart if not self.stage.is_last else Infer if self.stage.shard is None else RunLastPart
        call: Callable[[Batch], Sequence[Any]] = step.infer if self.stage.is_last else step.part
        with self._changing:
            self._closing[version] = closing or ExitStack()
            self._used[version] = time.monotonic()
            self._cold[version] = step
            self._legs = {**self._legs, version: kind(self.stage.name, self._plugin, call, self._retries)}

    def warm_up(self) -> None:
        """Warm up what was loaded since: the thread that runs the batches does, before the first of them."""
        with self._changing:
            while self._cold:
                warm_up(*self._cold.popitem())

    @property
    def versions(self) -> list[str]:
        """The versions that are loaded."""
        return list(self._legs)

    def unload(self, version: str) -> None:
        """Close a version and forget it; a record that comes for it all the same loads it again."""
        with self._changing:
            self._legs = {name: leg for name, leg in self._legs.items() if name != version}
            self._cold.pop(version, None)
            self._closing.pop(version, ExitStack()).close()

    def idle(self, seconds: float) -> list[str]:
        """Return the versions that were loaded, and served no record, for so long."""
        since = time.monotonic() - seconds
        return [version for version in self._legs if self._used[version] < since]

    def close(self) -> None:
        """Close every version."""
        for version in self.versions:
            self.unload(version)

    def run(self, slots: Sequence[Slot]) -> int:
        """Run the records whose slip names this stage next, each on the version that its slip names."""
        due = self._in_time([slot for slot in slots if slot.next_stage == self.stage.name])
        if self.stage.model in self._stopped():
            for slot in due:
                self._pass_over(slot)
            return 0
        count = 0
        wanted = [_version(slot) for slot in due]
        for version in dict.fromkeys(wanted):
            own = [slot for slot, other in zip(due, wanted, strict=True) if other == version]
            leg = self._leg(version, own)
            if leg is not None:
                count += leg.run(own)
                self._used[version] = time.monotonic()
        return count

    def _in_time(self, due: list[Slot]) -> list[Slot]:
        """Return the slots whose records somebody still waits for; the others have expired.

        Of a branch only its join is told so: others may have answered in time, and it has the last word.
        """
        now_ms, name = time.time() * 1000, self.stage.name
        late = [slot for slot in due if slot.record is not None and is_late(slot.record, now_ms)]
        if not late:
            return due
        for slot in late:
            if slot.record is None:
                continue
            if slot.is_branch:
                slot.fail(self._failure(BranchExpiredError(how_late(slot.record, now_ms, name))))
            else:
                slot.record = expired(slot.record, now_ms, name)
        return [slot for slot in due if slot.record is not None and slot.record.is_live]

    def _leg(self, version: str, own: Sequence[Slot]) -> Infer | None:
        """Return what runs a version, loaded if need be; None when it cannot be had, and these records have failed."""
        if not version and len(self._legs) == 1:
            return next(iter(self._legs.values()))
        refused_s, error = self._refused.get(version, (0.0, None))
        if version and version not in self._legs and time.monotonic() >= refused_s:
            log.info("%s was not loaded for %s, and a record needs it", version, self.stage.name)
            with Trap() as trap:
                self.ensure(version)
            error = trap.error
            if error is not None:
                self._refused[version] = time.monotonic() + REFUSED_S, error
        if (leg := self._legs.get(version)) is not None:
            return leg
        why = f": {error}" if error is not None else ""
        fault = f"the record was routed to {version} of model {self.stage.model!r}, which is not loaded here{why}"
        for slot in own:
            slot.fail(self._failure(PlanChangedError(fault, mend="redrive it")))
        return None

    def _pass_over(self, slot: Slot) -> None:
        """Send the record on to the next model of its cascade; one that nobody else can answer fails."""
        slip = pass_over(slot.record.slip) if slot.record is not None and slot.record.slip is not None else None
        if slip is None or slot.record is None:
            slot.fail(self._failure(stopped_error(self.stage.model)))
        else:
            kept = slot.record.tensors if self.stage.shard is None else {}
            slot.record = slot.record.replace(slip=slip, tensors=kept)

    def _failure(self, error: Exception) -> Any:
        return as_failure(error, stage=self.stage.name, plugin=self._plugin)


def _version(slot: Slot) -> str:
    slip = slot.record.slip if slot.record is not None else None
    if slip is None or slip.at is None:
        return ""
    return slip.decision.steps[slip.at].version or ""


def _slip(record: Record) -> Slip:
    if record.slip is None:
        raise ValueError("the record has no slip")
    return record.slip


def stopped_error(model: str) -> ModelStoppedError:
    """Return why a model answers nothing."""
    return ModelStoppedError(f"model {model!r} is stopped", mend=f"`headrace model start FILE {model}`, then redrive")


def _written(output: Mapping[str, Any]) -> bytes | None:
    """Find out at the model, not at the sink, whose fault it is that a result cannot be written.

    Returns it as JSON, so that it is written once; None where that depends on what stands beside it.
    """
    try:
        return encode_strictly(output)
    except UnicodeEncodeError:  # a lone surrogate, which is written as an escape
        pass
    except (TypeError, ValueError, RecursionError) as error:
        raise _unwritable(error) from None
    try:
        encode(output)
    except (TypeError, ValueError, RecursionError) as error:
        raise _unwritable(error) from None
    return None


def _unwritable(error: Exception) -> ModelOutputError:
    fault = f"the model's output is not plain JSON: {error}"
    return ModelOutputError(fault, mend="return str, int, float, bool, None, lists and dicts")


def _accepts(rule: str, output: Mapping[str, Any]) -> bool:
    return _compiled(rule).holds({"output": output})


@lru_cache(maxsize=256)
def _compiled(rule: str) -> Expression:
    return compile_expression(rule, None, ("output",))
