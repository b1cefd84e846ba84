"""What Kafka is told, as Java reads it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.streams.broker.folders import Folders
from headrace.streams.broker.settings import java_options, log_settings, server_settings


def read_as_java(text: str) -> dict[str, str]:
    """Read properties as java.util.Properties does, as far as we write them."""
    pairs = (line.partition("=") for line in text.encode("latin-1").decode("latin-1").splitlines() if "=" in line)
    return {key: value.lstrip().encode("latin-1").decode("unicode_escape") for key, _, value in pairs}


@given(name=st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1))
def test_any_path_survives_javas_way_of_reading(name: str) -> None:
    data = read_as_java(server_settings(Path("/home") / name, port=1, controller_port=2))["log.dirs"]
    # Java takes a character beyond the first plane as two units
    assert data.encode("utf-16", "surrogatepass").decode("utf-16") == str(Path("/home") / name)


def test_nobody_outside_this_machine_is_served() -> None:
    settings = read_as_java(server_settings(Path("/data"), port=9092, controller_port=7))
    assert settings["listeners"] == "PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:7"
    assert settings["advertised.listeners"] == settings["listeners"]


def test_a_mistyped_topic_is_not_made() -> None:
    assert read_as_java(server_settings(Path("/d"), port=1, controller_port=2))["auto.create.topics.enable"] == "false"


@pytest.mark.parametrize("key", ["appender.file.fileName", "appender.file.filePattern"])
def test_the_log_lies_in_its_folder(key: str) -> None:
    assert read_as_java(log_settings(Path("/h é/logs")))[key].startswith("/h é/logs/kafka.")


def test_java_is_told_where_everything_lies(tmp_path: Path) -> None:
    options = java_options(Folders(tmp_path / "a b"), [Path("/x.jar"), Path("/y.jar")])
    assert options[-2:] == ["-cp", "/x.jar:/y.jar"]
    assert f"-Dlog4j2.configurationFile=file://{tmp_path}/a%20b/log4j2.properties" in options
