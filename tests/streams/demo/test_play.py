"""The demo calls commands as a user would, and says which one failed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from headrace.streams.demo.errors import DemoCommandError
from headrace.streams.demo.play import Child, command, ensure_broker
from headrace.streams.demo.reviews import Review
from headrace.streams.demo.scene import bad_records, tombstone, write_scene


def test_a_command_gives_what_it_printed() -> None:
    assert command("--version").startswith("headrace, version")


@pytest.mark.provokes("HR428")
def test_a_command_that_fails_is_named_with_what_it_said(tmp_path: Path) -> None:
    with pytest.raises(DemoCommandError, match="HR103") as caught:
        command("check", tmp_path / "none.yaml")
    assert caught.value.code == "HR428"
    assert caught.value.status == 1
    assert "headrace check" in caught.value.fault


@pytest.mark.provokes("HR428")
def test_a_child_that_ends_is_told_instead_of_waited_for(tmp_path: Path) -> None:
    child = Child("run", tmp_path / "none.yaml", stream="stderr")
    with pytest.raises(DemoCommandError, match="HR103"):
        _ = [child.line(30) for _ in range(100)]


def test_the_broker_that_the_environment_names_is_taken() -> None:
    assert ensure_broker({"HEADRACE_BROKER": "kafka:9092"}) == "kafka:9092, as HEADRACE_BROKER says"


def test_the_scene_is_a_pipeline_file_that_checks_and_lines_that_publish_reads(tmp_path: Path) -> None:
    bad = bad_records("/demo/7")
    scene = write_scene(tmp_path / "demo", "reviews@1", (Review("1", "Fine.", "positive"),), bad)
    assert json.loads(scene.reviews.read_text()) == {"id": "1", "user": "user-36", "body": "Fine."}
    assert scene.bad.read_bytes().split(b"\n")[:-1] == [each.line for each in bad]
    assert tombstone("/demo/7").encode() in scene.bad.read_bytes()
    with pytest.raises(DemoCommandError, match="HR30"):  # all of the file is right, but for the model that is not there
        command("check", scene.pipeline)
