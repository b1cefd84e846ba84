"""`python -m tests.chaos`: faults strike a pipeline under load, and a checker looks at what it left."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.chaos.run import Settings, run
from tests.chaos.schedule import Kind
from tests.chaos.suite import GUARANTEES, SEED, full, usual

_SETS = {"usual": usual, "full": lambda seed: full()}


def main(arguments: Sequence[str]) -> int:
    """Make the runs, print a report of each; 0 when all are clean."""
    parser = _parser()
    said = parser.parse_args(arguments)
    runs = _SETS[said.set](said.seed) if said.set else (_one(said, parser),)
    began = time.monotonic()

    def say(line: str) -> None:
        print(f"{time.monotonic() - began:7.1f} s  {line}", file=sys.stderr, flush=True)

    unclean = 0
    for settings in runs:
        say(settings.replay)
        with tempfile.TemporaryDirectory(prefix="chaos-", ignore_cleanup_errors=True) as folder:
            report = run(Path(folder), settings, say)
        print(*report.lines(), sep="\n", flush=True)
        unclean += bool(report.faults)
    return 1 if unclean else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--set", choices=tuple(_SETS), help="several runs: the usual ones, or all of a release")
    parser.add_argument("--seed", type=int, default=SEED, help="what load and faults are drawn from")
    parser.add_argument("--faults", type=int, default=25)
    parser.add_argument("--records", type=int, default=5_000)
    parser.add_argument("--groups", type=int, choices=(1, 3), default=1, help="processes of the pipeline")
    parser.add_argument("--guarantee", choices=GUARANTEES, default=GUARANTEES[0])
    parser.add_argument("--kinds", default="", help="names with commas between them: kill, stop, term …; default: all")
    parser.add_argument("--least", type=int, default=1, help="faults of each kind")
    parser.add_argument("--pace", type=float, default=8.0, help="milliseconds that the slowest process takes a record")
    parser.add_argument("--order", choices=("path", "key"), default="path", help="within what results keep theirs")
    parser.add_argument("--slow", choices=("", "retry_topic"), default="", help="whether some records wait aside")
    return parser


def _one(said: argparse.Namespace, parser: argparse.ArgumentParser) -> Settings:
    kinds = usual()[0].kinds
    if said.kinds:
        unknown = [name for name in said.kinds.split(",") if name.upper() not in Kind.__members__]
        if unknown:
            parser.error(
                f"no such kind: {unknown[0]}; there are {', '.join(kind.lower() for kind in Kind.__members__)}"
            )
        kinds = tuple(Kind[name.upper()] for name in said.kinds.split(","))
    if said.slow and said.order == "key":
        parser.error("records that wait aside have no order")
    told = said.seed, said.faults, said.records, said.groups, said.guarantee, kinds
    return Settings(*told, said.least, said.pace, said.order, said.slow)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
