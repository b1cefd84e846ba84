"""An input that gets more partitions while the pipeline runs: their records are read as well, over links too."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.pipeline import Pipeline

pytestmark = pytest.mark.broker


@pytest.mark.parametrize("groups", [None, {"apart": {"models": ["echo"]}}], ids=["one process", "two"])
def test_records_of_a_new_partition_arrive(pipeline: Pipeline, groups: Any) -> None:
    pipeline.write(groups=groups, topics={})
    pipeline.client.make_topic(pipeline.input, 1)
    if groups:
        pipeline.run_groups("main", "apart")
    else:
        pipeline.run()
    pipeline.publish("before")
    pipeline.outputs(1)
    pipeline.client.grow_topic(pipeline.input, 3)
    pipeline.publish("after", partition=2)
    sources = [seen.body["source"]["partition"] for seen in pipeline.outputs(2)]
    assert sources == [0, 2]
