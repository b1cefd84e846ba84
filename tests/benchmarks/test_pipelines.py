"""The pipeline files that benchmarks write are files that Headrace takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import latency, links
from headrace.core.plan.compile import compile_file

GUARANTEES = [*latency.GUARANTEES]


def compiled(folder: Path, text: str) -> None:
    file = folder / "pipeline.yaml"
    file.write_text(f"broker: {{bootstrap: 'localhost:1'}}\n{text}")
    compile_file(file, registry=str(folder))


@pytest.mark.parametrize("guarantee", GUARANTEES)
def test_those_of_latency(guarantee: str, tmp_path: Path) -> None:
    compiled(tmp_path, latency.pipeline(latency.name_of("pipeline-0", guarantee), guarantee))


@pytest.mark.parametrize("way", links.WAYS)
def test_those_of_links(way: str, tmp_path: Path) -> None:
    _, groups, _ = links.WAYS[way]
    compiled(tmp_path, links.PIPELINE.format(name=f"links-{way}-0") + groups)
