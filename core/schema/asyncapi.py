"""AsyncAPI 3.0 of a pipeline's topics, as seen by the people around it: who publishes to it and who reads from it.

Source: AsyncAPI 3.0.0, and its Kafka bindings 0.5.0.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import count
from typing import Any, Literal, NamedTuple

from headrace.core.config.broker import Broker
from headrace.core.plan.plan import OutputPlan, Plan, TopicPlan
from headrace.core.schema.document import Schema, hoisted
from headrace.core.schema.incoming import incoming_shapes
from headrace.core.schema.messages import AUDIT, DEAD_LETTER, EXPOSURE, FRAME, SETTING_SHAPES, STATE
from headrace.core.schema.shape import MessageShape

__all__ = ["ROLES", "Role", "asyncapi"]

_VERSION = "3.0.0"
_BINDING = "0.5.0"
_SCHEMAS = "#/components/schemas/"
_SCHEMES = {"PLAIN": "plain", "SCRAM-SHA-256": "scramSha256", "SCRAM-SHA-512": "scramSha512"}
_NOT_IN_IDENTIFIERS = re.compile(r"[^A-Za-z0-9_-]")


class Role(NamedTuple):
    """What a topic is for, and what people do with it: send to it, receive from it, or leave it alone."""

    what: str
    action: Literal["send", "receive"] | None = None
    shapes: tuple[MessageShape, ...] = ()


# A role of a topic that the plan knows and this table does not fails a test.
ROLES: Mapping[str, Role] = {
    "input": Role("what publishers write", "send"),
    "output": Role("results", "receive"),
    "dead": Role("records that could not become results, as they came in", "receive", (DEAD_LETTER,)),
    "exposures": Role("which unit met which variant", "receive", (EXPOSURE,)),
    "control": Role("settings of the running pipeline; change them by command", "receive", SETTING_SHAPES),
    "audit": Role("who changed which setting, when and why", "receive", (AUDIT,)),
    "link": Role("records between two of the pipeline's processes; Headrace's own", None, (FRAME,)),
    "state": Role("answers of several models that wait for each other; Headrace's own", None, (STATE,)),
    "retry": Role("records that wait to be tried again; Headrace's own"),
    "heartbeat": Role("liveness of workers; Headrace's own"),
}
"""Every role of a topic. Messages of the input and of outputs depend on the file."""


def asyncapi(plan: Plan) -> Schema:
    """Return the document: channels, operations, and the schemas of keys, headers and bodies."""
    channels: Schema = {}
    operations: Schema = {}
    known: dict[str, MessageShape] = {}
    for topic in plan.topics:
        role, shapes = ROLES[topic.role], tuple(_named(shape, known) for shape in _shapes(plan, topic))
        channel = _free(topic.name, channels)
        channels[channel] = _channel(plan, topic, shapes)
        if role.action is not None:
            operations[f"{role.action}-{channel}"] = _operation(plan, channel, role, shapes)
    schemas: Schema = {}
    messages = {name: _message(shape, schemas) for name, shape in known.items()}
    servers = dict(_servers(plan.broker))
    return {
        "asyncapi": _VERSION,
        "info": _info(plan),
        **({"servers": servers} if servers else {}),
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages, "schemas": schemas},
    }


def _named(shape: MessageShape, known: dict[str, MessageShape]) -> MessageShape:
    """Return the shape under a name that no other one has: two sinks may call different things the same."""
    strangers = {name: other for name, other in known.items() if replace(other, name=shape.name) != shape}
    name = _free(shape.name, strangers)
    return known.setdefault(name, replace(shape, name=name))


def _free(name: str, taken: Mapping[str, Any]) -> str:
    """Return the name as an identifier that is not taken: generators of code make names of programs out of these."""
    wanted = _NOT_IN_IDENTIFIERS.sub("_", name)
    others = (f"{wanted}_{number}" for number in count(2))
    return wanted if wanted not in taken else next(other for other in others if other not in taken)


def _info(plan: Plan) -> Schema:
    return {
        "title": f"{plan.pipeline}, a Headrace pipeline",
        "version": plan.hash,
        "description": "The topics of the pipeline as its publishers and readers see them: `send` is what you may "
        "write, `receive` what you may read. Fields and headers are only ever added.",
    }


def _servers(broker: Broker) -> Iterator[tuple[str, Schema]]:
    protocol = "kafka-secure" if "SSL" in broker.security_protocol else "kafka"
    schemes = [_SCHEMES[broker.sasl_mechanism]] if broker.sasl_mechanism else ["X509"] if broker.ssl_certfile else []
    security = {"security": [{"type": scheme} for scheme in schemes]} if schemes else {}
    for number, host in enumerate((broker.bootstrap or "").split(","), 1):
        if host.strip():
            yield f"kafka-{number}", {"host": host.strip(), "protocol": protocol, **security}


def _shapes(plan: Plan, topic: TopicPlan) -> tuple[MessageShape, ...]:
    if topic.role == "input":
        return incoming_shapes(plan.input)
    if topic.role == "output":
        return tuple(_outgoing(output) for output in plan.outputs if topic.name in output.topics)
    return ROLES[topic.role].shapes


def _outgoing(output: OutputPlan) -> MessageShape:
    shape = getattr(output.step.bind(), "shape", None)
    if shape is not None:
        said: MessageShape = shape()
        return said
    spec = output.step.spec
    return MessageShape(
        f"{spec.name}-message",
        f"A message as the sink {spec.name!r} of {spec.distribution} writes it.",
        content_type="",
    )


def _channel(plan: Plan, topic: TopicPlan, shapes: tuple[MessageShape, ...]) -> Schema:
    read_by = {"x-headrace-consumer-group": plan.consumer_group} if topic.role == "input" else {}
    return {
        "address": topic.name,
        "title": topic.name,
        "description": ROLES[topic.role].what,
        "messages": {shape.name: {"$ref": f"#/components/messages/{shape.name}"} for shape in shapes},
        "bindings": {"kafka": dict(_topic_binding(topic))},
        "x-headrace-role": topic.role,
        **read_by,
    }


def _topic_binding(topic: TopicPlan) -> Iterator[tuple[str, Any]]:
    if topic.partitions is not None:
        yield "partitions", topic.partitions
    settings: Schema = {name: int(value) if _is_whole(value) else value for name, value in topic.config.items()}
    if "cleanup.policy" in settings:
        settings["cleanup.policy"] = str(settings["cleanup.policy"]).split(",")
    if settings:
        yield "topicConfiguration", settings
    yield "bindingVersion", _BINDING


def _is_whole(value: str) -> bool:
    return value.removeprefix("-").isdecimal()


def _operation(plan: Plan, channel: str, role: Role, shapes: tuple[MessageShape, ...]) -> Schema:
    at = f"#/channels/{channel}"
    operation: Schema = {
        "action": role.action,
        "channel": {"$ref": at},
        "summary": role.what,
        "messages": [{"$ref": f"{at}/messages/{shape.name}"} for shape in shapes],
    }
    if role.action == "receive":
        group = {
            "type": "string",
            "description": f"a consumer group of your own; those that begin with {plan.pipeline}. are the pipeline's",
            "not": {"pattern": f"^{plan.pipeline}\\."},
        }
        operation["bindings"] = {"kafka": {"groupId": group, "bindingVersion": _BINDING}}
    return operation


def _message(shape: MessageShape, schemas: Schema) -> Schema:
    message: Schema = {"name": shape.name, "title": shape.name.replace("-", " "), "summary": shape.summary}
    if shape.content_type:
        message["contentType"] = shape.content_type
    for part, schema in (("payload", shape.body), ("headers", shape.headers)):
        if schema:
            name = shape.name if part == "payload" else f"{shape.name}-headers"
            hoisted(schema, name, schemas, _SCHEMAS)
            message[part] = {"$ref": f"{_SCHEMAS}{name}"}
    if shape.key:
        message["bindings"] = {"kafka": {"key": dict(shape.key), "bindingVersion": _BINDING}}
    return message
