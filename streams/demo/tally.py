"""What came out of the demo's pipeline: results by review, and dead letters by code."""

from __future__ import annotations

from base64 import b64decode
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from headrace.streams.demo.reviews import Review

__all__ = ["Tally"]


class Tally:
    """Counts the lines of `headrace tail --json` against what was published.

    Args:
        reviews: the good records.
        bad: how many dead letters must come.
        run: the run's name, which is in its records' ids and in its bad records, so that no other run's are counted.
    """

    def __init__(self, reviews: Sequence[Review], bad: int, run: str) -> None:
        self._reviews = {f"{run}|{review.id}": review for review in reviews}
        self._bad = bad
        self._run = run.encode()
        self.results: dict[str, Mapping[str, Any]] = {}
        self.times = Counter[str]()
        self.alerts = 0
        self.dead = Counter[str]()

    def take(self, line: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Take one line; return the result when it is one of the reviews'."""
        if line["topic"] == "reviews.dead":
            self.dead[str(line["code"])] += self._run in _data(line, "key") + _data(line, "value")
            return None
        key = str(line.get("id"))
        if key not in self._reviews:  # an earlier demo's
            return None
        if line["topic"] == "reviews.alerts":
            self.alerts += 1
            return None
        self.times[key] += 1
        self.results[key] = line
        return line

    @property
    def is_whole(self) -> bool:
        """Whether every record has come to its end."""
        return len(self.results) >= len(self._reviews) and self.dead.total() >= self._bad

    @property
    def expected(self) -> int:
        """How many results must come."""
        return len(self._reviews)

    @property
    def expected_dead(self) -> int:
        """How many dead letters must come."""
        return self._bad

    @property
    def doubled(self) -> int:
        """How many results came more than once."""
        return sum(1 for count in self.times.values() if count > 1)

    def text(self, record_id: str) -> str:
        """Return the text of a review by its record's id."""
        return self._reviews[record_id].text

    def accuracy(self, model: str | None = None) -> tuple[float, int]:
        """Return the share of right labels, and of how many results: all, or those that one model served."""
        chosen = [key for key, value in self.results.items() if model in (None, value["model"])]
        right = sum(1 for key in chosen if _label(self.results[key]) == self._reviews[key].label)
        return (right / len(chosen) if chosen else 0.0), len(chosen)

    def tags(self) -> dict[tuple[str, int], dict[str, list[str]]]:
        """Return the ids of the results that carry each tag: by experiment and phase, then by variant."""
        found: dict[tuple[str, int], dict[str, list[str]]] = {}
        for key, value in self.results.items():
            for met in value["experiments"]:
                variants = found.setdefault((str(met["id"]), int(met["phase"])), {})
                variants.setdefault(str(met["variant"]), []).append(key)
        return {tag: dict(sorted(variants.items())) for tag, variants in sorted(found.items())}

    def served(self, ids: Sequence[str], model: str) -> float:
        """Return the share of these results that a model answered."""
        return sum(1 for key in ids if self.results[key]["model"] == model) / len(ids) if ids else 0.0

    def variant_accuracy(self, ids: Sequence[str]) -> float:
        """Return the share of right labels among these results."""
        right = sum(1 for key in ids if _label(self.results[key]) == self._reviews[key].label)
        return right / len(ids) if ids else 0.0

    @property
    def torn_units(self) -> int:
        """How many users met more than one variant: none, if assignment is what it should be."""
        met: dict[str, set[str]] = {}
        for value in self.results.values():
            met.setdefault(str(value["unit"]), set()).update(str(one["variant"]) for one in value["experiments"])
        return sum(1 for variants in met.values() if len(variants) > 1)

    @property
    def escalated(self) -> float:
        """The share of results that took more than one model."""
        long = sum(1 for value in self.results.values() if len(value["route"]["path"]) > 1)
        return long / len(self.results) if self.results else 0.0

    def waits_ms(self) -> dict[str, list[float]]:
        """Return milliseconds of every result, by part: in the queue, in the steps, and in all."""
        timings = [value["timings"] for value in self.results.values()]
        return {
            "queue": [each["queue"] for each in timings],
            "compute": [each["preprocess"] + each["inference"] + each["postprocess"] for each in timings],
            "total": [each["total"] for each in timings],
        }

    def throughput(self) -> float:
        """Return results a second, from the first result's time to the last one's."""
        times = [datetime.fromisoformat(value["time"]).timestamp() for value in self.results.values()]
        span = max(times) - min(times) if times else 0.0
        return len(times) / span if span else 0.0


def _data(line: Mapping[str, Any], name: str) -> bytes:
    """Return a dead letter's key or value, which JSON holds as text or, if it is no UTF-8, in base64."""
    return b64decode(line.get(f"{name}_base64") or "") or str(line.get(name) or "").encode("utf-8", "surrogatepass")


def _label(value: Mapping[str, Any]) -> str:
    """Return what the model said, also where the pipeline says `unsure`."""
    output = value["output"]
    return str(output.get("top", output["label"]))
