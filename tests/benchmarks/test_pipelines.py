"""The pipeline files that benchmarks write are files that Headrace takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import ffnn, growth, latency, links, minilm, model_free, restart, shards, startup
from headrace.core.errors import HeadraceError, ProblemsError
from headrace.core.plan.compile import compile_file

GUARANTEES = [*latency.GUARANTEES]


def faults(folder: Path, text: str) -> list[str]:
    """What is wrong with a file; a model of a registry that is empty here counts as one."""
    file = folder / "pipeline.yaml"
    file.write_text(f"broker: {{bootstrap: 'localhost:1'}}\n{text}")
    try:
        compile_file(file, registry=str(folder))
    except ProblemsError as error:
        return [one.code for one in error.problems]
    except HeadraceError as error:
        return [error.code]
    return []


@pytest.mark.parametrize("guarantee", GUARANTEES)
def test_those_of_latency(guarantee: str, tmp_path: Path) -> None:
    assert not faults(tmp_path, latency.pipeline(latency.name_of("pipeline-0", guarantee), guarantee))


@pytest.mark.parametrize("way", links.WAYS)
def test_those_of_links(way: str, tmp_path: Path) -> None:
    _, groups, _ = links.WAYS[way]
    assert not faults(tmp_path, links.PIPELINE.format(name=f"links-{way}-0") + groups)


@pytest.mark.parametrize("guarantee", GUARANTEES)
def test_those_without_a_model(guarantee: str, tmp_path: Path) -> None:
    assert not faults(tmp_path, model_free.PIPELINE.format(name="plain-0-6", guarantee=guarantee))


@pytest.mark.parametrize(
    "more", [*[growth.MODEL + groups for groups in growth.GROUPS.values()], growth.EXPERIMENT.format(), growth.ONCE]
)
def test_those_of_growth(more: str, tmp_path: Path) -> None:
    assert not faults(tmp_path, growth.HEAD.format(name="growth-stages-0-0", topic="growth-stages") + more)


def test_the_one_that_is_checked_and_the_one_that_is_killed(tmp_path: Path) -> None:
    assert len(startup.hundred_lines().splitlines()) == 100
    assert not faults(tmp_path, startup.hundred_lines())
    assert not faults(tmp_path, restart.PIPELINE)


@pytest.mark.parametrize(
    "text",
    [
        *[minilm.pipeline("minilm-0", guarantee=guarantee) for guarantee in GUARANTEES],
        minilm.pipeline("parts-0", topic="shards", model=shards.TWO),
        *[ffnn.pipeline("ffnn-raw-0-6", encoding, "at_least_once") for encoding in ffnn.FASTEST],
    ],
)
def test_those_with_a_model_lack_nothing_but_that(text: str, tmp_path: Path) -> None:
    assert faults(tmp_path, text) == ["HR302"]
