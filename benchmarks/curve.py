"""A curve: how measures change along one size, as a table and as a picture."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.figures import Bar, Table, spread

__all__ = ["Curve", "Line", "draw", "relative"]

MUCH = 20
"""How many times the least the greatest may be before only a logarithmic axis shows both."""


@dataclass(frozen=True)
class Line:
    """One measure: what it is and its unit, and for each size what the runs showed."""

    name: str
    unit: str
    seen: Sequence[Sequence[float]]


@dataclass(frozen=True)
class Curve:
    """Measures along one size.

    Attributes:
        name: of the picture's file, without its ending.
        title: of the table.
        axis: what the size is.
        sizes: along the axis, in order.
        lines: the measures.
        bars: what is asked of them.
        notes: what to know.
    """

    name: str
    title: str
    axis: str
    sizes: Sequence[float]
    lines: Sequence[Line]
    bars: Sequence[Bar] = ()
    notes: Sequence[str] = ()

    def table(self) -> Table:
        """Return the numbers, and the picture of them."""
        return Table(
            title=self.title,
            columns=(self.axis, *(f"{line.name}, {line.unit}" for line in self.lines)),
            rows=[
                (f"{size:,g}", *(spread(line.seen[at]) for line in self.lines)) for at, size in enumerate(self.sizes)
            ],
            bars=list(self.bars),
            notes=list(self.notes),
            images={f"{self.name}.png": draw(self)},
        )


def relative(seen: Sequence[Sequence[float]], at: int, to: int) -> float:
    """Return the median, run by run, of what one size showed by what another did."""
    return median(one / other for one, other in zip(seen[at], seen[to], strict=True))


def draw(curve: Curve) -> bytes:
    """Return the picture as PNG: a panel a unit, medians joined by lines, least and greatest as whiskers."""
    from matplotlib.figure import Figure

    panels: Mapping[str, list[Line]] = {
        unit: [line for line in curve.lines if line.unit == unit]
        for unit in dict.fromkeys(line.unit for line in curve.lines)
    }
    figure = Figure(figsize=(4.5 * len(panels), 3.2), layout="constrained")
    figure.suptitle(curve.title, fontsize=10)
    all_axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for axes, (unit, lines) in zip(all_axes, panels.items(), strict=True):
        for line in lines:
            middle = [median(values) for values in line.seen]
            below = [mid - min(values) for mid, values in zip(middle, line.seen, strict=True)]
            above = [max(values) - mid for mid, values in zip(middle, line.seen, strict=True)]
            axes.errorbar(curve.sizes, middle, yerr=[below, above], marker="o", capsize=3, label=line.name)
        axes.set_xscale("log" if curve.sizes[-1] / curve.sizes[0] > 3 else "linear")
        axes.set_xticks(list(curve.sizes), [f"{size:,g}" for size in curve.sizes])
        axes.minorticks_off()
        every = [value for line in lines for values in line.seen for value in values]
        if max(every) > MUCH * min(every):
            axes.set_yscale("log")
        else:
            axes.set_ylim(0, 1.15 * max(every))
        axes.set_xlabel(curve.axis)
        axes.set_ylabel(unit)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=100)
    return png.getvalue()
