"""A worker whose models are not those that the pipeline runs with does not start: no two of them are ever mixed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from headrace.core.registry.folder import read_folder
from headrace.core.registry.store import Registry
from tests.support.pipeline import Pipeline
from tests.tiny_model import write_model

pytestmark = [pytest.mark.broker, pytest.mark.timeout(400)]

APART = {"models": {"expert": {"onnx": {"model": "tiny@prod"}}}, "groups": {"expert": {"models": ["expert"]}}}


def registered(folder: Path, *seeds: int) -> Registry:
    """Return a registry with a version a seed; `prod` is the first."""
    registry = Registry(str(folder))
    for seed in seeds:
        registry.add(read_folder(write_model(folder.parent / f"model-{seed}", seed=seed)), "tiny")
    registry.set_alias("tiny", "prod", 1)
    return registry


@pytest.mark.provokes("HR232")
def test_a_registry_with_other_bytes_under_the_same_version_is_refused(pipeline: Pipeline, tmp_path: Path) -> None:
    registered(tmp_path / "ours", 1)
    registered(tmp_path / "theirs", 2)
    pipeline.write(registry=str(tmp_path / "ours"), **APART)
    pipeline.run("--group", "main", "--worker", "w1")
    pipeline.write(registry=str(tmp_path / "theirs"), **APART)
    refused = pipeline.start("--group", "expert", "--worker", "w1")
    assert refused.end() == 1
    assert "HR232 tiny@1 has hash" in refused.lines[-1]


def test_a_worker_has_what_records_are_routed_to_also_where_its_file_says_otherwise(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    registry = registered(tmp_path / "registry", 1, 2)
    pipeline.write(registry=str(tmp_path / "registry"), **APART)
    pipeline.run("--group", "main", "--worker", "w1")
    registry.set_alias("tiny", "prod", 2)
    pipeline.publish("good film")
    pipeline.run("--group", "expert", "--worker", "w1")
    (result,), dead = pipeline.ended()
    assert (result.body["version"], dead) == ("tiny@1", [])


@pytest.mark.provokes("HR233")
def test_a_worker_that_cannot_have_the_version_that_records_are_routed_to_is_refused(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    registered(tmp_path / "ours", 1)
    theirs = registered(tmp_path / "theirs", 1, 2)
    theirs.set_alias("tiny", "prod", 2)
    shutil.rmtree(tmp_path / "theirs" / "tiny" / "1")
    pipeline.write(registry=str(tmp_path / "ours"), **APART)
    pipeline.run("--group", "main", "--worker", "w1")
    pipeline.write(registry=str(tmp_path / "theirs"), **APART)
    refused = pipeline.start("--group", "expert", "--worker", "w1")
    assert refused.end(40) == 1
    assert "HR233 ingress routes to tiny@1 of expert, and this worker has tiny@2" in refused.lines[-1]
    pipeline.publish("good film")
    pipeline.write(registry=str(tmp_path / "ours"), **APART)
    pipeline.run("--group", "expert", "--worker", "w1")
    assert pipeline.outputs(1)[0].body["version"] == "tiny@1"
