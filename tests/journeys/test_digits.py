"""Images to digits on the real broker: the same results fused and over three processes, garbage as dead letters.

It would prove nothing if the split run were fused by mistake: what the link to the model carried is asserted.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from headrace.core.catalog import installed_catalog
from headrace.core.registry.folder import read_tensor_folder
from headrace.core.registry.store import Registry
from headrace.streams.model_trial import tried
from tests.journeys.conftest import MakePipeline, ending
from tests.support.client import Seen
from tests.support.pipeline import Pipeline
from tests.tensor_model import DIGITS, expected, write_digits

pytestmark = [pytest.mark.broker, pytest.mark.timeout(400)]

APART = {"front": {"stages": ["ingress"]}, "net": {"models": ["net"]}}
IMAGES = np.random.default_rng(3).random((120, 28, 28), dtype="float32")
GARBAGE = {
    "json": {b"{}": "HR525", b'{"pixels": "none"}': "HR526", b'{"pixels": [1, 2]}': "HR527", b"{": "HR511"},
    "raw": {b"": "HR527", b"\0" * 3135: "HR527", IMAGES[0].tobytes() + b"!": "HR527", b"\xff" * 3136: "HR528"},
}


def value(encoding: str, image: np.ndarray[Any, Any]) -> bytes:
    """An image as its publisher writes it."""
    return image.astype("<f4").tobytes() if encoding == "raw" else json.dumps({"pixels": image.tolist()}).encode()


def sections(pipeline: Pipeline, registry: Registry, encoding: str) -> dict[str, Any]:
    """What the file says."""
    tensor = {"dtype": "float32", "shape": [28, 28], "path": "pixels"}
    return {
        "input": {"topic": pipeline.input, "codec": {"tensor": {"tensors": {"x": tensor}, "encoding": encoding}}},
        "models": {"net": {"onnx": {"model": "digits@prod"}}},
        "registry": registry.location,
        "topics": {"partitions": 2},
    }


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    """It has the model `digits@prod`."""
    registry = Registry(str(tmp_path_factory.mktemp("registry")))
    folder: Path = write_digits(tmp_path_factory.mktemp("digits"))
    source = tried(read_tensor_folder(folder, labels=DIGITS), "digits", 1, installed_catalog())
    registry.add(source, "digits", alias="prod")
    return registry


@pytest.fixture(scope="module", params=["json", "raw"])
def ran(request: pytest.FixtureRequest, make_pipeline: MakePipeline, registry: Registry) -> Iterator[dict[str, Any]]:
    """Ends of the same input, fused and split, and the pipeline."""
    encoding: str = request.param
    with ending(make_pipeline(f"digits-{encoding}")) as pipeline:
        said = sections(pipeline, registry, encoding)
        pipeline.write(**said)
        worker = pipeline.run()
        headers = [("tensor.dtype", b"FP32"), ("tensor.shape", b"28,28")] if encoding == "raw" else []
        good = [{"value": value(encoding, image), "key": b"k%d" % (at % 5), "headers": headers}
                for at, image in enumerate(IMAGES)]  # fmt: skip
        ids = pipeline.client.publish(pipeline.input, *good, *({"value": one} for one in GARBAGE[encoding]))
        fused = pipeline.ended()
        assert worker.terminate() == 0
        assert pipeline.links() == []
        pipeline.client.commit(pipeline.group, pipeline.input, dict.fromkeys(range(2), 0))
        pipeline.write(**said, groups=APART)
        pipeline.run_groups("front", "net", "main")
        both = pipeline.ended()
        split = tuple([one for one in seen if one.position not in {other.position for other in before}]
                      for seen, before in zip(both, fused, strict=True))  # fmt: skip
        yield {"encoding": encoding, "ids": ids, "fused": fused, "split": split, "pipeline": pipeline}


@pytest.mark.parametrize("how", ["fused", "split"])
def test_every_image_gets_the_scores_of_the_model(ran: dict[str, Any], how: str) -> None:
    results: list[Seen] = ran[how][0]
    by_id = {seen.body["id"]: seen.body for seen in results}
    assert len(results) == len(by_id) == len(IMAGES)
    for record, row in zip(ran["ids"], expected(IMAGES), strict=False):
        body = by_id[record]
        assert body["output"]["label"] == DIGITS[row.argmax()]
        np.testing.assert_allclose(list(body["output"]["scores"].values()), row, atol=1e-5)
        assert (body["model"], body["version"], body["status"]) == ("net", "digits@1", "ok")


@pytest.mark.parametrize("how", ["fused", "split"])
def test_garbage_is_a_dead_letter_byte_for_byte_with_its_code(ran: dict[str, Any], how: str) -> None:
    letters: list[Seen] = ran[how][1]
    assert {letter.value: letter.header("headrace.code") for letter in letters} == GARBAGE[ran["encoding"]]
    assert {letter.header("headrace.class") for letter in letters} == {"publisher"}


def test_tensors_went_over_the_link_to_the_model(ran: dict[str, Any]) -> None:
    pipeline: Pipeline = ran["pipeline"]
    assert pipeline.links() == ["net", "egress"]
    front, net, _ = pipeline.workers[1:]
    assert front.figure("headrace_model_records_total") == 0
    assert net.figure("headrace_model_records_total", model="net") == len(IMAGES)


def test_results_do_not_say_that_they_are_tensors(ran: dict[str, Any]) -> None:
    names = {name for seen in ran["fused"][0] for name, _ in seen.headers}
    assert "ce_id" in names
    assert not {"tensor.dtype", "tensor.shape"} & names
