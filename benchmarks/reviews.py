"""The demo's model and its held-out reviews, made once a machine: what most benchmarks read and run."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from benchmarks.bench import Bench, headrace
from headrace.streams.demo.kept import Prepared
from headrace.streams.home import cache

__all__ = ["Reviews"]


class Reviews:
    """Made when it is first asked for; a minute and 107 MB of downloads the first time on a machine."""

    @cached_property
    def _prepared(self) -> Prepared:
        from headrace.streams.demo.prepare import prepare

        return prepare(self.cache / "demo")

    @property
    def cache(self) -> Path:
        """The folder of what is made once."""
        return cache()

    @property
    def model(self) -> str:
        """The folder of the model."""
        return str(self._prepared.model)

    @property
    def texts(self) -> list[str]:
        """The held-out reviews."""
        return [review.text for review in self._prepared.held_out]

    def register(self, bench: Bench) -> None:
        """Bring the model into the bench's registry."""
        bench.run(*headrace("model", "import", "reviews", self.model))
