"""From a pipeline file to its plan, or to everything that is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import binary, integers, lists, sampled_from, text, tuples

from headrace.core.catalog import Catalog
from headrace.core.errors import HeadraceError, ProblemsError
from headrace.core.plan.compile import compile_file
from headrace.core.plan.plan import Plan

Compile = Callable[..., Plan]
Problems = Callable[..., list[str]]

WHOLE = """\
headrace: 1
pipeline: reviews
input: {topic: reviews, text: body.text, unit: user, start: latest, on_gap: continue, max_bytes: 64KiB}
preprocess: [normalise, {normalise: {form: NFKC}}]
models:
  quick: lexicon
  expert: {stored: {model: reviews}}
route: {cascade: {order: [quick, expert], accept: 0.9}}
postprocess: [{labels: {threshold: 0.6, otherwise: no}}]
output:
  - topic: {name: reviews.scored}
  - topic: {name: reviews.alerts, when: "output.label == 'negative'", partitions: 2}
delivery: {guarantee: at_least_once, commit_every: 1s, retries: 5, deadline: 2m}
batch: {max_records: 10, max_wait: 20ms, max_tokens: 512}
topics: {create: false, partitions: 4, replication: 1}
broker: {bootstrap: "${BROKER}"}
registry: models
"""


def swapped(whole: str, old: str, new: str) -> str:
    assert old in whole
    return whole.replace(old, new, 1)


# -- what a right file gives


def test_a_whole_file_compiles_to_everything_it_says(compiled: Compile, tmp_path: Path) -> None:
    plan = compiled(WHOLE, environ={"BROKER": "kafka:9092"})
    assert (plan.pipeline, plan.broker.bootstrap) == ("reviews", "kafka:9092")
    assert (plan.input.topic, plan.input.codec.name, plan.input.start) == ("reviews", "json", "latest")
    assert (plan.input.intake.text, plan.input.intake.unit) == (("body", "text"), ("user",))
    assert (plan.input.intake.max_bytes, plan.input.intake.deadline_ms) == (65_536, 120_000)
    assert [step.name for step in plan.preprocess] == ["normalise", "normalise"]
    assert list(plan.models) == ["quick", "expert"]
    assert plan.models["expert"].facts.version == "reviews@1"
    assert plan.route is not None
    assert plan.route.name == "cascade"
    assert [output.name for output in plan.outputs] == ["reviews.scored", "reviews.alerts"]
    assert plan.outputs[0].when is None
    assert plan.outputs[1].when is not None
    assert plan.batch.max_wait == 20
    assert plan.registry == str(tmp_path / "models")


def test_a_plan_has_the_three_stages_with_their_consumer_groups(compiled: Compile) -> None:
    plan = compiled(WHOLE, environ={"BROKER": "kafka:9092"})
    assert [(stage.name, stage.consumer_group, stage.steps) for stage in plan.stages] == [
        ("ingress", "reviews.ingress", ("json", "normalise", "normalise", "cascade")),
        ("quick", "reviews.quick", ("lexicon",)),
        ("expert", "reviews.expert", ("stored",)),
        ("egress", "reviews.egress", ("labels", "topic", "topic")),
    ]


def test_what_a_file_leaves_out_has_a_default(compiled: Compile, minimal: str) -> None:
    plan = compiled(minimal)
    assert (plan.delivery.commit_every, plan.batch.max_wait, plan.topic_rules.create) == (100, 5, True)
    assert (plan.input.start, plan.input.intake.max_bytes, plan.registry) == ("earliest", 1 << 20, "/models")
    assert plan.route is not None
    assert (plan.route.name, plan.route.options.model_dump()) == ("single", {"model": "quick"})


def test_no_is_text_as_yaml_1_2_has_it(compiled: Compile) -> None:
    plan = compiled(WHOLE, environ={"BROKER": "kafka:9092"})
    assert plan.postprocess[0].options.model_dump()["otherwise"] == "no"


def test_a_pipeline_without_models_needs_neither_route_nor_text(compiled: Compile) -> None:
    plan = compiled("headrace: 1\npipeline: copy\ninput: {topic: a}\noutput: [{topic: {name: b}}]\n")
    assert (plan.route, list(plan.models)) == (None, [])


def test_a_step_is_written_as_a_name_or_one_key_everywhere(compiled: Compile, minimal: str) -> None:
    plain = compiled(minimal + "preprocess: [normalise]\n")
    for written in ("[{normalise: {}}]", "[{normalise: }]", "[{normalise: {form: NFC}}]"):
        assert compiled(minimal + f"preprocess: {written}\n").hash == plain.hash


def test_a_number_may_come_from_the_environment(compiled: Compile, minimal: str) -> None:
    plan = compiled(
        minimal + 'topics: {partitions: "${PARTITIONS}", create: "${CREATE}"}\n', {"PARTITIONS": "3", "CREATE": "false"}
    )
    assert (plan.topic_rules.partitions, plan.topic_rules.create) == (3, False)


def test_an_anchor_serves_two_places(compiled: Compile, minimal: str) -> None:
    text = swapped(minimal, "name: reviews.scored", 'name: reviews.scored, when: &hot "output.score > 0.5"')
    plan = compiled(text + "  - topic: {name: reviews.hot, when: *hot}\n")
    assert [output.when and output.when.source for output in plan.outputs] == ["output.score > 0.5"] * 2


@pytest.mark.parametrize("location", ["s3://bucket/models", "memory://models"])
def test_a_registry_url_is_kept_as_it_is(compiled: Compile, minimal: str, location: str) -> None:
    assert compiled(minimal + f"registry: {location}\n").registry == location


def test_a_plan_is_immutable(compiled: Compile, minimal: str) -> None:
    plan = compiled(minimal)
    with pytest.raises(AttributeError):
        plan.pipeline = "other"  # type: ignore[misc]


# -- everything that can be wrong

# What to swap in the minimal file -> for what, and below it the line that this must give.
MISTAKES = r"""
text: body}  ->  text: body
    4:7 HR101 not YAML: expected ',' or '}'
pipeline: reviews  ->  pipeline: reviews\npipeline: again
    3:1 HR102 key 'pipeline' stands here and on line 2; remove one of them
pipeline: reviews  ->  pipeline: reviews\nbacth: {}
    3:1 HR104 unknown key 'bacth'; did you mean 'batch'?
text: body  ->  txt: body
    3:25 HR104 unknown key 'txt' in input; did you mean 'text'?
name: reviews.scored  ->  name: reviews.scored, wen: x
    7:35 HR104 unknown key 'wen' in output[0].topic; did you mean 'when'?
text: body  ->  zzz: body
    3:25 HR104 unknown key 'zzz' in input; known: codec, format, max_batch_bytes, max_bytes, on_gap, start, text, topic
headrace: 1\n  ->
    1:1 HR105 the file needs 'headrace'; add headrace: … (version of this format)
{topic: reviews, text  ->  {text
    3:8 HR105 input needs 'topic'; add topic: … (topic that publishers write to)
{name: reviews.scored}  ->  {}
    7:12 HR105 output[0].topic needs 'name'; add name: …
headrace: 1  ->  headrace: 2
    1:11 HR106 headrace: 2 is not allowed; write 1
topic: reviews,  ->  topic: 5,
    3:16 HR106 input.topic: 5 is not allowed; write text; quote it if it looks like a number
topic: reviews,  ->  topic: a b,
    3:16 HR106 input.topic: 'a b' is not allowed; it must match ^[a-zA-Z0-9._-]{1,249}$
pipeline: reviews  ->  pipeline: Reviews
    2:11 HR106 pipeline: 'Reviews' is not allowed; it must match ^[a-z][a-z0-9-]{0,39}$
quick:  ->  Quick:
    5:3 HR106 models.Quick: 'Quick' is not allowed; it must match ^[a-z][a-z0-9-]{0,39}$
quick:  ->  egress:
    5:3 HR106 a model cannot be named 'egress'; choose another name
text: body  ->  text: a..b
    3:31 HR106 input.text: 'a..b' is not a dotted path; write keys with dots
text: body  ->  text: body, start: yesterday
    3:44 HR106 input.start: 'yesterday' is no starting point; write earliest, latest
text: body  ->  text: body, max_bytes: big
    3:48 HR106 input.max_bytes: 'big' is not a size; write bytes, or a unit such as 64KiB
models:\n  ->  batch: {max_wait: 5}\nmodels:\n
    4:19 HR106 batch.max_wait: 5 is not a duration; write it with a unit
models:\n  ->  batch: {max_records: 0}\nmodels:\n
    4:22 HR106 batch.max_records: 0 is not allowed; write at least 1
models:\n  ->  batch: [64]\nmodels:\n
    4:8 HR106 batch: [64] is not allowed; write keys and values
models:\n  quick: lexicon  ->  models: [lexicon]
    4:9 HR106 models: ['lexicon'] is not allowed; write keys and values
output:\n  - topic: {name: reviews.scored}  ->  output: []
    6:9 HR106 output: [] is not allowed; write at least 1
text: body  ->  format: text, codec: text
    3:25 HR106 input has both codec and format; keep one
text: body  ->  text: body, format: 1
    3:45 HR106 input.format: 1 is not allowed; write text
quick: lexicon  ->  quick: lexikon
    5:10 HR108 no model step named 'lexikon'; did you mean 'lexicon'?
- topic:  ->  - kafka:
    7:5 HR108 no sink step named 'kafka'; installed: topic
text: body  ->  text: body, codec: yson
    3:44 HR108 no codec step named 'yson'; did you mean 'json'?
text: body  ->  text: body, format: avro
    3:45 HR108 no codec step named 'avro'; installed: cloudevents, json, text
text: body  ->  text: "${WHERE}"
    3:31 HR109 environment variable WHERE is not set; set WHERE
name: reviews.scored  ->  name: reviews.scored, when: outptu.score > 1
    7:41 HR110 'outptu.score > 1' names 'outptu', which no result has; did you mean 'output'?
name: reviews.scored  ->  name: reviews.scored, when: output >
    7:41 HR110 'output >' is not CEL: 1:9: Syntax error
quick: lexicon  ->  quick: lexicon\n  slow: lexicon
    4:1 HR111 several models and no route; add route:
models:\n  ->  route: {cascade: {order: [quick, qick], accept: 0.9}}\nmodels:\n
    4:34 HR111 the route names model 'qick', which the file does not have; did you mean 'quick'?
models:\n  quick: lexicon\n  ->  route: {single: {model: quick}}\n
    4:25 HR111 the route names model 'quick', which the file does not have; add it under models:
reviews.scored  ->  reviews
    7:5 HR112 topic 'reviews' is the input already; name another topic
reviews.scored}  ->  reviews.scored}\n  - topic: {name: reviews.scored}
    8:5 HR112 topic 'reviews.scored' is an output already; name another topic
reviews.scored  ->  reviews.dead
    7:5 HR112 topic 'reviews.dead' is one that Headrace uses for itself; name another
topic: reviews,  ->  topic: reviews.main.heartbeat,
    3:16 HR112 topic 'reviews.main.heartbeat' is one that Headrace uses
reviews.scored  ->  'a b'
    7:5 HR112 topic 'a b' is not a name that Kafka takes; use letters
topic: reviews,  ->  topic: ..,
    3:16 HR112 topic '..' is not a name that Kafka takes; use letters
quick: lexicon  ->  quick: [lexicon]
    5:10 HR113 this is not a step; write its name, or one key with its options
- topic: {name: reviews.scored}  ->  - {topic: {name: a}, when: x}
    7:5 HR113 this is not a step; write its name
models:\n  ->  preprocess: [{normalise: 5}]\nmodels:\n
    4:14 HR113 this is not a step; write its name
{topic: reviews, text: body}  ->  {topic: reviews}
    3:1 HR116 the models need a text, and input does not say where it is; add text
text: body  ->  text: body, format: text
    3:25 HR116 the whole message is text, so there is no path into it; remove
lexicon  ->  {stored: {model: lost}}
    5:11 HR302 no model 'lost' in /models; import it
lexicon  ->  explosive
    5:10 HR604 model 'explosive' could not be made: RuntimeError: no room
models:\n  ->  postprocess: [explosive]\nmodels:\n
    4:15 HR604 postprocess 'explosive' could not be made
models:\n  ->  groups: {a: {}}\nmodels:\n
    4:10 HR120 group 'a' has no stages; name models or stages in it
models:\n  ->  groups: {a: {models: [quik]}}\nmodels:\n
    4:23 HR120 group 'a' names 'quik', which is none of the models; did you mean 'quick'?
models:\n  ->  groups: {a: {models: [quick]}, b: {stages: [quick]}}\nmodels:\n
    4:45 HR120 'quick' is in group 'a' already; name it in one group
models:\n  ->  delivery: {guarantee: exactly_once, commit_every: 6s}\nmodels:\n
    4:51 HR106 with guarantee: exactly_once a commit cannot wait so long, since no result is seen before it; write
models:\n  ->  delivery: {slow: retry_topic, order: key}\nmodels:\n
    4:12 HR106 with order: key no record may overtake another of its key, as they do while one waits aside; write
models:\n  ->  delivery: {on_failure: fallback}\nmodels:\n
    4:12 HR105 on_failure: fallback needs the output that records get; add one, such as fallback: {label: unknown
models:\n  ->  delivery: {fallback: {label: unknown}}\nmodels:\n
    4:12 HR106 there is a fallback that nothing uses; add on_failure: fallback, or remove it
"""


def mistakes() -> list[Any]:
    lines = MISTAKES.strip().splitlines()
    return [mistake(swap, said.strip()) for swap, said in zip(lines[::2], lines[1::2], strict=True)]


def mistake(swap: str, said: str) -> Any:
    old, new = (part.strip().replace(r"\n", "\n") for part in swap.split("->"))
    return pytest.param(old, new, f"p.yaml:{said}", id=said[:60])


@pytest.mark.provokes("HR101")
@pytest.mark.provokes("HR102")
@pytest.mark.provokes("HR104")
@pytest.mark.provokes("HR105")
@pytest.mark.provokes("HR106")
@pytest.mark.provokes("HR108")
@pytest.mark.provokes("HR109")
@pytest.mark.provokes("HR110")
@pytest.mark.provokes("HR111")
@pytest.mark.provokes("HR112")
@pytest.mark.provokes("HR113")
@pytest.mark.provokes("HR116")
@pytest.mark.provokes("HR120")
@pytest.mark.provokes("HR604")
@pytest.mark.parametrize(("old", "new", "line"), mistakes())
def test_a_mistake_is_said_at_its_place_with_code_and_mend(
    problems: Problems, minimal: str, old: str, new: str, line: str
) -> None:
    found = problems(swapped(minimal, old, new))
    assert len(found) == 1, found
    assert found[0].startswith(line)
    assert "; " in found[0]


def test_the_marks_above_are_the_codes_of_the_table() -> None:
    marks = test_a_mistake_is_said_at_its_place_with_code_and_mend.pytestmark  # type: ignore[attr-defined]
    marked = {mark.args[0] for mark in marks if mark.name == "provokes"}
    assert {row.values[2].split(" ")[1] for row in mistakes()} == marked | {"HR302"}, "HR302 is the registry's"


@pytest.mark.provokes("HR103")
def test_a_file_that_is_not_there_is_named(catalog: Catalog, tmp_path: Path) -> None:
    with pytest.raises(HeadraceError, match=r"HR103 cannot read .*No such file"):
        compile_file(tmp_path / "none.yaml", registry="/models", catalog=catalog, environ={})


def test_everything_wrong_is_said_at_once_in_the_order_of_lines(problems: Problems) -> None:
    text = """\
headrace: 1
pipeline: Reviews
input: {topic: reviews, txt: body}
models:
  quick: lexikon
  expert: {stored: {model: lost, hsah: 1}}
route: {cascade: {order: [quick, exprt]}}
postprocess: [{labels: {threshold: 7}}]
output:
  - topic: {name: reviews.scored, when: "outptu == 1"}
  - topik: {name: reviews.alerts}

delivery: {retries: "${RETRIES}"}
surprise: 1
"""
    assert [line.split(" ")[:2] for line in problems(text)] == [
        ["p.yaml:2:11", "HR106"],
        ["p.yaml:3:25", "HR104"],
        ["p.yaml:5:10", "HR108"],
        ["p.yaml:6:34", "HR104"],
        ["p.yaml:7:18", "HR105"],
        ["p.yaml:8:36", "HR106"],
        ["p.yaml:10:41", "HR110"],
        ["p.yaml:11:5", "HR108"],
        ["p.yaml:13:21", "HR109"],
        ["p.yaml:14:1", "HR104"],
    ]


def test_a_mistake_behind_an_alias_is_said_once(problems: Problems, minimal: str) -> None:
    text = swapped(minimal, "output:\n", "preprocess:\n  - &n {normalise: {fom: NFC}}\n  - *n\n  - *n\noutput:\n")
    found = problems(text)
    assert found == ["p.yaml:7:21 HR104 unknown key 'fom' in preprocess[0].normalise; did you mean 'form'?"]


@pytest.mark.parametrize("text", ["", "~", "hello", "[a, b]", "5", "# nothing\n"])
def test_a_file_without_a_pipeline_says_how_to_begin(problems: Problems, text: str) -> None:
    assert problems(text) == [
        "p.yaml:1:1 HR106 the file holds no pipeline; begin with `headrace: 1`, or use `headrace init DIR`"
    ]


@pytest.mark.provokes("HR601")
def test_a_step_whose_plugin_is_broken_is_named_with_what_it_raised(
    catalog: Catalog, problems: Problems, minimal: str
) -> None:
    catalog.load([EntryPoint("shout", "headrace_no_such_module", "headrace")])
    found = problems(minimal + "preprocess: [shout]\n")
    assert found[0].startswith("p.yaml:8:14 HR601 plugin 'shout' could not be loaded: ModuleNotFoundError")
    assert not problems(minimal)


@pytest.mark.provokes("HR602")
def test_a_step_that_two_plugins_bring_is_refused_where_it_is_used(
    catalog: Catalog, problems: Problems, minimal: str
) -> None:
    catalog.preprocess("normalise", lambda record: record)
    found = problems(minimal + "preprocess: [normalise]\n")
    assert found[0].startswith("p.yaml:8:14 HR602 preprocess 'normalise' is registered by")


# -- no text, however broken


COMPLETE = WHOLE.replace("${BROKER}", "kafka:9092")
SIGNS = ["{", "}", "[", "]", ":", ", ", "- ", "'", '"', "? ", "|\n", ">\n", "%Y\n", "---\n", "\t", "#", "[[[[[[[[[["]
MEANINGS = ["&a ", "*a", "&a [*a, *a]", "!!x ", "<<: *a\n", "${X}", "$", "~", "no", "null", ".nan", "-.inf", "1e999"]
EXTREMES = ["9" * 5000, "9" * 400 + "s", "\x00", "\x1b", '"\\ud800"', "\u2028"]
FRAGMENTS = sampled_from(SIGNS + MEANINGS + EXTREMES)
EDITS = lists(tuples(integers(0, len(COMPLETE)), integers(0, 12), FRAGMENTS), min_size=1, max_size=6)
UNHURRIED = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@UNHURRIED
@given(edits=EDITS)
def test_no_edit_of_a_right_file_gives_anything_but_a_plan_or_our_errors(
    edits: list[tuple[int, int, str]], compiled: Compile
) -> None:
    text = COMPLETE
    for start, length, fragment in edits:
        text = text[:start] + fragment + text[start + length :]
    _compiles_or_says_why(compiled, text)


@UNHURRIED
@given(content=binary(max_size=200))
def test_no_bytes_give_anything_but_our_errors(content: bytes, compiled: Compile) -> None:
    _compiles_or_says_why(compiled, content)


@UNHURRIED
@given(value=text(max_size=50), line=sampled_from([line for line in COMPLETE.splitlines() if ": " in line]))
def test_no_value_of_a_key_gives_anything_but_our_errors(value: str, line: str, compiled: Compile) -> None:
    _compiles_or_says_why(compiled, COMPLETE.replace(line, f"{line.partition(':')[0]}: {value}"))


def _compiles_or_says_why(compiled: Compile, content: str | bytes) -> None:
    for error in _errors(compiled, content):
        assert error.code
        assert error.mend
        assert error.place or error.code == "HR103"


def _errors(compiled: Compile, content: str | bytes) -> Sequence[HeadraceError]:
    try:
        compiled(content)
    except ProblemsError as error:
        return error.problems
    except HeadraceError as error:
        return [error]
    return []
