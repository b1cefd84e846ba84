"""Parts of a sharded model, each opened by itself: together they answer as the whole one."""

from __future__ import annotations

import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace import Batch, Output, Position, Record, StepContext
from headrace.core.errors import HeadraceError
from headrace.core.registry.errors import HashMismatchError
from headrace.core.registry.folder import read_folder
from headrace.core.registry.store import Registry
from headrace.plugins.models.errors import GraphInputsError, GraphOutputError, ShardIndexError
from headrace.plugins.models.onnx import MicroBatch, OnnxModel, OnnxOptions
from headrace.plugins.models.onnx_rows import MARK
from tests.tiny_shards import sharded

TEXTS = st.lists(st.text(st.sampled_from("abgod  .!é\ud800\n"), max_size=90), max_size=20)
SOME = ["good", "", "the film was not good", "a " * 70, "bad film", "b c d e f", "good", "not broken !"] * 3
PIPE: dict[str, Any] = {"pipeline": "reviews", "name": "expert"}


@dataclass
class Cut:
    """A model in a registry, whole as version 1 and in parts as version 2."""

    registry: str
    name: str
    parts: int

    def opened(self, version: int, **context: Any) -> OnnxModel:
        model = OnnxModel(OnnxOptions(model=f"{self.name}@{version}"))
        model.open(StepContext(**PIPE, registry=self.registry, **context))
        return model

    def folder(self) -> Path:
        return Path(self.registry, self.name, "2")


MakeCut = Callable[..., Cut]


@pytest.fixture(scope="module")
def cut(tmp_path_factory: pytest.TempPathFactory) -> MakeCut:
    """Register a tiny model, whole and in parts; kinks as in `sharded`, facts of the source in `facts`."""
    registry = Registry(str(tmp_path_factory.mktemp("registry")))

    def make(parts: int = 2, *, facts: dict[str, Any] | None = None, **kinks: Any) -> Cut:
        folder, name = tmp_path_factory.mktemp("model"), f"tiny-{secrets.token_hex(4)}"
        source = sharded(folder, parts, **kinks)
        registry.add(replace(read_folder(folder, graph="whole.onnx"), **(facts or {})), name)
        registry.add(replace(source, **(facts or {})), name)
        return Cut(registry.location, name, parts)

    return make


@pytest.fixture(scope="module")
def two(cut: MakeCut) -> Cut:
    return cut(2)


@pytest.fixture(scope="module")
def three(cut: MakeCut) -> Cut:
    return cut(3, skip=True)


@pytest.fixture(scope="module")
def trimmed(cut: MakeCut) -> list[OnnxModel]:
    model = cut(3, skip=True, trims=True)
    return [model.opened(2, shard=at) for at in range(3)]


@pytest.fixture(scope="module")
def stages(three: Cut) -> Iterator[list[OnnxModel]]:
    models = [three.opened(2, shard=at) for at in range(3)]
    yield models
    for model in models:
        with suppress(Exception):
            model.close()


def records(texts: Sequence[str]) -> Batch:
    return Batch([Record(id=f"r:0:{at}", source=Position("r", 0, at), text=text) for at, text in enumerate(texts)])


def through(stages: Sequence[OnnxModel], batch: Batch, link: Callable[[Any], Any] = lambda row: row) -> list[Output]:
    """Walk the records through the parts, as links would: only what a part gave goes on, and no text."""
    for stage in stages[:-1]:
        rows = stage.part(batch)
        batch = Batch(
            [one.replace(tensors={k: link(v) for k, v in row.items()}) for one, row in zip(batch, rows, strict=True)]
        )
        batch = batch.map(lambda record: record.with_text(""))
    return list(stages[-1].infer(batch))


def agree(found: Sequence[Output], expected: Sequence[Output], within: float = 1e-5) -> None:
    for key in ("label", "tokens", "truncated"):
        assert [one.get(key) for one in found] == [one.get(key) for one in expected]
    differences = [
        abs(one["scores"][k] - other["scores"][k])
        for one, other in zip(found, expected, strict=True)
        for k in one["scores"]
    ]
    assert max(differences, default=0) <= within


def refusal(call: Callable[[], Any]) -> HeadraceError:
    with pytest.raises(HeadraceError) as caught:
        call()
    return caught.value


# -- the same answers


@given(texts=TEXTS)
def test_three_parts_with_a_tensor_that_jumps_over_the_second_answer_as_the_whole(
    three: Cut, stages: list[OnnxModel], whole: OnnxModel, texts: list[str]
) -> None:
    agree(through(stages, records(texts)), whole.infer(records(texts)))


@pytest.fixture(scope="module")
def whole(three: Cut) -> OnnxModel:
    return three.opened(1)


def test_all_parts_in_one_process_answer_as_the_whole(three: Cut, whole: OnnxModel) -> None:
    fused = three.opened(2)
    assert (
        (fused.inputs, fused.output)
        == (whole.inputs, whole.output)
        == (("input_ids", "attention_mask", "token_type_ids"), "logits")
    )
    agree(fused.infer(records(SOME)), whole.infer(records(SOME)))


@pytest.mark.parametrize(
    "kinks",
    [{"integer": 6}, {"types": True}, {"logits": 1}, {"trims": True}],
    ids=["int32", "token types", "one logit", "trimmed"],
)
def test_two_parts_of_other_exports_answer_as_the_whole(cut: MakeCut, kinks: dict[str, Any]) -> None:
    model = cut(2, **kinks)
    parts = [model.opened(2, shard=at) for at in range(2)]
    agree(through(parts, records(SOME)), model.opened(1).infer(records(SOME)))


@settings(max_examples=30)
@given(order=st.permutations(range(8)), at=st.integers(0, 8), records_each=st.integers(1, 9))
def test_how_records_meet_on_the_way_never_changes_a_result(
    three: Cut, stages: list[OnnxModel], order: list[int], at: int, records_each: int
) -> None:
    expected = through(stages, records(SOME[:8]))
    rows = stages[0].part(records(SOME[:8]))
    sent = [one.replace(tensors=row) for one, row in zip(records(SOME[:8]), rows, strict=True)]
    mixed = [sent[place] for place in order]
    other = OnnxModel(OnnxOptions(model=f"{three.name}@2", micro_batch=MicroBatch(records=records_each, tokens=100)))
    other.open(StepContext(**PIPE, registry=three.registry, shard=1))
    found = [*through([other, stages[2]], Batch(mixed[:at])), *through([stages[1], stages[2]], Batch(mixed[at:]))]
    agree([found[order.index(place)] for place in range(8)], expected)


def test_a_text_alone_and_among_32_others_gets_one_answer(stages: list[OnnxModel]) -> None:
    others = [f"{'good ' * at} film" for at in range(32)]
    together = through(stages, records(["the film was bad", *others]))
    agree(together[:1], through(stages, records(["the film was bad"])))


def test_rows_in_half_precision_are_taken_in_the_types_of_the_graph(stages: list[OnnxModel], whole: OnnxModel) -> None:
    def link(row: Any) -> Any:
        return row.astype("float16") if row.dtype.kind == "f" else row

    agree(through(stages, records(SOME), link), whole.infer(records(SOME)), within=0.02)


def test_texts_run_alone_where_sharing_a_run_would_change_them(cut: MakeCut) -> None:
    model = cut(2, facts={"batch_invariant": False})
    first = model.opened(2, shard=0)
    assert [len(row["attention_mask"]) for row in first.part(records(["good", "the film"]))] == [3, 4]


def test_an_empty_batch_gives_nothing(stages: list[OnnxModel]) -> None:
    assert list(stages[0].part(records([]))) == []
    assert list(stages[1].part(records([]))) == []
    assert through(stages, records([])) == []


@given(texts=TEXTS)
def test_rows_without_padding_give_the_same_answers(
    trimmed: list[OnnxModel], whole: OnnxModel, texts: list[str]
) -> None:
    agree(through(trimmed, records(texts)), whole.infer(records(texts)))
    for row, output in zip(trimmed[0].part(records(texts)), whole.infer(records(texts)), strict=True):
        assert {len(row[name]) for name in ("state_0", "attention_mask", "embedded")} == {output["tokens"]}


# -- what travels


def test_a_part_gives_what_all_parts_behind_it_need(stages: list[OnnxModel]) -> None:
    (first,) = stages[0].part(records(["good"]))
    assert set(first) == {"state_0", "attention_mask", "embedded", MARK}
    assert first["state_0"].shape == (3, 8)
    assert (first["attention_mask"].dtype, first[MARK].tolist()) == (np.int64, [3, 0])
    (second,) = stages[1].part(Batch([records(["good"])[0].replace(tensors=first)]))
    assert set(second) == {"state_1", "attention_mask", "embedded", MARK}
    assert np.array_equal(second["embedded"], first["embedded"])


def test_facts_name_each_part_with_its_size_hash_and_what_it_sends(three: Cut) -> None:
    model = OnnxModel(OnnxOptions(model=f"{three.name}@2", max_tokens=10))
    facts = model.facts(StepContext(**PIPE, registry=three.registry))
    paths = [three.folder() / f"part-{at}.onnx" for at in (1, 2, 3)]
    assert [shard.size_bytes for shard in facts.shards] == [path.stat().st_size for path in paths]
    assert len({shard.hash for shard in facts.shards} | {facts.hash}) == 4
    sent = 2 * 10 * 8 * 4 + 10 * 8 + 2 * 8  # two states, the mask, and the mark
    assert [shard.bytes_per_record for shard in facts.shards] == [sent, sent, 0]
    whole = OnnxModel(OnnxOptions(model=f"{three.name}@1")).facts(StepContext(**PIPE, registry=three.registry))
    assert (whole.shards, whole.reference) == ((), f"{three.name}@1")


def test_an_alias_that_was_moved_since_means_its_new_version(two: Cut) -> None:
    Registry(two.registry).set_alias(two.name, "prod", 1)
    model = OnnxModel(OnnxOptions(model=f"{two.name}@prod"))
    moved = StepContext(**PIPE, registry=two.registry, aliases={f"{two.name}@prod": 2})
    assert model.facts(StepContext(**PIPE, registry=two.registry)).version == f"{two.name}@1"
    assert (model.facts(moved).version, model.facts(moved).reference) == (f"{two.name}@2", f"{two.name}@prod")
    model.open(replace(moved, shard=0))
    assert set(model.part(records(["good"]))[0]) == {"state_0", "attention_mask", MARK}


# -- only its own files


WATCHED = """
import sys
opened = []
sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == "open" else None)
from headrace import StepContext
from headrace.plugins.models.onnx import OnnxModel, OnnxOptions
model = OnnxModel(OnnxOptions(model=sys.argv[2]))
model.open(StepContext("p", "e", sys.argv[1], shard=int(sys.argv[3])))
print("\\n".join(path for path in opened if path.startswith(sys.argv[1])))
print(open("/proc/self/maps").read())
"""


@pytest.mark.parametrize("shard", [0, 1, 2])
def test_a_worker_opens_and_maps_its_own_part_only(three: Cut, shard: int) -> None:
    words = [sys.executable, "-c", WATCHED, three.registry, f"{three.name}@2", str(shard)]
    seen = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    assert f"part-{shard + 1}.onnx" in seen
    assert not [other for other in (0, 1, 2) if other != shard and f"part-{other + 1}.onnx" in seen]
    assert ("tokenizer.json" in seen) == (shard == 0)


@pytest.mark.parametrize("shard", [0, 1, 2])
def test_a_worker_starts_where_the_files_of_other_parts_are_not(cut: MakeCut, shard: int) -> None:
    model = cut(3)
    for path in model.folder().iterdir():
        if path.name not in ("manifest.json", f"part-{shard + 1}.onnx") and (shard or path.suffix == ".onnx"):
            path.unlink()
    model.opened(2, shard=shard)


def test_a_part_of_a_remote_registry_is_the_only_one_that_is_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADRACE_CACHE", str(tmp_path / "cache"))
    Registry(f"memory://{tmp_path}").add(sharded(tmp_path / "model"), "reviews")
    OnnxModel(OnnxOptions(model="reviews@1")).open(StepContext(**PIPE, registry=f"memory://{tmp_path}", shard=1))
    assert [path.name for path in (tmp_path / "cache").rglob("*") if path.is_file()] == ["part-2.onnx"]


# -- refusals


@pytest.mark.provokes("HR306")
@pytest.mark.parametrize("shard", [0, 1])
def test_a_part_of_another_hash_does_not_start(cut: MakeCut, shard: int) -> None:
    model = cut(2)
    path = model.folder() / f"part-{shard + 1}.onnx"
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    assert isinstance(refusal(lambda: model.opened(2, shard=shard)), HashMismatchError)
    model.opened(2, shard=1 - shard)


@pytest.mark.provokes("HR338")
def test_a_part_that_the_model_does_not_have_is_refused(two: Cut) -> None:
    error = refusal(lambda: two.opened(2, shard=2))
    assert isinstance(error, ShardIndexError)
    assert error.fault == f"a worker is to open part 3 of {two.name}@2, which has 2 parts"
    assert refusal(lambda: two.opened(1, shard=0)).fault.endswith("which is whole")


def test_a_part_whose_graph_is_not_what_the_manifest_says_is_refused(tmp_path: Path) -> None:
    source = sharded(tmp_path / "model", 3)
    shutil.copy(tmp_path / "model/part-2.onnx", tmp_path / "model/part-3.onnx")
    shutil.copy(tmp_path / "model/part-1.onnx", tmp_path / "model/part-2.onnx")
    Registry(str(tmp_path / "registry")).add(source, "reviews")

    def opened(shard: int) -> None:
        OnnxModel(OnnxOptions(model="reviews@1")).open(
            StepContext(**PIPE, registry=str(tmp_path / "registry"), shard=shard)
        )

    opened(0)
    assert isinstance(refusal(lambda: opened(1)), GraphInputsError)
    assert "its manifest says otherwise" in refusal(lambda: opened(2)).fault


@pytest.mark.provokes("HR323")
def test_a_last_part_with_other_labels_is_refused(cut: MakeCut) -> None:
    model = cut(2, facts={"labels": ("a", "b", "c")})
    model.opened(2, shard=0)
    assert isinstance(refusal(lambda: model.opened(2, shard=1)), GraphOutputError)


def test_a_closed_part_does_not_answer(two: Cut) -> None:
    first, last = two.opened(2, shard=0), two.opened(2, shard=1)
    first.close()
    last.close()
    with pytest.raises(RuntimeError, match="part before open"):
        first.part(records(["good"]))
    with pytest.raises(RuntimeError, match="infer before open"):
        last.infer(records(["good"]))
