"""Which topics a pipeline has, and which names it may not take from others."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from headrace.core.config.errors import TopicNameError
from headrace.core.config.pipeline import Topics
from headrace.core.errors import HeadraceError, Place
from headrace.core.plan.plan import InputPlan, OutputPlan, TopicPlan
from headrace.core.plan.stages import GroupPlan
from headrace.core.wire.retry import retry_topic

__all__ = ["is_internal", "plan_topics", "topic_problems"]

_INTERNAL = (
    r"(dead|redriven|control|audit|exposures|feedback|reports|tokens|link\..+|retry\..+|state\..+|.+\.heartbeat)"
)
_DEAD_CONFIG = {
    "cleanup.policy": "delete",  # where compaction is the cluster's default, a letter without a key would be refused
    # Kept until its owner deletes it: a dead letter keeps its message's timestamp, which may already be old.
    "retention.ms": "-1",
    "message.timestamp.type": "CreateTime",
    "message.timestamp.after.max.ms": str(2**63 - 1),
}
# What has been read is deleted; what waits is kept however long nobody runs.
_RETRY_CONFIG = {"cleanup.policy": "delete", "retention.ms": "-1"}
_CONTROL_CONFIG = {"cleanup.policy": "compact", "retention.ms": "-1", "min.cleanable.dirty.ratio": "0.1"}
_AUDIT_CONFIG = {"cleanup.policy": "delete", "retention.ms": "-1"}
_LEGAL = re.compile(r"[a-zA-Z0-9._-]{1,249}")


def plan_topics(
    pipeline: str,
    source: InputPlan,
    outputs: Iterable[OutputPlan],
    rules: Topics,
    *,
    groups: Mapping[str, GroupPlan],
    has_experiments: bool,
    has_retries: bool,
) -> tuple[TopicPlan, ...]:
    """Return the topics of a pipeline; limits that depend on the input's are set when the broker is asked."""
    sinks = tuple(
        TopicPlan(name, "output", output.partitions or rules.partitions, place=output.step.place)
        for output in outputs
        for name in output.topics
    )
    retries = (TopicPlan(retry_topic(pipeline), "retry", None, _RETRY_CONFIG),) if has_retries else ()
    exposures = (TopicPlan(f"{pipeline}.exposures", "exposures", rules.partitions),) if has_experiments else ()
    return (
        TopicPlan(source.topic, "input", rules.partitions, place=source.place),
        *sinks,
        TopicPlan(f"{pipeline}.dead", "dead", rules.partitions, _DEAD_CONFIG),
        *retries,
        *exposures,
        TopicPlan(f"{pipeline}.control", "control", 1, _CONTROL_CONFIG),
        TopicPlan(f"{pipeline}.audit", "audit", 1, _AUDIT_CONFIG),
        *(TopicPlan(group.heartbeat_topic, "heartbeat", 1) for group in groups.values()),
    )


def topic_problems(
    pipeline: str, input_topic: str, input_place: Place, outputs: Iterable[OutputPlan]
) -> Iterator[HeadraceError]:
    """Yield a problem for every topic name that is not legal, reserved, or taken by the input or another output."""
    if is_internal(input_topic, pipeline):
        yield _reserved(input_topic, input_place)
    elif not _is_legal(input_topic):
        yield _illegal(input_topic, input_place)
    taken = {input_topic: "the input"}
    for output in outputs:
        place = output.step.place
        for name in output.topics:
            if not _is_legal(name):
                yield _illegal(name, place)
            elif is_internal(name, pipeline):
                yield _reserved(name, place)
            elif name in taken:
                yield TopicNameError(f"topic {name!r} is {taken[name]} already", mend="name another topic", place=place)
            taken.setdefault(name, "an output")


def is_internal(name: str, pipeline: str) -> bool:
    """Whether a topic is one that Headrace uses for itself in this pipeline."""
    return re.fullmatch(re.escape(pipeline) + r"\." + _INTERNAL, name) is not None


def _is_legal(name: str) -> bool:
    return _LEGAL.fullmatch(name) is not None and name not in (".", "..")


def _illegal(name: str, place: Place) -> TopicNameError:
    return TopicNameError(
        f"topic {name!r} is not a name that Kafka takes", mend="use letters, digits, '.', '_', '-'", place=place
    )


def _reserved(name: str, place: Place) -> TopicNameError:
    return TopicNameError(
        f"topic {name!r} is one that Headrace uses for itself", mend="name another topic", place=place
    )
