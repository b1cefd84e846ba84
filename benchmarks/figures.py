"""Medians, spreads and tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

__all__ = ["IMAGES", "Band", "Bar", "Table", "machine", "spread"]

IMAGES = "images"
"""The folder of pictures beside the page that shows them."""


def spread(values: Sequence[float], digits: int = 1) -> str:
    """Return the median with the least and the greatest value: `98.3 (97.0-99.1)`."""
    least, most = min(values), max(values)
    return f"{median(values):,.{digits}f} ({least:,.{digits}f}-{most:,.{digits}f})"


@dataclass(frozen=True)
class Bar:
    """A figure that must be reached: the name of the measure, what was seen, what is asked."""

    name: str
    seen: float
    asked: float
    unit: str = ""
    at_most: bool = False

    @property
    def is_met(self) -> bool:
        """Whether it is reached."""
        return self.seen <= self.asked if self.at_most else self.seen >= self.asked

    def __str__(self) -> str:
        sign = "<=" if self.at_most else ">="
        verdict = "met" if self.is_met else "MISSED"
        return f"{verdict}: {self.name} {self.seen:.3g}{self.unit} (asked {sign} {self.asked:g}{self.unit})"


@dataclass(frozen=True)
class Band:
    """A figure that must lie between two others, else the run says nothing: the comparison itself was crooked."""

    name: str
    seen: float
    least: float
    most: float

    @property
    def is_met(self) -> bool:
        """Whether the run counts."""
        return self.least <= self.seen <= self.most

    def __str__(self) -> str:
        verdict = "the run counts" if self.is_met else "the run is VOID"
        return f"{verdict}: {self.name} {self.seen:.3g} (expected {self.least:.3g} to {self.most:.3g})"


@dataclass
class Table:
    """What one benchmark shows: a title, rows of named figures, bars, what to know about it, and pictures by name."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]] = field(default_factory=list)
    bars: list[Bar | Band] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    images: Mapping[str, bytes] = field(default_factory=dict)

    def markdown(self) -> str:
        """Return it as Markdown."""
        lines = [f"## {self.title}", "", f"| {' | '.join(self.columns)} |", f"|{'---|' * len(self.columns)}"]
        lines += [f"| {' | '.join(row)} |" for row in self.rows]
        for name in self.images:
            lines += ["", f"![{self.title}]({IMAGES}/{name})"]
        lines += ["", *(f"- {bar}" for bar in self.bars), *(f"- {note}" for note in self.notes), ""]
        return "\n".join(lines)


def machine() -> Mapping[str, str]:
    """Return what the figures depend on: processor, cores, kernel and versions."""
    import os
    import platform
    from importlib.metadata import version

    names = ("headrace", "aiokafka", "faust-streaming", "onnxruntime-gpu", "onnxruntime", "tokenizers", "numpy")
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except ModuleNotFoundError:
            continue
    model = next((line.split(":")[1].strip() for line in _cpuinfo() if line.startswith("model name")), "unknown")
    return {
        "processor": model,
        "cores": str(os.cpu_count()),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        **found,
    }


def _cpuinfo() -> list[str]:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return file.readlines()
    except OSError:
        return []
