"""A model in parts over processes: what options of its links change, and what they do not.

It would prove nothing if all parts ran in one process: the link to the second part is asserted to have carried records.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from headrace.core.registry.folder import read_folder
from headrace.core.registry.store import Registry
from tests.support.client import until
from tests.support.pipeline import Pipeline
from tests.tiny_model import write_model

pytestmark = [pytest.mark.broker, pytest.mark.timeout(400)]

GROUPS = {"front": {"stages": ["ingress", "expert.1"]}, "back": {"stages": ["expert.2"]}}
WORDS = ("good", "bad", "film", "the", "a", "was", "not", "broken")


@pytest.fixture
def model(pipeline: Pipeline, tmp_path: Path) -> dict[str, Any]:
    """The file's model in two parts, `tiny@2`, cut from `tiny@1` by the command."""
    registry = Registry(str(tmp_path / "headrace-home" / "registry"))
    registry.add(read_folder(write_model(tmp_path / "tiny", layers=2, skip=True)), "tiny")
    pipeline.headrace("model", "shard", "tiny@1", "--parts", "2")
    return {"models": {"expert": {"onnx": {"model": "tiny@2"}}}}


def texts(count: int) -> list[str]:
    """Different texts of different lengths."""
    return [" ".join(WORDS[(at * step + step) % len(WORDS)] for step in range(1, 2 + at % 7)) for at in range(count)]


def outputs(pipeline: Pipeline, ids: list[str]) -> list[dict[str, Any]]:
    """What the model said of these records, each once."""
    results, dead = pipeline.ended()
    assert dead == []
    said = {seen.body["id"]: seen.body["output"] for seen in results}
    return [said[record] for record in ids]


@pytest.mark.parametrize("tensors", ["float32", "float16"])
def test_half_precision_between_parts_changes_scores_a_little_and_no_label(
    pipeline: Pipeline, model: dict[str, Any], tensors: str
) -> None:
    sent = texts(60)
    pipeline.write(models={"expert": {"onnx": {"model": "tiny@1"}}})
    whole = pipeline.run()
    before = outputs(pipeline, pipeline.publish(*sent))
    assert whole.terminate() == 0
    pipeline.write(**model, groups=GROUPS, link={"tensors": tensors})
    pipeline.run_groups("front", "back", "main")
    after = outputs(pipeline, pipeline.publish(*sent))
    assert pipeline.client.ends(pipeline.link("expert.2"))[0][1] > 0
    assert [one["label"] for one in after] == [one["label"] for one in before]
    worst = max(abs(one["score"] - other["score"]) for one, other in zip(after, before, strict=True))
    assert worst < 1e-5 if tensors == "float32" else 1e-6 < worst < 1e-2, worst
    file = pipeline.folder / "texts.txt"
    file.write_text("".join(f"{text}\n" for text in sent))
    if tensors == "float16":
        parity = json.loads(pipeline.headrace("model", "verify", "tiny@2", str(file), "--fp16", "--json"))
        assert parity["equal"]
        assert parity["fp16"]["labels_changed"] == 0
        assert worst <= parity["fp16"]["largest"] * 2 < 1e-2, "the command says what the link does"


def test_records_go_to_the_partition_that_is_least_behind(pipeline: Pipeline, model: dict[str, Any]) -> None:
    pipeline.write(**model, groups=GROUPS, link={"balance": "least_lag"}, topics={"partitions": 2})
    pipeline.run_groups("front", "main")
    link, group = pipeline.link("expert.2"), f"{pipeline.name}.expert.2"
    published = [id_ for text in texts(100) for id_ in pipeline.publish(text, partition=1)]
    until("an end of the input", lambda: not pipeline.client.lag(pipeline.group, pipeline.input))

    def went_elsewhere() -> bool:
        """Publish to a partition that nobody reads; whether all of it went to the other one, which seems to be read."""
        before = {number: end for number, (_, end) in pipeline.client.ends(link).items()}
        pipeline.client.commit(group, link, {0: before[0], 1: 0})
        for text in texts(20):
            published.extend(pipeline.publish(text, partition=1))
        until("an end of the input", lambda: not pipeline.client.lag(pipeline.group, pipeline.input))
        after = {number: end for number, (_, end) in pipeline.client.ends(link).items()}
        return after[1] == before[1] and after[0] > before[0]

    until("records that go to the other partition", went_elsewhere)
    pipeline.client.commit(group, link, {0: 0})
    pipeline.run_groups("back")
    results, dead = pipeline.ended()
    assert dead == []
    assert {seen.body["id"] for seen in results} == set(published)
