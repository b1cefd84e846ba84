"""A result or dead letter as one line for a person."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import click

from headrace.core.record import Message
from headrace.streams.cli.output import printable

__all__ = ["person_line"]

_MOST_DATA = 80
_NO_CLOCK = "--:--:--"


def person_line(message: Message, dead_topic: str, *, names_topic: bool) -> str:
    """Return the line: time, key, what it is, and the topic if several are followed.

    Everything in it comes from strangers, so control characters are shown, not obeyed.
    """
    from headrace.streams.client.letter import letter_facts, result_body

    if message.position.topic == dead_topic:
        return _letter_line(letter_facts(message), message)
    body = result_body(message)
    where = click.style(f"  {printable(message.position.topic)}", dim=True) if names_topic else ""
    try:
        said = _result(body or {})
    except (KeyError, TypeError, ValueError, OverflowError):  # somebody else writes to the topic as well
        said = f"{click.style('no result of Headrace', fg='yellow')}  {_data(message)}"
    return f"{_head(message, _clock(message.timestamp_ms))}{said}{where}"


def _head(message: Message, clock: str) -> str:
    key = "-" if message.key is None else printable(message.key.decode("utf-8", "backslashreplace"))
    return f"{click.style(clock, dim=True)}  {_cut(key, 24):<10}  "


def _clock(epoch_ms: float) -> str:
    """Return the local time of day; dashes for a time that no calendar has, as a publisher may write it."""
    try:
        return datetime.fromtimestamp(epoch_ms / 1000).astimezone().strftime("%H:%M:%S")
    except (ValueError, OverflowError, OSError):
        return _NO_CLOCK


def _result(body: dict[str, Any]) -> str:
    total = f"{float(body['timings']['total']):,.0f} ms"
    if body["status"] != "ok":
        said = click.style(printable(f"{body['status']:<10}"), fg="yellow")
        return f"{said}  {printable(str(body.get('reason') or ''))}  {total}"
    model = printable(str(body.get("model") or "-"))
    return f"{_output(body['output'])}  {model:<10}  {total:>9}"


def _output(output: Any) -> str:
    if not (isinstance(output, dict) and "label" in output):
        return _cut(printable(json.dumps(output, ensure_ascii=False)), _MOST_DATA)
    label = click.style(f"{printable(str(output['label'])):<10}", fg="cyan", bold=True)
    return f"{label}  {float(output['score']):.3f}" if output.get("score") is not None else label


def _letter_line(letter: dict[str, Any], message: Message) -> str:
    source = letter["source"]
    where = f"{source['topic']}:{source['partition']}:{source['offset']}"
    why = f"{letter['code'] or 'no code'} {letter['message'] or 'somebody else wrote it'}"
    output = f", for {letter['output']}" if letter["output"] else ""
    tries = f", attempt {letter['attempt']}" if letter["attempt"] > 1 else ""
    said = click.style("dead letter", fg="red", bold=True)
    try:  # its Kafka timestamp is still that of the message it holds
        clock = _clock(datetime.fromisoformat(letter["time"]).timestamp() * 1000)
    except (ValueError, OverflowError, OSError):  # somebody else wrote it
        clock = _NO_CLOCK
    return f"{_head(message, clock)}{said}  {printable(why)}  ({printable(where + output + tries)})"


def _data(message: Message) -> str:
    return _cut(printable((message.value or b"").decode("utf-8", "backslashreplace")), _MOST_DATA)


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 3] + "..."
