"""`python -m tests.soak`: a pipeline under half of what it can take, for an hour, and whether it stays as it was."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.figures import Bar, Table
from benchmarks.page import keep
from tests.chaos.suite import GUARANTEES
from tests.soak.judge import bars, rows
from tests.soak.run import Found, Settings, run

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
MINUTES, OUTAGE_SHARE = 60.0, 6
"""How long unless told otherwise, and which part of it the broker is away: 10 minutes of an hour."""


def main(arguments: Sequence[str]) -> int:
    """Run it, print the table; 0 when it was flat, and nothing was lost or doubled that must not be."""
    said = _parser().parse_args(arguments)
    outage = said.minutes / OUTAGE_SHARE if said.outage_minutes is None else said.outage_minutes
    settings = Settings(said.minutes, outage, said.guarantee, said.rate)
    began = time.monotonic()

    def say(line: str) -> None:
        print(f"{time.monotonic() - began:7.1f} s  {line}", file=sys.stderr, flush=True)

    with tempfile.TemporaryDirectory(prefix="soak-", ignore_cleanup_errors=True) as folder:
        found = run(Path(folder), settings, say)
    table = _table(found, settings)
    print(table.markdown(), flush=True)
    if said.keep:
        keep(PAGE, [table], f"`{' '.join(('python -m tests.soak', *arguments))}`")
    return 0 if all(bar.is_met for bar in table.bars) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=MINUTES, help="of load (60)")
    parser.add_argument("--outage-minutes", type=float, help="the broker is away in the middle (a sixth of the time)")
    parser.add_argument("--guarantee", choices=GUARANTEES, default="exactly_once")
    parser.add_argument("--rate", type=float, default=0.0, help="records a second (half of what it can take)")
    parser.add_argument("--keep", action="store_true", help="write the table into docs/reliability.md")
    return parser


def _table(found: Found, settings: Settings) -> Table:
    doubled = 0.0 if settings.guarantee == "exactly_once" else float("inf")
    return Table(
        f"A long run, {settings.guarantee}",
        ("measure", "second quarter", "last quarter", "at most"),
        rows(found.looks, settings.length_s),
        [
            *(bar for bar in bars(found.looks, settings.length_s) if not bar.is_met),  # the rows tell of the others
            Bar("lost", found.lost, 0, at_most=True),
            Bar("doubled", found.doubled, doubled, at_most=True),
            Bar("workers that ended by themselves", len(found.deaths), 0, at_most=True),
        ],
        [
            f"{found.published:,} records in {settings.minutes:g} min, {found.per_s:,.0f} a second"
            + (f", half of the {found.capacity_per_s:,.0f} that it could take" if found.capacity_per_s else ""),
            f"the broker was away for {settings.outage_minutes:g} min in the middle; a worker logged at most "
            f"{found.log_lines} lines",
        ],
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
