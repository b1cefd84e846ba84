"""What can be wrong with looking at a running pipeline and changing it."""

from __future__ import annotations

from headrace.core.errors import BrokerError, ConfigError
from headrace.streams.access.connection import Connection

__all__ = ["NeverRunError", "NothingToSkipError", "SettingRefusedError", "UnknownTargetError"]


class NeverRunError(BrokerError):
    """The pipeline has no control topic on this broker, so nothing can be changed or told there.

    `headrace run` makes `<pipeline>.control` and `<pipeline>.audit` (or refuses to, with `topics: {create: false}`).
    Mend: run the pipeline once, or check which broker is meant: `broker.bootstrap` in the file, else HEADRACE_BROKER,
    else the embedded one.
    """

    code = "HR218"

    def __init__(self, topic: str, connection: Connection) -> None:
        super().__init__(
            f"there is no topic {topic!r} on the broker at {connection}: the pipeline never ran there",
            mend="run it once, or name the right broker",
        )
        self.topic = topic


class SettingRefusedError(BrokerError):
    """The broker did not take a setting, or its entry in the audit topic.

    The broker's own reason is in the message: often a missing permission to write to `<pipeline>.control` or
    `<pipeline>.audit`. If only the entry is missing, the setting is in force all the same. Mend: ask whoever runs the
    cluster.
    """

    code = "HR219"


class UnknownTargetError(ConfigError):
    """A command names a stage, model or experiment that the pipeline does not have.

    Only stages that read a topic can be paused or told to skip: ingress, and those that a record reaches over a link.
    Mend: take one of the names in the message; `headrace plan FILE` shows all of them.
    """

    code = "HR439"


class NothingToSkipError(ConfigError):
    """There is no record that could be skipped.

    The topic has no such partition, or the stage has read the partition to its end. A record that waits is the one at
    the committed offset; `headrace status FILE` shows where that is. Mend: name the partition that is stuck.
    """

    code = "HR226"
