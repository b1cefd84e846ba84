"""What can be wrong with looking at dead letters and publishing them again."""

from __future__ import annotations

from headrace.core.errors import BrokerError, ConfigError

__all__ = ["NotRedrivenError", "RedriveTopicError", "UnknownLetterError"]


class UnknownLetterError(ConfigError):
    """There is no dead letter at that place.

    A letter is named by its place in the dead letter topic, PARTITION:OFFSET, as `headrace dlq list` shows it. It may
    have been deleted since. Mend: correct the place.
    """

    code = "HR445"


class NotRedrivenError(BrokerError):
    """Dead letters could not be published again, or not all of them.

    The message says how many were. A letter and the mark that it was redriven are written in one transaction, so what
    was not done can be done by the same command once more: nothing is published twice, nothing is left out. Another
    `headrace dlq redrive` of the same pipeline ends this one. Mend: what the message says.
    """

    code = "HR446"


class RedriveTopicError(ConfigError):
    """Dead letters cannot be published to that topic.

    Headrace's own topics are no place for messages, and the dead letter topic would make letters of letters. Mend:
    leave out --to for the pipeline's input, or name a topic of your own.
    """

    code = "HR447"
