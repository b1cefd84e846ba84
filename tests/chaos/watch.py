"""How far each group of a pipeline has come, asked of the broker and of no worker."""

from __future__ import annotations

from collections.abc import Mapping

from confluent_kafka import Consumer, KafkaException, TopicPartition

from tests.chaos.raw import Tail
from tests.support.pipeline import Pipeline

__all__ = ["Watch"]

ANSWER_S = 5.0


class Watch:
    """Asks for committed offsets and ends; what nobody answers is None.

    Args:
        pipeline: what is watched; its topics must be there.
        stages: for each group, the stage of it that reads a topic.
    """

    def __init__(self, pipeline: Pipeline, stages: Mapping[str, str]) -> None:
        bootstrap = pipeline.client.bootstrap
        self._topics = {
            group: pipeline.input if stage == "ingress" else pipeline.link(stage) for group, stage in stages.items()
        }
        self._asking = {
            group: Consumer({"bootstrap.servers": bootstrap, "group.id": f"{pipeline.name}.{stage}", "log_level": 0})
            for group, stage in stages.items()
        }
        self._letters, self._dead = Tail(pipeline.client, [pipeline.dead_topic]), set[str]()
        self._partitions = {group: pipeline.client.partitions(name) for group, name in self._topics.items()}

    def positions(self, group: str) -> dict[int, int] | None:
        """Return how many messages of each partition a group has committed."""
        try:
            found = self._asking[group].committed(self._tps(group), timeout=ANSWER_S)
        except KafkaException:
            return None
        return None if any(tp.error for tp in found) else {tp.partition: max(0, tp.offset) for tp in found}

    def has_letter(self, name: str) -> bool:
        """Whether the published record of this name is a dead letter by now."""
        for letter in self._letters.more(0.01):
            self._dead.add((dict(letter.headers).get("name") or b"").decode())
        return name in self._dead

    def committed(self, group: str) -> int | None:
        """Return how many messages a group has committed, over all partitions."""
        found = self.positions(group)
        return None if found is None else sum(found.values())

    def lag(self, group: str) -> int | None:
        """Return how many messages of its topic a group has not committed."""
        asking = self._asking[group]
        try:
            ends = [asking.get_watermark_offsets(tp, timeout=ANSWER_S)[1] for tp in self._tps(group)]
        except KafkaException:
            return None
        done = self.committed(group)
        return None if done is None else sum(ends) - done

    def close(self) -> None:
        """End it."""
        for asking in self._asking.values():
            asking.close()
        self._letters.close()

    def _tps(self, group: str) -> list[TopicPartition]:
        return [TopicPartition(self._topics[group], number) for number in range(self._partitions[group])]
