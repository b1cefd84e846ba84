"""The experiments of a file: what they compile to, and everything that can be wrong with them, at its place."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from headrace.core.config.document import Document, read_document
from headrace.core.config.pipeline import PipelineFile
from headrace.core.config.problem import problems_of
from headrace.core.errors import HeadraceError
from headrace.core.experiments.assign import variants
from headrace.core.experiments.experiment import Experiment
from headrace.core.plan.experiments import experiment_facts, experiment_problems, read_experiments

HEAD = """\
headrace: 1
pipeline: reviews
input: {topic: reviews, text: body, unit: user}
models: {quick: lexicon, expert: lexicon}
output: [{topic: {name: reviews.scored}}]
experiments:
"""
WHOLE = """\
  expert-first:
    layer: routing
    slice: [0, 0.4]
    coverage: 0.5
    seed: s1
    segment: value.country == 'nl'
    variants:
      control: {weight: 1}
      treatment: {weight: 3, set: {route: {single: {model: expert}}, models: {expert: lexicon}}}
  plain:
    variants:
      a: {}
      b: {set: {preprocess: [], postprocess: [labels]}}
holdout: 0.05
"""


def opened(folder: Path, text: str) -> tuple[Document, PipelineFile]:
    file = folder / "p.yaml"
    file.write_text(text)
    document = read_document(file, {})
    return document, PipelineFile.model_validate(document.value)


def read(folder: Path, text: str) -> dict[str, Experiment]:
    return {experiment.id: experiment for experiment in read_experiments(*opened(folder, text))}


def problems(folder: Path, body: str, head: str = HEAD) -> list[str]:
    """Return every problem as its line would be printed, counted from the first line of the body."""
    document, envelope = opened(folder, head + body)
    return [_printed(problem, head) for problem in experiment_problems(document, envelope)]


def invalid(folder: Path, body: str) -> list[str]:
    """Return what the envelope's own rules say."""
    file = folder / "p.yaml"
    file.write_text(HEAD + body)
    document = read_document(file, {})
    with pytest.raises(ValidationError) as caught:
        PipelineFile.model_validate(document.value)
    return [_printed(problem, HEAD) for problem in problems_of(caught.value, PipelineFile, document)]


def _printed(problem: HeadraceError, head: str) -> str:
    assert problem.place is not None
    line = problem.place.line - head.count("\n")
    return f"{line}:{problem.place.column} {problem.code} {problem.fault}; {problem.mend}"


# -- what a right file gives


def test_an_experiment_compiles_to_everything_it_says(tmp_path: Path) -> None:
    found = read(tmp_path, HEAD + WHOLE)
    assert list(found) == ["holdout", "expert-first", "plain"]
    first = found["expert-first"]
    assert (first.variants, first.weights) == (("control", "treatment"), (0.25, 0.75))
    assert (first.coverage, first.seed, first.layer, first.layer_range) == (0.5, "s1", "routing", (0.0, 0.4))
    assert first.segment is not None
    assert first.segment.source == "value.country == 'nl'"
    assert first.sets == ((), ("models.expert", "route"))
    assert (first.phase, first.hash_version, first.keeps_out) == (1, 2, False)


def test_what_an_experiment_leaves_out_has_a_default(tmp_path: Path) -> None:
    plain = read(tmp_path, HEAD + WHOLE)["plain"]
    assert (plain.weights, plain.coverage, plain.seed) == ((0.5, 0.5), 1.0, "plain")
    assert (plain.layer, plain.layer_range, plain.segment) == (None, (0.0, 1.0), None)
    assert plain.sets == ((), ("preprocess", "postprocess"))


def test_a_holdout_keeps_its_share_of_the_units_out_and_those_of_another_pipeline_are_others(tmp_path: Path) -> None:
    users = [f"user-{at}" for at in range(4_000)]
    here = read(tmp_path, HEAD + WHOLE)["holdout"]
    there = read(tmp_path, (HEAD + WHOLE).replace("pipeline: reviews", "pipeline: other"))["holdout"]
    assert here.keeps_out
    held = [variant is not None for variant in variants(users, here)]
    assert held.count(True) / len(users) == pytest.approx(0.05, abs=0.015)
    assert held != [variant is not None for variant in variants(users, there)]


def test_a_file_without_experiments_has_none(tmp_path: Path) -> None:
    assert read(tmp_path, HEAD.replace("experiments:\n", "")) == {}
    assert problems(tmp_path, "", HEAD.replace("experiments:\n", "").replace(", unit: user", "")) == []


def test_an_experiment_is_told_in_plain_values(tmp_path: Path) -> None:
    found = read(tmp_path, HEAD + WHOLE)
    assert experiment_facts(found["expert-first"]) == {
        "id": "expert-first",
        "variants": [
            {"name": "control", "weight": 0.25, "sets": []},
            {"name": "treatment", "weight": 0.75, "sets": ["models.expert", "route"]},
        ],
        "coverage": 0.5,
        "segment": "value.country == 'nl'",
        "seed": "s1",
        "layer": "routing",
        "slice": [0.0, 0.4],
    }
    assert experiment_facts(found["holdout"])["variants"] == [{"name": "held-out", "weight": 1.0, "sets": []}]


# -- what can be wrong with it

TWO = "    variants: {a: {}, b: {}}\n"
SETS_ROUTE = "    variants: {a: {}, b: {set: {route: {single: {model: quick}}}}}\n"


@pytest.mark.provokes("HR117")
@pytest.mark.parametrize(
    ("body", "found"),
    [
        pytest.param(
            "  one: {variants: {a: {}}}\n",
            "1:9 HR117 experiment 'one' has one variant, so there is nothing to compare; write at least two",
            id="one variant",
        ),
        pytest.param(
            "  one: {variants: {}}\n",
            "1:9 HR117 experiment 'one' has no variants, so there is nothing to compare; write at least two",
            id="no variants",
        ),
        pytest.param(
            "  one: {variants: {a: {weight: 0}, b: {weight: 0}}}\n",
            "1:9 HR117 experiment 'one' has no variant with a weight, so nobody meets any; give one of them a weight",
            id="no weights",
        ),
        pytest.param(
            f"  one:\n    slice: [0, 0.5]\n{TWO}",
            "2:5 HR117 experiment 'one' has a slice, but of no layer; add layer: NAME, or remove slice",
            id="a slice of no layer",
        ),
        pytest.param(
            f"  one:\n    layer: x\n    slice: [0.5, 0.5]\n{TWO}",
            "3:5 HR117 experiment 'one' has the slice [0.5, 0.5], which is empty; write [from, to]: [0, 0.5]",
            id="an empty slice",
        ),
        pytest.param(
            f"  holdout:\n{TWO}",
            "1:3 HR117 experiment 'holdout' has the name of the holdout; choose another name",
            id="the name of the holdout",
        ),
        pytest.param(
            f"  one:\n    layer: x\n    slice: [0, 0.6]\n{TWO}  two:\n    layer: x\n    slice: [0.5, 1]\n{TWO}",
            "7:12 HR117 experiments 'one' and 'two' have slices of layer 'x' that overlap: [0, 0.6] and [0.5, 1]; "
            "move one of them; [0, 0.5] and [0.5, 1] only touch",
            id="slices that overlap",
        ),
        pytest.param(
            f"  one:\n    layer: x\n    slice: [0, 0.5]\n{TWO}  two:\n    layer: x\n{TWO}",
            "6:12 HR117 experiment 'two' shares layer 'x' and does not say which part of it is its own; "
            "add slice: [0, 0.5]",
            id="no slice",
        ),
        pytest.param(
            f"  one:\n{SETS_ROUTE}  two:\n{SETS_ROUTE}",
            "4:33 HR117 experiments 'one' and 'two' both set route, and a unit may meet both; "
            "give them the same layer, and a slice each",
            id="rivals",
        ),
        pytest.param(
            f"  one:\n    layer: x\n{SETS_ROUTE}  two:\n    layer: y\n{SETS_ROUTE}",
            "6:33 HR117 experiments 'one' and 'two' both set route, and a unit may meet both; "
            "give them the same layer, and a slice each",
            id="rivals in two layers",
        ),
        pytest.param(
            f"  one:\n    segment: value.country = 'nl'\n{TWO}",
            "2:14 HR110 \"value.country = 'nl'\" is not CEL: 1:15: Syntax error: token recognition error at: '= '; "
            "write one like value.country == 'nl'",
            id="a segment that is not CEL",
        ),
        pytest.param(
            f"  one:\n    segment: valu.country == 'nl'\n{TWO}",
            "2:14 HR110 \"valu.country == 'nl'\" names 'valu', which no record has; did you mean 'value'?",
            id="a segment about nothing",
        ),
        pytest.param(
            "  one:\n    variants: {a: {}, b: {set: {models: {exprt: lexicon}}}}\n",
            "2:42 HR104 variant 'b' of experiment 'one' sets model 'exprt', which the file does not have; "
            "did you mean 'expert'?",
            id="a model that there is not",
        ),
        pytest.param(
            f"  one:\n{TWO}    metrics: {{accuracy: {{goal: up}}}}\n",
            "3:5 HR700 `metrics:` of experiment 'one' is not built yet; remove it from the file",
            id="metrics",
        ),
    ],
)
@pytest.mark.provokes("HR700")
def test_what_cannot_run_is_refused_at_its_place(tmp_path: Path, body: str, found: str) -> None:
    assert problems(tmp_path, body) == [found]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(WHOLE, id="whole"),
        pytest.param(f"  one:\n    layer: x\n{TWO}", id="alone in its layer"),
        pytest.param(
            f"  one:\n    layer: x\n    slice: [0, 0.5]\n{SETS_ROUTE}"
            f"  two:\n    layer: x\n    slice: [0.5, 1]\n{SETS_ROUTE}",
            id="rivals that share a layer",
        ),
        pytest.param(
            "  one:\n    variants: {a: {}, b: {set: {models: {quick: lexicon}}}}\n"
            "  two:\n    variants: {a: {}, b: {set: {models: {expert: lexicon}}}}\n",
            id="other models",
        ),
        pytest.param("  one: {variants: {a: {weight: 0}, b: {}}}\n", id="a weight of 0"),
    ],
)
def test_what_can_run_is_not_refused(tmp_path: Path, body: str) -> None:
    assert problems(tmp_path, body) == []


@pytest.mark.parametrize(
    ("body", "where"),
    [(f"  one:\n{TWO}", "0:1"), (f"  one:\n{TWO}holdout: 0.1\n", "0:1"), ("  {}\nholdout: 0.1\n", "2:1")],
)
def test_experiments_need_units(tmp_path: Path, body: str, where: str) -> None:
    head = HEAD.replace(", unit: user", "")
    assert problems(tmp_path, body, head) == [
        f"{where} HR117 experiments are about units, and input does not say where they are; "
        "add unit: PATH to input, such as unit: user"
    ]


def test_an_experiment_with_a_segment_that_is_refused_can_still_be_looked_at(tmp_path: Path) -> None:
    assert read(tmp_path, f"{HEAD}  one:\n    segment: '=='\n{TWO}")["one"].segment is None
    assert read(tmp_path, f"{HEAD}  one: {{variants: {{a: {{weight: 0}}, b: {{weight: 0}}}}}}\n")["one"].weights == (
        0.5,
        0.5,
    )


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (
            "  one: {}\n",
            "1:8 HR105 experiments.one needs 'variants'; add variants: … (two or more, by names of your "
            "own; the first is the control)",
        ),
        (
            "  One: {variants: {a: {}, b: {}}}\n",
            "1:3 HR106 experiments.One: 'One' is not allowed; it must match ^[a-z][a-z0-9-]{0,39}$",
        ),
        (
            "  one: {variants: {a: {}, b: {set: {rout: x}}}}\n",
            "1:37 HR104 unknown key 'rout' in experiments.one.variants.b.set; did you mean 'route'?",
        ),
        (
            "  variants: {variants: {slice: {}, set: {st: 1}}}\n",
            "1:42 HR104 unknown key 'st' in experiments.variants.variants.set; did you mean 'set'?",
        ),
        (
            "  one: {variants: {a: {}, b: {set: {route: }}}}\n",
            "1:43 HR106 experiments.one.variants.b.set.route: nothing "
            "is set here; write what the variant sets, or remove the key",
        ),
        (
            "  one: {variants: {a: {}, b: {weight: -1}}}\n",
            "1:39 HR106 experiments.one.variants.b.weight: -1 is not allowed; write at least 0.0",
        ),
        (
            "  one: {coverage: 1.5, variants: {a: {}, b: {}}}\n",
            "1:19 HR106 experiments.one.coverage: 1.5 is not allowed; write at most 1.0",
        ),
        (
            "  one: {layer: x, slice: [0, 2], variants: {a: {}, b: {}}}\n",
            "1:30 HR106 experiments.one.slice[1]: 2 is not allowed; write at most 1.0",
        ),
        ("  {}\nholdout: 2\n", "2:10 HR106 holdout: 2 is not allowed; write at most 1.0"),
    ],
)
def test_a_key_or_value_that_makes_no_sense_is_refused_at_its_place(tmp_path: Path, body: str, found: str) -> None:
    assert invalid(tmp_path, body) == [found]
