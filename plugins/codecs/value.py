"""From bytes to JSON or text, or to an error that says where the bytes stop being either."""

from __future__ import annotations

import json
from typing import Any

from headrace.core.wire.json import decode
from headrace.plugins.codecs.errors import NotJsonError, NotUtf8Error

__all__ = ["read_json", "read_text"]


def read_json(data: bytes, what: str = "the value") -> Any:
    """Return the JSON value that the bytes hold.

    Args:
        data: JSON in UTF-8, with or without a byte order mark.
        what: what the bytes are, for the error.

    Raises:
        NotUtf8Error: HR510.
        NotJsonError: HR511.
    """
    try:
        return decode(data)
    except (ValueError, RecursionError) as error:
        fault = _json_fault(read_text(data, what), str(error)) if data else "it is empty"
        raise NotJsonError(f"{what} is not JSON: {fault}", mend="publish one JSON value a message") from None


def read_text(data: bytes, what: str = "the value") -> str:
    """Return the text that the bytes hold, without a byte order mark.

    Args:
        data: text in UTF-8.
        what: what the bytes are, for the error.

    Raises:
        NotUtf8Error: HR510.
    """
    try:
        return data.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise NotUtf8Error(
            f"{what} is not UTF-8: {error.reason} at byte {error.start}", mend="encode it as UTF-8"
        ) from None


def _json_fault(text: str, fault: str) -> str:
    """Ask the standard library, which knows line and column; the fast decoder knows at most a byte."""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        what = error.msg.rstrip(": ").removesuffix(" at")
        return f"{what[:1].lower()}{what[1:]} at line {error.lineno}, column {error.colno}"
    except RecursionError:
        return "it is nested too deeply"
    except ValueError:
        return "a number in it has too many digits"
    return fault.removeprefix("JSON is malformed: ").replace(" (byte ", " at byte ").rstrip(")")
