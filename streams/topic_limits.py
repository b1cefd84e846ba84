"""Whether topics take what will be written to them: the first large record would be stuck in them, or lost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from headrace.core.errors import ProblemsError
from headrace.core.plan.plan import Plan
from headrace.core.wire.dead import HEADROOM_BYTES
from headrace.streams.errors import TopicLimitError
from headrace.streams.topic_facts import LARGEST_REQUEST_BYTES, TopicFacts

__all__ = ["refuse_limits"]


def refuse_limits(plan: Plan, there: Mapping[str, TopicFacts]) -> None:
    """Refuse topics that take too little, all of them at once.

    Raises:
        TopicLimitError: HR214, one does.
        ProblemsError: several do.
    """
    problems = list(_limit_problems(plan, there))
    if len(problems) == 1:
        raise problems[0]
    if problems:
        raise ProblemsError(problems)


def _limit_problems(plan: Plan, there: Mapping[str, TopicFacts]) -> Iterator[TopicLimitError]:
    source, dead = there[plan.input.topic], there[plan.dead_topic]
    needed = source.max_message_bytes + HEADROOM_BYTES
    if needed > LARGEST_REQUEST_BYTES:
        most = LARGEST_REQUEST_BYTES - HEADROOM_BYTES
        yield TopicLimitError(
            dead.name,
            limit_bytes=LARGEST_REQUEST_BYTES,
            needed_bytes=needed,
            mend=f"no Kafka request is larger; set max.message.bytes of {source.name!r} to {most} at most",
            place=plan.input.place,
        )
    else:
        names = [dead.name, *(topic.name for topic in plan.topics if topic.role == "retry")]
        small = [there[name] for name in names if there[name].max_message_bytes < needed]
        for facts in small:
            yield TopicLimitError(facts.name, limit_bytes=facts.max_message_bytes, needed_bytes=needed)
    for topic in plan.topics:
        found = there.get(topic.name)
        if topic.max_bytes is not None and found is not None and found.max_message_bytes < topic.max_bytes:
            yield TopicLimitError(topic.name, limit_bytes=found.max_message_bytes, needed_bytes=topic.max_bytes)
