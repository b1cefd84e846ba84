"""A plan as a Mermaid flowchart, which GitHub, GitLab and many editors draw."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from headrace.core.plan.facts import plan_ways
from headrace.core.plan.plan import Plan, TopicPlan
from headrace.core.plan.stages import EGRESS, INGRESS, GroupPlan, StagePlan
from headrace.core.wire.kept import state_topic

__all__ = ["mermaid"]

_ENTITIES = {char: f"#{ord(char)};" for char in '#"&<>`|[](){}\\'}
"""Mermaid reads its own entities, `#35;`; everything that could end a label or begin HTML becomes one."""


def mermaid(plan: Plan) -> str:
    """Return the flowchart: a box a group, a cylinder a topic, an arrow wherever a record or a dead letter may go."""
    return "".join(f"{line}\n" for line in _Chart(plan).lines())


class _Chart:
    """Draws one plan. Ids are numbered, since names may hold what Mermaid takes for syntax, such as `end`."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._stages = {stage.name: f"stage{at}" for at, stage in enumerate(plan.stages)}
        shown = [
            topic
            for topic in plan.topics
            if topic.role in ("input", "link", "state", "output", "exposures", "dead", "retry")
        ]
        self._topics: Mapping[str, tuple[str, TopicPlan]] = {
            topic.name: (f"topic{at}", topic) for at, topic in enumerate(shown)
        }

    def lines(self) -> Iterator[str]:
        yield "flowchart LR"
        for node, topic in self._topics.values():
            yield f'  {node}[("{_escaped(topic.name)}")]'
        for at, group in enumerate(self._plan.groups.values()):
            yield from self._group(f"group{at}", group)
        yield f"  {self._topic(self._plan.input.topic)} --> {self._stages[INGRESS]}"
        yield from self._ways()
        for output in self._plan.outputs:
            label = output.when.source if output.when else ""
            for name in output.topics:
                yield self._arrow(self._stages[EGRESS], self._topic(name), label)
        if self._plan.keeps_state:
            state = self._topic(state_topic(self._plan.pipeline))
            what = "answers that wait" if self._plan.keeps_joins else "records that wait for their turn"
            yield f'  {self._stages[EGRESS]} <-- "{what}" --> {state}'
        if self._plan.experiments:
            yield f"  {self._stages[INGRESS]} -.-> {self._topic(self._plan.exposures_topic)}"
        for at in range(len(self._plan.groups)):
            yield f'  group{at} -. "failures" .-> {self._topic(self._plan.dead_topic)}'
        if self._plan.retry_topic in self._topics:
            for at in range(len(self._plan.groups)):
                yield f'  group{at} -. "may pass" .-> {self._topic(self._plan.retry_topic)}'
            yield f'  {self._topic(self._plan.retry_topic)} -- "later" --> {self._stages[INGRESS]}'

    def _group(self, node: str, group: GroupPlan) -> Iterator[str]:
        workers = "1 worker" if group.replicas == 1 else f"{group.replicas} workers"
        yield f'  subgraph {node}["{_escaped(group.name)}: {workers}"]'
        for stage in group.stages:
            steps = _escaped(", ".join(stage.steps))
            yield f'    {self._stages[stage.name]}["{_escaped(stage.name)}<br/>{steps}"]'
        yield "  end"

    def _ways(self) -> Iterator[str]:
        """Yield the arrows between stages: straight ones in a process, through a link's topic between two."""
        stages = {stage.name: stage for stage in self._plan.stages}
        linked: dict[str, StagePlan] = {}
        for before, after in plan_ways(self._plan):
            one, other = stages[before], stages[after]
            if (one.group == other.group and not self._is_joined(one, other)) or other.reads is None:
                yield self._arrow(self._stages[before], self._stages[after], self._copied(before, other, ""))
                continue
            linked[after] = other
            carried = f"records and {self._plan.link.tensors} tensors" if other.shard else "records"
            carried = self._copied(before, other, carried)
            yield self._arrow(self._stages[before], self._topic(other.reads), carried)
        for name, stage in linked.items():
            yield self._arrow(self._topic(str(stage.reads)), self._stages[name], f"as {stage.consumer_group}")

    def _is_joined(self, before: StagePlan, after: StagePlan) -> bool:
        """Whether records take this way to where they meet others: over the link, also within one process."""
        if after.name == EGRESS and self._plan.keeps_turns:
            return True
        apart = {model for join in self._plan.joins if join.is_apart for model in join.models}
        return after.name == EGRESS and before.model in apart

    def _copied(self, before: str, after: StagePlan, label: str) -> str:
        """Return the label of a way that copies of a record take, because several models are asked at once."""
        asked = {model for join in self._plan.joins for model in join.models}
        return "a copy each" if before == INGRESS and after.model in asked else label

    def _topic(self, name: str) -> str:
        return self._topics[name][0]

    def _arrow(self, before: str, after: str, label: str = "") -> str:
        return f'  {before} -- "{_escaped(label)}" --> {after}' if label else f"  {before} --> {after}"


def _escaped(text: str) -> str:
    one_line = re.sub(r"\s+", " ", text).strip()
    return "".join(_ENTITIES.get(char, char) for char in one_line)
