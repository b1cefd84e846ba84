"""Load on a pipeline for as long as a test wants it."""

from __future__ import annotations

import json
import threading

from tests.support.pipeline import Pipeline

__all__ = ["Load"]


class Load:
    """Publishes numbers, one user a partition, so that for as long as it lasts no worker runs out of work."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline, self._ended = pipeline, threading.Event()
        self._thread = threading.Thread(target=self._feed)
        self.published: list[str] = []

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _feed(self) -> None:
        width = self._pipeline.client.partitions(self._pipeline.input)
        while not self._ended.wait(0.05):
            if self._pipeline.client.lag(self._pipeline.group, self._pipeline.input) < 500:
                start = len(self.published)
                numbers = [(at, at % width) for at in range(start, start + 300)]
                self.published += self._pipeline.client.publish(
                    self._pipeline.input,
                    *(
                        {"value": json.dumps({"text": str(at)}), "key": b"%d" % to, "partition": to}
                        for at, to in numbers
                    ),
                )
