"""Tiny models cut by hand, with the extractor of `onnx`: what Headrace's own cutter does is not presumed here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from headrace.core.registry.folder import ModelSource, read_folder
from headrace.core.registry.shard import BoundaryTensor, ManifestShard
from tests.tiny_model import WIDTH, write_model

INPUTS = ("input_ids", "attention_mask", "token_type_ids")


def sharded(folder: Path, parts: int = 2, *, skip: bool = False, trims: bool = False, **kinks: Any) -> ModelSource:
    """Write a model with as many layers as parts, cut behind every layer but the last, and return it as a source.

    Args:
        folder: where to; the whole graph is left there as whole.onnx.
        parts: how many.
        skip: the embeddings jump over every layer, so they travel through all parts between.
        trims: whether rows travel without padding.
        kinks: as in `write_model`.
    """
    write_model(folder, layers=parts, skip=skip, **kinks)
    (folder / "model.onnx").rename(folder / "whole.onnx")
    # The mask travels with the rest, since each layer masks.
    travels = [[f"state_{at}", "attention_mask", *(["embedded"] if skip else [])] for at in range(parts - 1)]
    taken = [list(INPUTS), *travels]
    given = [*travels, []]
    shards = [_shard(folder, at, taken[at], given[at], trims=trims) for at in range(parts)]
    whole = read_folder(folder, graph="whole.onnx")
    files = (*(shard.file for shard in shards), *(file for file in whole.files if not file.endswith(".onnx")))
    return replace(whole, graph=None, files=files, inputs=INPUTS, shards=tuple(shards))


def _shard(folder: Path, at: int, taken: Sequence[str], given: Sequence[str], *, trims: bool) -> ManifestShard:
    import onnx
    from onnx.utils import Extractor

    whole = onnx.shape_inference.infer_shapes(onnx.load(folder / "whole.onnx"))
    passes = [name for name in given if name in taken]
    integer = "int32" if whole.graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.INT32 else "int64"
    made = [name for name in given if name not in passes] or ["logits"]
    # A tensor that is only handed on is no input of this part's graph.
    used = [name for name in taken if name != "embedded" or made == ["logits"]]
    onnx.save(Extractor(whole).extract_model(used, made), folder / f"part-{at + 1}.onnx")
    return ManifestShard(
        file=f"part-{at + 1}.onnx",
        inputs=tuple(used),
        outputs=tuple(_tensor(name, integer) for name in given),
        passes=tuple(passes),
        trims=trims and bool(given),
    )


def _tensor(name: str, integer: Any) -> BoundaryTensor:
    if name == "attention_mask":
        return BoundaryTensor(name=name, dtype=integer, shape=("batch", "tokens"))
    return BoundaryTensor(name=name, dtype="float32", shape=("batch", "tokens", WIDTH))
