"""What the demo puts where the user sees it: a pipeline file, the reviews, and records that are bad on purpose."""

from __future__ import annotations

import json
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from headrace.streams.demo.evaluate import ACCEPT
from headrace.streams.demo.reviews import Review

__all__ = ["Bad", "Scene", "bad_records", "tombstone", "write_scene"]

PIPELINE = """\
# The demo's pipeline: movie reviews in, labelled reviews out. `headrace demo` wrote this file; change it and run it:
# `headrace check`, `headrace plan` and `headrace run` take it as any other.
headrace: 1
pipeline: reviews

# Messages are JSON objects: {{"id": "2069", "user": "user-17", "body": "A film that ..."}}
input: {{topic: reviews, text: body, unit: user, max_bytes: 64KiB}}

preprocess: [normalise]

# A lexicon answers in a tenth of a millisecond. What it is not sure of goes on to a transformer.
models:
  quick: lexicon
  expert: {{onnx: {{model: {model}}}}}
route: {{cascade: {{order: [quick, expert], accept: {accept}}}}}
{experiments}
postprocess: [{{labels: {{threshold: 0.6, otherwise: unsure}}}}]

output:
  - topic: {{name: reviews.scored}}
  - topic: {{name: reviews.alerts, when: "output.label == 'negative' && output.score > 0.9"}}
"""

EXPERIMENT = """
# Half of the users ask the transformer at once. Each keeps its variant, and every result says which one it met.
experiments:
  expert-first:
    layer: routing
    variants:
      control: {weight: 1}
      treatment: {weight: 1, set: {route: {single: {model: expert}}}}

# The transformer is cut into parts; each of them runs in a process of its own, and so does the rest.
"""


class Bad(NamedTuple):
    """A record that is bad on purpose: what is wrong with it, its line, and the code of its dead letter."""

    what: str
    line: bytes
    code: str


def bad_records(run: str) -> tuple[Bad, ...]:
    """Return the bad records of a run. Each carries the run's name, so that its dead letter can be told from others."""
    mark = run.encode()
    return (
        Bad("broken JSON", b'{"user": "mallory", "body": "cut off in the mid ' + mark, "HR511"),
        Bad("a JSON list", b'["mallory", "a list", "' + mark + b'"]', "HR506"),
        Bad("no text", b'{"user": "mallory", "stars": 4, "run": "' + mark + b'"}', "HR504"),
        Bad("tombstone", tombstone(run).encode(), "HR502"),
        Bad("binary noise", bytes(byte for byte in range(128, 256)) + mark, "HR510"),
        Bad("over max_bytes", b'{"user": "mallory", "body": "' + b"far too long " * 6000 + mark + b'"}', "HR503"),
    )


def tombstone(run: str) -> str:
    """Return the line that is published as a key without a value."""
    return f"tombstone-{run}"


class Scene(NamedTuple):
    """The files that the demo wrote."""

    pipeline: Path
    reviews: Path
    bad: Path


def write_scene(
    folder: Path, model: str, reviews: Sequence[Review], bad: Sequence[Bad], *, with_experiment: bool = False
) -> Scene:
    """Write the files; they are the demo's own, so that an earlier run's are replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    scene = Scene(folder / "pipeline.yaml", folder / "reviews.jsonl", folder / "bad-records.jsonl")
    scene.pipeline.write_text(
        PIPELINE.format(model=model, accept=ACCEPT, experiments=EXPERIMENT if with_experiment else "")
    )
    lines = (json.dumps({"id": each.id, "user": _user(each), "body": each.text}) for each in reviews)
    scene.reviews.write_text("".join(f"{line}\n" for line in lines))
    scene.bad.write_bytes(b"".join(each.line + b"\n" for each in bad))
    return scene


def _user(review: Review) -> str:
    """Return who wrote it: nobody knows, so forty users share the reviews, always in the same way."""
    return f"user-{int(sha256(review.id.encode()).hexdigest(), 16) % 40 + 1:02d}"
