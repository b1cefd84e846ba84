"""What the next model of a chain gets to read: the record's own text, or a text in the output before it.

A pure function of record, output and slip, all of which travel, so it does not matter whether the next model lies in
this process or in another one.
"""

from __future__ import annotations

import msgspec

from headrace.core.record import Output, Record
from headrace.core.routing.errors import ChainTextError
from headrace.core.routing.slip import Slip
from headrace.core.wire.json import replace_surrogates
from headrace.core.wire.path import MISSING, follow

__all__ = ["handed_on"]


def handed_on(record: Record, output: Output, slip: Slip) -> Record:
    """Return the record with a model's output and its slip moved on, and the text that the next model is to read.

    What follows the last model of a chain sees the record's own text again.

    Args:
        record: as the model got it.
        output: what the model said.
        slip: the record's slip, already advanced by this output.

    Raises:
        ChainTextError: HR518, the output has no string where the next model should read it.
    """
    own = record.text if slip.text is None else slip.text
    candidate = slip.next
    if candidate is None or candidate.reads is None:
        kept = slip if slip.text is None else msgspec.structs.replace(slip, text=None)
        return record.replace(output=output, slip=kept, text=own)
    text = _text_at(candidate.reads, output, slip.path[-1])
    return record.replace(output=output, slip=msgspec.structs.replace(slip, text=own), text=text)


def _text_at(path: str, output: Output, model: str) -> str:
    found = follow({"output": output}, tuple(path.split(".")))
    if isinstance(found, str):
        return replace_surrogates(found)
    what = "nothing" if found is MISSING or found is None else f"{type(found).__name__}, not a string,"
    raise ChainTextError(
        f"{model} said {what} at {path!r}, where the next model reads", mend="correct the chain's text, or the model"
    )
