"""examples/digits.yaml: it compiles with a model of its kind, and reads what its head says."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from headrace.core.catalog import installed_catalog
from headrace.core.plan.compile import compile_file
from headrace.core.record import Batch
from headrace.core.registry.folder import read_tensor_folder
from headrace.core.registry.store import Registry
from headrace.core.wire.incoming import to_record
from headrace.streams.model_trial import tried
from tests.support.made import message
from tests.tensor_model import DIGITS, expected, write_digits

FILE = Path(__file__).parents[2] / "examples" / "digits.yaml"


def test_it_reads_images_and_users_and_its_model_takes_them(tmp_path: Path) -> None:
    registry = Registry(str(tmp_path / "registry"))
    source = read_tensor_folder(write_digits(tmp_path / "digits"), labels=DIGITS)
    registry.add(tried(source, "digits", 1, installed_catalog()), "digits", alias="prod")
    plan = compile_file(FILE, registry=registry.location)
    images = np.random.default_rng(5).random((1, 28, 28), dtype="float32")
    sent = message(json.dumps({"pixels": images[0].tolist(), "user": "ann"}).encode())
    record = to_record(sent, plan.input.codec.bind().decode(sent), plan.input.intake)
    assert (record.unit, record.text) == ("ann", "")
    model = plan.models["net"].step.bind()
    model.open(plan.context("net"))
    (output,) = model.infer(Batch([record]))
    assert output["label"] == DIGITS[expected(images)[0].argmax()]
