"""A rate as people write it on a command line: `100` or `100/s`."""

from __future__ import annotations

import re
from typing import Any

import click

__all__ = ["Rate"]


class Rate(click.ParamType):
    """Messages a second: `100` or `100/s`."""

    name = "N/s"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return messages a second, more than 0."""
        match = re.fullmatch(r"(\d+(?:\.\d+)?)(?:/s)?", str(value))
        rate = float(match[1]) if match else 0.0
        if not rate:
            self.fail(f"{value!r} is no rate; write messages a second, such as 100/s", param, ctx)
        return rate
