"""What is said of one pipeline on this machine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from headrace.core.plan.plan import Plan
from headrace.core.registry.folder import read_folder
from headrace.core.registry.store import Registry
from headrace.streams.access.connection import Connection
from headrace.streams.doctor import pipeline as look
from tests.support.client import Client
from tests.tiny_model import write_model

if TYPE_CHECKING:
    from headrace.streams.broker import Running


@pytest.fixture
def plan(tmp_path: Path, topic: Callable[..., str]) -> Callable[..., Plan]:
    """Compile a pipeline whose file says this."""

    def compiled(more: str = "", model: str = "lexicon") -> Plan:
        file = tmp_path / "pipeline.yaml"
        file.write_text(
            f"headrace: 1\npipeline: {topic()}\ninput: {{topic: {topic()}, text: text}}\nmodels: {{quick: {model}}}\n"
            f"output: [{{topic: {{name: {topic()}.out}}}}]\nregistry: {tmp_path / 'registry'}\n{more}"
        )
        plan, findings = look.look_at_file(file)
        assert plan is not None, findings
        return plan

    return compiled


def topics(plan: Plan, kafka: Running) -> dict[str, tuple[str, str]]:
    """Return state and fact of each topic by its name's last part; that of the input is empty."""
    found = look.look_at_topics(plan, Connection(kafka.bootstrap))
    return {
        planned.name.removeprefix(plan.pipeline): (one.state, one.fact)
        for planned, one in zip(plan.topics, found, strict=True)
    }


def test_every_problem_of_the_file_is_a_finding(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text("headrace: 1\npipeline: P\n")
    plan, findings = look.look_at_file(file)
    assert plan is None
    assert [(one.state, one.fact.split(" ")[1]) for one in findings] == [
        ("fail", "HR105"),
        ("fail", "HR105"),
        ("fail", "HR106"),
    ]
    assert look.look_at_file(tmp_path / "none.yaml")[1][0].fact.startswith("HR103 cannot read")


@pytest.mark.broker
def test_missing_topics_will_be_made_and_are_not_made_by_looking(plan: Callable[..., Plan], kafka: Running) -> None:
    found = topics(plan(), kafka)
    assert {state for state, _ in found.values()} == {"ok"}
    assert all(fact.endswith("will be made") for _, fact in found.values())
    assert Client(kafka.bootstrap).partitions(plan().input.topic) == 0


@pytest.mark.broker
@pytest.mark.provokes("HR211")
def test_missing_topics_fail_where_none_may_be_made(plan: Callable[..., Plan], kafka: Running) -> None:
    found = topics(plan("topics: {create: false}\n"), kafka)
    assert {(state, fact.split(" ")[0]) for state, fact in found.values()} == {("fail", "HR211")}


@pytest.mark.broker
@pytest.mark.provokes("HR214")
def test_topics_are_compared_with_the_plan(plan: Callable[..., Plan], kafka: Running) -> None:
    compiled = plan("topics: {partitions: 2}\n")
    client = Client(kafka.bootstrap)
    client.make_topic(compiled.input.topic, 2)
    client.make_topic(compiled.outputs[0].topics[0], 3)
    client.make_topic(compiled.dead_topic, 1)
    found = topics(compiled, kafka)
    assert found[""] == ("ok", f"{compiled.input.topic} (input): 2 partitions, 1,048,588 bytes a message")
    assert found[".out"][0] == "fail"
    assert found[".out"][1].startswith("HR212 ")
    assert found[".out"][1].endswith("; the plan says 2 partitions")
    assert found[".dead"][0] == "fail"
    assert found[".dead"][1].startswith("HR214 ")
    assert found[".dead"][1].endswith("; 1,114,124 may come")


@pytest.mark.broker
@pytest.mark.provokes("HR214")
def test_an_input_that_takes_less_than_the_file_allows_is_a_warning(plan: Callable[..., Plan], kafka: Running) -> None:
    compiled = plan()
    Client(kafka.bootstrap).make_topic(compiled.input.topic, max_message_bytes="1000")
    assert topics(compiled, kafka)[""][0] == "warn"


@pytest.mark.provokes("HR201")
def test_a_broker_that_is_not_there_is_one_finding(plan: Callable[..., Plan]) -> None:
    (found,) = look.look_at_topics(plan(), Connection("127.0.0.1:1"))
    assert (found.state, found.fact.split(" ")[0]) == ("fail", "HR201")


def test_a_model_without_files_is_told_by_its_version(plan: Callable[..., Plan]) -> None:
    (found,) = look.look_at_models(plan())
    assert (found.state, found.fact) == ("ok", "quick: vader-3.3.2, no files")


@pytest.mark.provokes("HR306")
def test_every_byte_of_a_model_is_compared_with_what_was_imported(plan: Callable[..., Plan], tmp_path: Path) -> None:
    folder: Any = write_model(tmp_path / "model")
    Registry(str(tmp_path / "registry")).add(read_folder(folder), "tiny")
    compiled = plan(model="{onnx: {model: tiny@1}}")
    (found,) = look.look_at_models(compiled)
    assert found.state == "ok"
    assert found.fact.startswith("quick: tiny@1, ")
    assert found.fact.endswith("sha256 as imported")
    graph = tmp_path / "registry" / "tiny" / "1" / "model.onnx"
    content = bytearray(graph.read_bytes())
    content[-1] ^= 1
    graph.write_bytes(content)
    (spoilt,) = look.look_at_models(compiled)
    assert (spoilt.state, spoilt.fact.split(" ")[0]) == ("fail", "HR306")
