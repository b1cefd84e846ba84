"""Whatever a user can meet has its place in the docs: hooks, steps, errors, headers, variables; no link leads nowhere.

Each test compares two lists by name, so an empty list on one side fails rather than passes.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from headrace.core import hooks
from headrace.core.catalog import installed_catalog
from headrace.core.errors import ProblemsError
from headrace.core.plan.compile import compile_file
from headrace.core.record import Message, Position, Record
from headrace.core.wire.cloudevents import result_headers
from headrace.core.wire.dead import Failure, dead_letter
from headrace.streams.cli.main import COMMANDS
from headrace.streams.explain import explanations
from tests.docs.blocks import PAGES, ROOT, read_blocks
from tests.docs.playground import SKELETON

CODE_FOLDERS = [ROOT / name for name in ("core", "plugins", "streams", "docker")]
CODE = re.compile(r"\bHR\d{3}\b")


def page(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def sections(text: str) -> dict[str, str]:
    """Return the text below each heading."""
    parts = re.split(r"^#+ (.+)$", re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S), flags=re.M)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def first_cells(section: str) -> list[str]:
    """Return what stands in code in the first column of the section's tables."""
    return re.findall(r"^\| `([^`]+)` \|", section, flags=re.M)


def hook_names() -> dict[str, str]:
    """Return each hook with its signature."""
    found = inspect.getmembers(hooks, lambda one: hasattr(one, f"{hooks.PROJECT}_spec"))
    return {name: f"{name}{inspect.signature(hook)}".replace("'", "") for name, hook in found}


def test_every_hook_has_a_heading_with_its_exact_signature() -> None:
    headings = set(sections(page("docs/plugins.md")))
    assert hook_names()
    assert set(hook_names().values()) <= headings


def test_every_hook_has_a_test_of_its_name() -> None:
    functions = {
        node.name
        for path in (ROOT / "tests").rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert {f"test_hook_{name}" for name in hook_names()} <= functions


def test_every_step_has_a_section_with_an_example_and_its_options() -> None:
    text = page("docs/pipeline-file.md")
    specs = [spec for spec in installed_catalog().specs() if spec.distribution == "headrace"]
    assert len(specs) > 5
    for spec in specs:
        _, heading, rest = text.partition(f"\n### `{spec.name}` ({spec.kind})\n")
        assert heading, f"no section for {spec.kind} {spec.name}"
        own = rest.partition("\n### ")[0]
        assert "```yaml" in own, f"no example of {spec.name}"
        assert f"generated: options {spec.kind} {spec.name};" in own, f"no options of {spec.name}"


def test_every_option_and_every_key_of_a_step_is_described() -> None:
    bare = [
        f"{spec.name}.{name}"
        for spec in installed_catalog().specs()
        for name, field in spec.options.model_fields.items()
        if not field.description
    ]
    assert bare == []


def test_every_key_of_the_file_and_every_field_of_a_result_is_described() -> None:
    for name in ("docs/pipeline-file.md", "docs/message-contract.md"):
        bare = re.findall(r"^\|.*\|\s+\|$", page(name), flags=re.MULTILINE)
        assert bare == [], name


def test_every_error_code_is_in_the_list() -> None:
    listed = [code for section in sections(page("docs/errors.md")).values() for code in first_cells(section)]
    assert listed == sorted(explanations())


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_code_that_a_page_names_exists(path: Path) -> None:
    assert set(CODE.findall(path.read_text(encoding="utf-8"))) <= set(explanations())


def test_every_command_is_shown_in_a_block_that_runs() -> None:
    blocks = [block for path in PAGES for block in read_blocks(path) if block.language == "console"]
    shown = {name for block in blocks for name in re.findall(r"\bheadrace ([a-z]+)", block.text)}
    # The demo downloads 107 MB; tests/streams/demo plays it.
    assert set(COMMANDS) - shown == {"demo"}


def test_the_headers_of_a_dead_letter_are_those_of_the_contract() -> None:
    message = Message(Position("reviews", 0, 7), b"ann", b"{}", (), 1)
    failure = Failure(code="HR501", error="E", kind="author", message="m", stage="ingress", plugin="p")
    letter = dead_letter(message, failure, topic="p.dead", pipeline="p", plan="abc", now_ms=0)
    documented = first_cells(sections(page("docs/message-contract.md"))["Dead letters"])
    # The last ones are not always there: tests/core/wire/test_headers.py.
    seldom = ["headrace.id", "headrace.redriven", "headrace.only_output", "headrace.original_missing"]
    assert documented == [*(name for name, _ in letter.headers), *seldom]


def test_the_headers_of_a_result_are_those_of_the_contract() -> None:
    trace = (("traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"), ("tracestate", b"a=1"))
    record = Record(id="1", source=Position("reviews", 0, 7), headers=trace)
    written = result_headers(record, {"pipeline": "p", "time": "2026-11-23T21:44:29.411Z"}, output="scored")
    documented = first_cells(sections(page("docs/message-contract.md"))["Headers of a result"])
    assert sorted(documented) == sorted(name for name, _ in written)


def test_every_variable_of_the_environment_is_documented() -> None:
    documented = set(first_cells(sections(page("docs/operations.md"))["Environment"]))
    read = {
        name
        for folder in CODE_FOLDERS
        for path in folder.rglob("*")
        if path.is_file() and path.suffix in (".py", "")
        for name in re.findall(r"[\"' ](HEADRACE_[A-Z]+)\b", path.read_text(encoding="utf-8"))
    }
    assert documented == read


def test_what_is_said_not_to_be_built_is_refused(tmp_path: Path) -> None:
    said = re.findall(r"^- `([^`]+)`", sections(page("docs/pipeline-file.md"))["Not built yet"], flags=re.M)
    assert said
    whole = SKELETON.replace("text: body", "text: body, unit: user")  # experiments need one
    for key in said:
        lines = f"{key}: {{a: 1}}" if key.isidentifier() else key
        (tmp_path / "asked.yaml").write_text(f"{whole}groups: {{apart: {{models: [quick]}}}}\n{lines}\n")
        with pytest.raises(ProblemsError) as caught:
            compile_file(tmp_path / "asked.yaml", registry=str(tmp_path))
        assert [problem.code for problem in caught.value.problems] == ["HR700"], key


def test_decisions_are_short_and_say_what_would_change_them() -> None:
    pages = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    assert pages
    for path in pages:
        text = path.read_text(encoding="utf-8")
        assert text.count("\n") <= 30, f"{path.name} has {text.count(chr(10))} lines"
        for part in ("**Question.**", "**What would change our mind.**"):
            assert part in text, f"{path.name} lacks {part}"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(path: Path) -> None:
    for target in links(path.read_text(encoding="utf-8")):
        file, _, anchor = target.partition("#")
        found = (path.parent / file).resolve() if file else path
        assert found.exists(), f"{path.name} links to {target}"
        if anchor:
            assert anchor in anchors(found), f"{path.name} links to {target}; there are {sorted(anchors(found))}"


def links(text: str) -> Iterator[str]:
    """Yield the targets of links and pictures that lie in the repository."""
    for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)):
        if not target.startswith(("http://", "https://")):
            yield target


def anchors(path: Path) -> set[str]:
    """Return the anchors of a page as GitHub makes them."""
    headings = sections(path.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_colour_of_the_picture_has_its_like_on_a_dark_ground() -> None:
    picture = page("docs/architecture.svg")
    used = {node.get("class") for node in ElementTree.fromstring(picture).iter()} - {None, "name"}  # name is a weight
    light, _, dark = picture.partition("@media (prefers-color-scheme: dark)")
    assert used
    for name in used:
        assert f".{name} {{" in light, name
        assert f".{name} {{" in dark, name
