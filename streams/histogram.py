"""A histogram for Prometheus that takes the values of a batch at once.

prometheus_client's own takes a lock and walks the buckets for each value, which cost more than decoding a record did.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate

from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector, CollectorRegistry
from prometheus_client.utils import floatToGoString

__all__ = ["BatchHistogram"]


class BatchHistogram(Collector):
    """Counts values by bucket, for one pipeline.

    Args:
        name: of the metric, with its unit.
        documentation: what is measured.
        pipeline: the value of its only label.
        bounds: upper ends of the buckets, ascending; one without an end comes after them.
        registry: what shows it.
    """

    def __init__(
        self, name: str, documentation: str, pipeline: str, *, bounds: Sequence[float], registry: CollectorRegistry
    ) -> None:
        self._name, self._documentation, self._pipeline, self._bounds = name, documentation, pipeline, bounds
        self._labelnames = ("pipeline",)  # so named by prometheus_client's own
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0
        registry.register(self)

    def observe(self, values: Iterable[float]) -> None:
        """Count these values; to be called by one thread at a time."""
        for value in values:
            self._counts[bisect_left(self._bounds, value)] += 1
            self._sum += value

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """Return the metric as it is now, with cumulated counts as the format wants them."""
        family = HistogramMetricFamily(self._name, self._documentation, labels=self._labelnames)
        ends = [*map(floatToGoString, (*self._bounds, float("inf")))]
        family.add_metric([self._pipeline], [*zip(ends, accumulate(self._counts), strict=True)], self._sum)
        yield family
