"""A time as people write it on a command line: an ISO 8601 time, or how long ago."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

import click

__all__ = ["Moment"]


class Moment(click.ParamType):
    """`2026-11-26T09:00` is that time here, unless it says where; `2h` is two hours ago."""

    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return epoch milliseconds."""
        from headrace.core.config.units import parse_milliseconds

        if isinstance(value, float):
            return value
        try:
            return time.time() * 1000 - float(parse_milliseconds(value))
        except ValueError:
            pass
        try:
            return datetime.fromisoformat(str(value)).astimezone().timestamp() * 1000
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is no time; write one such as 2026-11-26T09:00, or how long ago: 2h", param, ctx)
