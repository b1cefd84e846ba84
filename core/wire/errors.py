"""What can be wrong with one record: its publisher can mend it, and meanwhile it is a dead letter."""

from __future__ import annotations

from headrace.core.errors import BrokerError, PluginError, RecordError

__all__ = [
    "BatchTooLargeError",
    "ExpiryTimeError",
    "FrameUnreadableError",
    "ModelStoppedError",
    "NotAnObjectError",
    "NotPlainError",
    "PlanChangedError",
    "ProcessKilledError",
    "ResultRefusedError",
    "ResultTooLargeError",
    "SkippedError",
    "StateUnreadableError",
    "StepFailedError",
    "StepQuarantinedError",
    "TextMissingError",
    "TextTypeError",
    "TombstoneError",
    "TooLargeError",
    "WhenFailedError",
]


class StepFailedError(RecordError):
    """A step raised an error for this record, and did so again at every retry.

    The record was found by bisection: the others of its batch were delivered. The dead letter's headers name the
    plugin, its error and the attempts. Mend: correct the plugin or the record, then publish it again.
    """

    code = "HR501"


class TombstoneError(RecordError):
    """The message has no value.

    A tombstone (Kafka's null value) says that a key is deleted; there is nothing to infer from. Mend: publish
    tombstones to a topic of their own, or read the dead letter topic if you need them.
    """

    code = "HR502"


class TooLargeError(RecordError):
    """The message is larger than the pipeline accepts.

    Key, value and headers together exceed `input.max_bytes`. Mend: publish less, or raise `input.max_bytes` in the
    pipeline file (and the topics' limits with it).
    """

    code = "HR503"


class TextMissingError(RecordError):
    """The value has no text at the path that the pipeline reads.

    `input.text` is a dotted path into the JSON object; this record has nothing (or null) there. An empty text is
    fine, a missing one is not. Mend: publish the field, or correct `input.text`.
    """

    code = "HR504"


class TextTypeError(RecordError):
    """What lies at the text's path is not a string.

    Numbers, lists and objects are not turned into text by guess. Mend: publish a JSON string at `input.text`.
    """

    code = "HR505"


class NotAnObjectError(RecordError):
    """The value is JSON, but not an object.

    With `input.text` a path is followed into a JSON object; a list, number, string, true, false or null at the
    top has no fields. Mend: publish one JSON object a message.
    """

    code = "HR506"


class ExpiryTimeError(RecordError):
    """The deadline of the message cannot be read.

    `ce_expirytime` must be an RFC 3339 time such as 2026-11-23T20:00:00Z. Guessing could spend work on a record
    that nobody waits for, or drop one that somebody does. Mend: publish a valid time or none.
    """

    code = "HR507"


class WhenFailedError(RecordError):
    """The `when` of an output could not be evaluated over this result.

    CEL does not guess: comparing text with a number, or a field that this result lacks, is an error. The record
    is a dead letter for that output only. Mend: guard the expression, for example `has(output.label) && ...`.
    """

    code = "HR508"


class ResultTooLargeError(RecordError):
    """The result is larger than its topic accepts.

    Usually the record's key or id is very long. Mend: raise `max.message.bytes` of the output topic, or publish
    shorter keys.
    """

    code = "HR509"


class ResultRefusedError(RecordError):
    """The topic of an output does not take this result.

    A compacted topic takes no message without a key; a sink may name a partition that there is not, or a timestamp
    outside the topic's limits. The record is a dead letter for that output only. Mend: publish with a key, write
    results to a topic with `cleanup.policy` delete, or correct the sink.
    """

    code = "HR517"


class BatchTooLargeError(RecordError):
    """A compressed batch of messages unpacks to more than the pipeline is to hold.

    A broker bounds what is compressed only: half a megabyte can be gigabytes. Beyond `input.max_batch_bytes` a batch is
    given up, and one dead letter stands for all of its messages: it lies at the offset of the first one and names the
    last, without their bytes, which stay in the input for as long as that keeps them. Mend: publish smaller batches
    (a producer's batch size), or raise the limit.
    """

    code = "HR519"


# -- between processes


class FrameUnreadableError(RecordError):
    """A message on a link is no frame of Headrace, or a damaged one, or one of a newer version.

    Links are Headrace's own topics. What cannot be read there is a dead letter of its own bytes; nothing is guessed.
    Mend: let nobody else write to `<pipeline>.link.*`; update all workers to one version.
    """

    code = "HR520"


class PlanChangedError(RecordError):
    """A record was routed under another plan, and what it still needs is not in this one.

    The pipeline's file changed while the record was between two processes: a model it was to visit was dropped, or its
    version cannot be loaded any more (the message says why), or a variant that it met is gone. Mend: redrive it; it
    then runs under the new plan.
    """

    code = "HR521"


class ModelStoppedError(RecordError):
    """The model that the record was to visit is stopped, and no other one of its route can answer.

    `headrace model stop` is a kill switch. Mend: `headrace model start`, then redrive the dead letters.
    """

    code = "HR522"


class SkippedError(RecordError):
    """The record was skipped by `headrace skip`.

    It is kept here unchanged. Mend: nothing, or redrive it once what was wrong with it is mended.
    """

    code = "HR523"


class TooDeepError(RecordError):
    """A record's value has so many levels that it cannot travel to another process.

    Lists and objects may be nested into each other about 900 times; what JSON can be read has not many more, so few
    messages are in between. Mend: publish it with fewer levels.
    """

    code = "HR524"


class StateUnreadableError(BrokerError):
    """What lies on the state topic of the joins cannot be read: it is no state, damaged, or of a newer version.

    The worker stops: going on without it would lose the answers that records are waiting with. Mend: update all
    workers to one version, and let nobody else write to `<pipeline>.state.*`.
    """

    code = "HR534"


class StepQuarantinedError(PluginError):
    """A step failed on so many records in a row that it is left alone for a while.

    Trying it with every record would only slow the others down. Its records fail at once; after some seconds one of
    them is tried, and when it passes all go on as ever. `headrace status` names the steps in quarantine,
    `delivery.quarantine` sets how many records that takes. Mend: correct what ails the step (its last error is in the
    message), then redrive the letters.
    """

    code = "HR611"


class ProcessKilledError(PluginError):
    """A record's process died three times while this record alone was at its steps.

    Nothing catches a crash in native code, a call of os._exit, or the kernel's answer to too much memory; each takes
    the whole process with it. So the record is a dead letter, with its original bytes; it gets no fallback, since
    nothing of it is to be run again. Mend: the logs of the worker and of the machine (`dmesg`) say how it died; run
    the record through the steps alone, correct the step or give it more memory, then redrive it.
    """

    code = "HR612"


class NotPlainError(PluginError):
    """A step put something into a record that cannot travel to another process.

    Values, tags and outputs are str, int, float, bool, None, bytes, lists and dicts; tensors are numpy arrays. In one
    process anything goes, which is why it shows only with `groups:` or a sharded model. Mend: the plugin's author.
    """

    code = "HR610"
