"""What can be wrong between a pipeline, its Kafka and its machine: topics, limits, offsets, folders, ports."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from headrace.core.errors import BrokerError, ConfigError, HeadraceError, MachineError, Place

__all__ = [
    "BrokerUnreachableError",
    "DuplicateWorkerError",
    "FolderError",
    "NotDrainedError",
    "NotJoinedError",
    "NotPromotedError",
    "OffsetGapError",
    "OtherModelError",
    "OtherVersionError",
    "PartitionsError",
    "StoppedAtRecordError",
    "StrandedError",
    "TopicDeletedError",
    "TopicLimitError",
    "TopicMissingError",
    "TopicRefusedError",
    "UnexpectedError",
    "WebPortError",
]


class BrokerUnreachableError(BrokerError):
    """No Kafka broker answers at the address.

    The address comes from `broker.bootstrap` in the pipeline file, else from HEADRACE_BROKER, else it is the embedded
    broker's. Mend: start the broker (`headrace broker start` for the embedded one), or correct the address;
    `headrace doctor` says what it sees.
    """

    code = "HR201"


class TopicMissingError(ConfigError):
    """A topic does not exist, and the file says not to make topics.

    Mend: create it, or set `topics: {create: true}`.
    """

    code = "HR211"


class PartitionsError(ConfigError):
    """A topic has another number of partitions than the plan.

    `topics.partitions` (or a sink's own `partitions`) is a wish about every topic it covers, also about those that
    exist. Partitions are never changed by Headrace: it would move keys. Mend: write the number that there is, or
    leave it out and take topics as they are.
    """

    code = "HR212"


class TopicRefusedError(BrokerError):
    """The broker refuses to make or describe a topic.

    Typical reasons: more replicas than brokers, no permission, a policy of the cluster. The broker's own reason is in
    the message. Mend: change `topics:` in the file, or ask whoever runs the cluster.
    """

    code = "HR213"


class TopicLimitError(ConfigError):
    """A topic accepts smaller messages than this pipeline may have to write to it.

    A dead letter holds the whole original message and the reasons, so its topic must take the input topic's
    max.message.bytes and 64 KiB more. Checked at start, since otherwise the first large record would be stuck.
    """

    code = "HR214"

    def __init__(
        self, topic: str, *, limit_bytes: int, needed_bytes: int, mend: str = "", place: Place | None = None
    ) -> None:
        super().__init__(
            f"topic {topic!r} takes {limit_bytes:,} bytes a message; this pipeline may need {needed_bytes:,}",
            mend=mend or f"set its max.message.bytes to {needed_bytes}",
            place=place,
        )
        self.topic, self.limit_bytes, self.needed_bytes = topic, limit_bytes, needed_bytes


class OffsetGapError(BrokerError):
    """The committed offset no longer lies in the topic.

    Records expired before they were read, or the topic was deleted and made again. Nothing is skipped silently.
    Mend: look at the topic's retention; to go on with what is there, set `input: {on_gap: continue}` and start again.
    """

    code = "HR215"


class StoppedAtRecordError(ConfigError):
    """A record failed to the end, and the file says `on_failure: stop`.

    The worker delivered and committed everything before the record in its partition, and nothing from it on. Started
    again it comes to the same record. Mend: correct what the message says and start again; or let the record become a
    dead letter with the `headrace skip` that the message names, which the next start heeds.
    """

    code = "HR234"


class DuplicateWorkerError(BrokerError):
    """Another process with the same worker name has taken this one's place.

    A worker's name is its identity in the consumer group, so that it gets its partitions back after a restart. Two
    with one name push each other out; this one stops. Mend: give each worker a `--worker` name of its own.
    """

    code = "HR216"


class NotDrainedError(MachineError):
    """The worker stopped before its batches in flight had ended.

    After SIGTERM or Ctrl-C a worker lets every batch in flight end, for at most 25 seconds; a second signal makes it
    stop at once. A step that does not return, or a broker that is away, can take longer than that. Nothing is lost:
    what was not committed is read again by whoever comes next, and some results may come twice, with the same ce_id.
    Mend: look for the slow step or the broker's fault in the log.
    """

    code = "HR411"


class NotJoinedError(BrokerError):
    """The worker did not get into its consumer groups.

    Joining takes seconds, longer only while other workers come and go. Now the broker refuses it (the log says why:
    often a missing permission for the groups `<pipeline>.ingress` and `<pipeline>.main.app`), or is away, or another
    process of the same name was faster. The worker stops, so that whatever watches it can start it again. Mend: look
    at the log; give each worker a `--worker` name of its own.
    """

    code = "HR217"


class NotPromotedError(MachineError):
    """A running pipeline could not go over to another version of a model.

    A worker could not load it (its reason is in the message: often memory for both versions, or another number of
    parts), or did not say in time that it is ready. Nothing is served by the version, and the alias is what it was.
    Mend: what the message says; a version with other parts needs a stop and a new start.
    """

    code = "HR231"


class StrandedError(ConfigError):
    """Records of an earlier plan wait on a link that no stage of this plan reads.

    The file dropped or renamed a model, or cut it into other parts, while records were on their way to it. They are
    not lost: the link keeps them. Mend: run the file as it was until they are through (`headrace status` shows the
    lag), then this one; or move them aside with `headrace skip`.
    """

    code = "HR230"


class OtherModelError(ConfigError):
    """The registry of this worker has other bytes under a version than the pipeline ran with.

    Records that go through several workers must meet one model; two that only share a number would mix silently.
    Mend: let all workers use one registry, or register the changed model as a new version.
    """

    code = "HR232"


class OtherVersionError(ConfigError):
    """A worker has another version of a model than the one that records are routed to, and cannot load that.

    Every record that came to it would be a dead letter, so it does not start; the log says why it cannot load it. Mend:
    give it the same registry; or start the ingress worker with the same file first.
    """

    code = "HR233"


class FolderError(MachineError):
    """A state folder cannot be written.

    Headrace keeps its state in `.headrace` of the current folder (or in HEADRACE_HOME) and what it downloads in
    ~/.cache/headrace (or in HEADRACE_CACHE). Something stands in the way: a file of that name, a missing
    permission, a read-only or full disk. Mend: remove what stands there, or point the variable to a folder that
    you may write.
    """

    code = "HR403"

    def __init__(self, folder: Path, reason: str, *, variable: str = "HEADRACE_HOME") -> None:
        super().__init__(
            f"{folder} cannot be written: {reason}",
            mend=f"free the path, or set {variable} to a folder that you may write",
        )
        self.folder = folder


class WebPortError(MachineError):
    """The port for health and metrics cannot be opened.

    Another process listens there, or the number is not allowed. Mend: choose another `--web-port`.
    """

    code = "HR410"


class TopicDeletedError(BrokerError):
    """A topic of the pipeline was deleted while it ran, or may not be seen any more.

    What it held is gone; the worker stops rather than wait for ever. Mend: start it again (a supervisor does by
    itself): missing topics are made anew, unless the file says `topics: {create: false}`. If the input was deleted,
    reading begins where `input.start` says. If the topic is still there, allow Describe on it.
    """

    code = "HR244"

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(
            f"deleted while the pipeline ran: {', '.join(map(repr, names))}",
            mend="start it again: missing topics are made anew",
        )
        self.names = tuple(names)


class UnexpectedError(HeadraceError):
    """Something failed that Headrace did not expect.

    It is a fault of ours, or of a plugin. Run the command again with --debug, which prints the traceback, and report
    it with the version (`headrace --version`).
    """

    code = "HR999"
