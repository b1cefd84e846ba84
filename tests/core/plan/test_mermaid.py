"""A plan as a Mermaid flowchart: the grammar used is small, and every line of it is read here."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

import pytest

from headrace.core.plan.mermaid import mermaid
from headrace.core.plan.plan import Plan

Compile = Callable[..., Plan]

LABEL = r'"((?:[^"#<>&|`\[\](){}\\]|#\d+;|<br/>)+)"'
TOPIC = re.compile(rf"  (topic\d+)\[\({LABEL}\)\]")
GROUP = re.compile(rf"  subgraph (group\d+)\[{LABEL}\]")
STAGE = re.compile(rf"    (stage\d+)\[{LABEL}\]")
ARROW = re.compile(rf"  (\w+) (?:-->|-\.->|-- {LABEL} -->|-\. {LABEL} \.->) (\w+)")

GROUPED = """\
headrace: 1
pipeline: reviews
input: {topic: reviews, text: body}
models: {quick: lexicon, expert: lexicon}
route: {single: {model: expert}}
output: [{topic: {name: scored}}, {topic: {name: bad, when: "output.label == \\"<bad> [a|b] #1\\""}}]
groups: {expert: {models: [expert], replicas: 3}}
"""


class Drawn(NamedTuple):
    """What a chart shows: names of topics, of stages by group, and arrows as (from, label, to) in those names."""

    topics: set[str]
    groups: dict[str, list[str]]
    arrows: set[tuple[str, str, str]]


def read(chart: str) -> Drawn:
    """Read a chart; a line that is none of the few forms, or an arrow to nowhere, fails."""
    lines = chart.splitlines()
    assert lines.pop(0) == "flowchart LR"
    names: dict[str, str] = {}
    groups: dict[str, list[str]] = {}
    topics, arrows, inside = set(), set(), ""
    for line in lines:
        if topic := TOPIC.fullmatch(line):
            names[topic[1]] = plain(topic[2])
            topics.add(names[topic[1]])
        elif group := GROUP.fullmatch(line):
            assert not inside
            inside = names[group[1]] = plain(group[2])
            groups[inside] = []
        elif stage := STAGE.fullmatch(line):
            names[stage[1]] = plain(stage[2]).partition("<br/>")[0]
            groups[inside].append(names[stage[1]])
        elif line == "  end":
            assert inside
            inside = ""
        else:
            arrow = ARROW.fullmatch(line)
            assert arrow, line
            arrows.add((names[arrow[1]], plain(arrow[2] or arrow[3] or ""), names[arrow[4]]))
    return Drawn(topics, groups, arrows)


def plain(label: str) -> str:
    return re.sub(r"#(\d+);", lambda entity: chr(int(entity[1])), label)


def test_one_process_is_one_box_between_topics(compiled: Compile, minimal: str) -> None:
    drawn = read(mermaid(compiled(minimal)))
    assert drawn.topics == {"reviews", "reviews.scored", "reviews.dead"}
    assert drawn.groups == {"main: 1 worker": ["ingress", "quick", "egress"]}
    assert drawn.arrows == {
        ("reviews", "", "ingress"),
        ("ingress", "", "quick"),
        ("ingress", "", "egress"),
        ("quick", "", "egress"),
        ("egress", "", "reviews.scored"),
        ("main: 1 worker", "failures", "reviews.dead"),
    }


def test_a_record_goes_to_another_process_through_a_topic(compiled: Compile) -> None:
    drawn = read(mermaid(compiled(GROUPED)))
    assert drawn.groups == {"main: 1 worker": ["ingress", "quick", "egress"], "expert: 3 workers": ["expert"]}
    assert {arrow for arrow in drawn.arrows if "link" in f"{arrow[0]}{arrow[2]}"} == {
        ("ingress", "records", "reviews.link.expert"),
        ("reviews.link.expert", "as reviews.expert", "expert"),
        ("expert", "records", "reviews.link.egress"),
        ("reviews.link.egress", "as reviews.egress", "egress"),
    }
    assert ("expert: 3 workers", "failures", "reviews.dead") in drawn.arrows


def test_what_stands_in_a_when_cannot_end_its_label(compiled: Compile) -> None:
    drawn = read(mermaid(compiled(GROUPED)))
    assert ("egress", 'output.label == "<bad> [a|b] #1"', "bad") in drawn.arrows


def test_a_stage_may_have_any_name(compiled: Compile, minimal: str) -> None:
    drawn = read(mermaid(compiled(minimal.replace("quick", "end"))))
    assert drawn.groups == {"main: 1 worker": ["ingress", "end", "egress"]}


def test_exposures_are_drawn_where_there_are_experiments(compiled: Compile, minimal: str) -> None:
    text = minimal.replace("text: body", "text: body, unit: user")
    experiment = "experiments: {wide: {variants: {a: {}, b: {set: {models: {quick: lexicon}}}}}}\n"
    drawn = read(mermaid(compiled(text + experiment)))
    assert ("ingress", "", "reviews.exposures") in drawn.arrows
    assert ("ingress", "", "quick.wide.b") in drawn.arrows
    assert ("quick.wide.b", "", "egress") in drawn.arrows


def test_a_false_chart_is_not_read() -> None:
    """Without this the reader could take anything."""
    for line in ("  a --> b", '  topic0[("a"b")]', '  topic0["a"]', '  group0 -- "#quot;" --> topic0'):
        with pytest.raises((AssertionError, KeyError)):
            read(f'flowchart LR\n  topic9[("x")]\n{line}\n')
