"""One stage that reads a topic, and what of its worker concerns it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from headrace.core.plan.plan import Plan
from headrace.core.plan.stages import EGRESS, INGRESS, StagePlan
from headrace.streams.join import Joiner
from headrace.streams.worker_parts import WorkerParts

__all__ = ["StageParts"]


@dataclass(frozen=True)
class StageParts:
    """What the modules of a stage are given.

    Attributes:
        worker: what the worker made before.
        stage: its place in the plan.
    """

    worker: WorkerParts
    stage: StagePlan

    @property
    def plan(self) -> Plan:
        """What runs."""
        return self.worker.plan

    @property
    def is_ingress(self) -> bool:
        """Whether it reads the input, not a link."""
        return self.stage.name == INGRESS

    @property
    def joiner(self) -> Joiner | None:
        """The joins that it makes, if it is egress and has any whose answers come over its link."""
        return self.worker.joiner if self.stage.name == EGRESS else None

    @property
    def retry_topic(self) -> str | None:
        """The topic of records that wait to be tried again, which ingress reads; also that of an earlier plan."""
        topic = self.plan.retry_topic
        return topic if self.is_ingress and topic in self.worker.topics else None

    @property
    def reads(self) -> list[str]:
        """The topics that it subscribes to."""
        return [topic for topic in (self.stage.reads, self.retry_topic) if topic]

    @property
    def width(self) -> int:
        """How many partitions there are of what it reads; other workers may read some of them."""
        facts = self.worker.topics.get(self.stage.reads or "")
        return max(1, facts.partitions) if facts is not None else 1

    @property
    def reach(self) -> int:
        """How many records two batches may have; of a link, the last frame of each may reach over."""
        most = self.plan.batch.max_records
        return 2 * most if self.is_ingress else 2 * (2 * most - 1)

    def full(self) -> Mapping[int, int]:
        """Return the partitions of which no more is to be read, since egress has all that it can hold of them."""
        return self.worker.live.state.full if self.is_ingress and self.plan.keeps_state else {}
