"""The JSON Schema of the pipeline file: what `check` takes passes, and typos do not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from headrace import NoOptions, Options
from headrace.core.catalog import Catalog, installed_catalog
from headrace.core.schema.errors import OptionsSchemaError
from headrace.core.schema.file import file_schema, options_schema
from tests.docs.blocks import PAGES, Block, read_blocks
from tests.docs.playground import _whole as whole
from tests.support.planned import installed_and

ROOT = Path(__file__).parents[3]
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))
BLOCKS = [block for page in PAGES for block in read_blocks(page) if block.language == "yaml"]
GOOD = """\
headrace: 1
pipeline: reviews
input: {topic: reviews, text: body, start: latest, max_bytes: 64KiB}
preprocess: [normalise, {normalise: {html: false}}, {normalise: }]
models: {quick: lexicon, slow: {lexicon: {characters: 5}}}
route: {cascade: {order: [quick, slow], accept: {quick: "output.score > 0.5"}}}
postprocess: [{labels: {threshold: 0.6}}]
output: [{topic: {name: reviews.scored, when: "true"}}]
delivery: {commit_every: 100ms, retries: 0}
batch: {max_wait: 0}
topics: {partitions: "${PARTITIONS}"}
"""


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    """Validates pipeline files; the schema itself was validated."""
    schema = file_schema(installed_catalog())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def read(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)


def faults(validator: Draft202012Validator, text: str) -> list[str]:
    return [error.message for error in validator.iter_errors(read(text))]


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.name)
def test_every_example_passes(validator: Draft202012Validator, file: Path) -> None:
    assert faults(validator, file.read_text()) == []


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_every_pipeline_of_the_docs_passes_unless_it_needs_another_plugin(
    validator: Draft202012Validator, block: Block
) -> None:
    text = whole(block.text) if "fragment" in block.words else block.text
    if block.settings.get("file") != "short.yaml":  # its step comes from the plugin that the page writes
        assert faults(validator, text) == []


def test_there_are_examples_and_blocks() -> None:
    assert len(EXAMPLES) > 3
    assert len(BLOCKS) > 10


def test_a_file_written_in_every_allowed_way_passes(validator: Draft202012Validator) -> None:
    assert faults(validator, GOOD) == []


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("pipeline: reviews", "pipelin: reviews"),
        ("pipeline: reviews", "pipeline: Reviews"),
        ("headrace: 1", "headrace: 2"),
        ("text: body", "txt: body"),
        ("start: latest", "start: 7"),
        ("64KiB", "64 KiBs"),
        ("100ms", "100"),
        ("retries: 0", "retries: 21"),
        ("retries: 0", "retries: '3'"),
        ("[normalise, ", "[normalize, "),
        ("html: false", "htlm: false"),
        ("html: false", "html: 'no'"),
        ("quick: lexicon", "quick: onnx"),
        ("quick: lexicon", "Quick: lexicon"),
        ("characters: 5", "characters: 0"),
        ("order: [quick, slow]", "order: [quick]"),
        ("order: [quick, slow], ", ""),
        ("cascade: {", "single: {}, cascade: {"),
        ("topic: {name: reviews.scored", "topic: {nam: reviews.scored"),
        ("output: [", "outputs: ["),
        ('"${PARTITIONS}"', "none"),
        ("threshold: 0.6", "threshold: 1.6"),
    ],
)
def test_a_typo_does_not_pass(validator: Draft202012Validator, right: str, wrong: str) -> None:
    assert right in GOOD
    assert faults(validator, GOOD.replace(right, wrong, 1))


def test_a_step_of_another_plugin_is_part_of_it_under_a_name_of_its_own() -> None:
    class Inner(Options):
        """A model that is called as one of Headrace's own sections."""

        depth: int = 1

    class ShoutOptions(Options):
        topics: Inner = Inner()
        more: tuple[ShoutOptions, ...] = ()

    ShoutOptions.model_rebuild(_types_namespace={"ShoutOptions": ShoutOptions})
    catalog = installed_and(lambda catalog: catalog.preprocess("shout", lambda record: record, options=ShoutOptions))
    schema = file_schema(catalog)
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    said = "{shout: {topics: {depth: 3}, more: [{topics: {depth: 4}}]}}"
    assert faults(validator, GOOD.replace("[normalise, ", f"[{said}, ")) == []
    assert faults(validator, GOOD.replace("[normalise, ", f"[{said.replace('4', 'deep')}, "))


def test_options_that_cannot_be_described_let_everything_pass() -> None:
    class Odd(Options):
        call: Callable[[int], int] | None = None

    catalog = Catalog()
    catalog.preprocess("odd", lambda record: record, options=Odd)
    (spec,) = catalog.specs()
    with pytest.raises(OptionsSchemaError):
        options_schema(spec)
    described = file_schema(catalog)["$defs"]["preprocess.odd"]
    assert described["type"] == "object"
    assert "cannot be described" in described["description"]


def test_no_mark_of_ours_is_left_and_every_reference_leads_somewhere() -> None:
    schema = file_schema(installed_catalog())
    text = json.dumps(schema)
    assert "x-headrace" not in text
    for target in set(part.partition('"')[0] for part in text.split('"$ref": "#/$defs/')[1:]):
        assert target in schema["$defs"]


def test_a_step_without_options_may_be_written_with_none() -> None:
    catalog = Catalog()
    catalog.preprocess("plain", lambda record: record, options=NoOptions)
    step = file_schema(catalog)["$defs"]["preprocess"]
    assert [one.get("const") for one in step["oneOf"]] == ["plain", None]
