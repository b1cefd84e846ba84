"""Make the generated parts of README.md and docs/ anew, or with --check say which of them are stale.

Run from anywhere: `python docs/generator`, which is what `make docs` and `make check` do.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from codes import code_table
from fields import field_table, header_table, key_table
from interface import command_table, metric_table, name_table
from markers import Make, filled
from modules import module_map

from headrace.core.catalog import installed_catalog
from headrace.core.config import pipeline
from headrace.core.step import KINDS, Kind
from headrace.core.wire import headers as wire_headers
from headrace.core.wire.exposure import ExposureBody
from headrace.core.wire.result import ResultBody

ROOT = Path(__file__).parents[2]


def keys(section: str, *without: str) -> str:
    """Return the keys of a section of the pipeline file, by the name of its model."""
    return key_table(getattr(pipeline, section), without)


def headers(model: str) -> str:
    """Return the headers of a kind of message, by the name of their model."""
    return header_table(getattr(wire_headers, model))


def options(kind: str, name: str) -> str:
    """Return the options of an installed step."""
    known: Mapping[str, Kind] = {one: one for one in KINDS}
    spec = installed_catalog().find(known[kind], name)
    if spec is None:
        raise ValueError(f"no {kind} step named {name!r}")
    return key_table(spec.options)


MAKERS: Mapping[str, Make] = {
    "codes": code_table,
    "commands": command_table,
    "exposure": lambda: field_table(ExposureBody),
    "headers": headers,
    "keys": keys,
    "metrics": metric_table,
    "modules": module_map,
    "names": name_table,
    "options": options,
    "result": lambda: field_table(ResultBody),
}


def pages() -> Iterator[Path]:
    """Yield every page that may have generated parts."""
    yield ROOT / "README.md"
    yield from sorted((ROOT / "docs").rglob("*.md"))


def main() -> int:
    """Write the pages that are stale, or name them; 1 when --check found one."""
    check = "--check" in sys.argv[1:]
    stale = 0
    for page in pages():
        before = page.read_text(encoding="utf-8")
        try:
            after = filled(before, MAKERS)
        except ValueError as error:
            sys.exit(f"{page.relative_to(ROOT)}: {error}")
        if after != before:
            stale += 1
            print(f"{page.relative_to(ROOT)} is stale; run make docs" if check else f"wrote {page.relative_to(ROOT)}")
            if not check:
                page.write_text(after, encoding="utf-8")
    return int(check and stale > 0)


if __name__ == "__main__":
    sys.exit(main())
