"""Another version of a model beside the one that runs: what cannot take its place is refused before it is loaded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from headrace import TensorSpec
from headrace.core.catalog import installed_catalog
from headrace.core.errors import HeadraceError
from headrace.core.plan.compile import compile_file
from headrace.core.registry.folder import read_tensor_folder
from headrace.core.registry.store import Registry
from headrace.streams.model_trial import tried
from headrace.streams.model_version import open_version
from tests.tensor_model import write_digits

FILE = """\
headrace: 1
pipeline: digits
input: {topic: digits, codec: {tensor: {tensors: {x: {dtype: float32, shape: [28, 28]}}}}}
models: {net: {onnx: {model: digits@1}}}
output: [{topic: {name: digits.scored}}]
"""


def test_a_version_with_other_inputs_is_refused(tmp_path: Path) -> None:
    registry = Registry(str(tmp_path / "registry"))
    source = tried(read_tensor_folder(write_digits(tmp_path / "model")), "digits", 1, installed_catalog())
    other = (TensorSpec(name="pixels", dtype="float32", shape=(784,)),)
    for takes in (source.takes, source.takes, other):
        registry.add(replace(source, takes=takes), "digits")
    file = tmp_path / "digits.yaml"
    file.write_text(FILE)
    plan = compile_file(file, registry=registry.location)
    stage = plan.stage("net")
    assert stage is not None
    step, closing = open_version(plan, plan.models["net"], stage, "digits@2", 1)
    with closing:
        assert step.look().inputs == ("x",)
    with pytest.raises(HeadraceError) as caught:
        open_version(plan, plan.models["net"], stage, "digits@3", 1)
    assert caught.value.fault == "digits@3 takes pixels float32[784], which is not what the running plan reads"
