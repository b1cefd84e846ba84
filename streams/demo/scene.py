"""What the demo puts where the user sees it: a pipeline file, the reviews, and records that are bad on purpose."""

from __future__ import annotations

import json
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from headrace.streams.demo.evaluate import ACCEPT
from headrace.streams.demo.reviews import Review

__all__ = ["BAD", "TOMBSTONE", "Bad", "Scene", "write_scene"]

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

postprocess: [{{labels: {{threshold: 0.6, otherwise: unsure}}}}]

output:
  - topic: {{name: reviews.scored}}
  - topic: {{name: reviews.alerts, when: "output.label == 'negative' && output.score > 0.9"}}
"""

TOMBSTONE = "TOMBSTONE"
"""The line of the bad file that is published as a message without a value."""


class Bad(NamedTuple):
    """A record that is bad on purpose: what is wrong with it, its line, and the code of its dead letter."""

    what: str
    line: bytes
    code: str


BAD = (
    Bad("broken JSON", b'{"user": "mallory", "body": "cut off in the mid', "HR511"),
    Bad("a JSON list", b'["user", "mallory", "body", "a list"]', "HR506"),
    Bad("no text", b'{"user": "mallory", "stars": 4}', "HR504"),
    Bad("tombstone", TOMBSTONE.encode(), "HR502"),
    Bad("binary noise", bytes(byte for byte in range(128, 256)), "HR510"),
    Bad("over max_bytes", b'{"user": "mallory", "body": "' + b"far too long " * 6000 + b'"}', "HR503"),
)


class Scene(NamedTuple):
    """The files that the demo wrote."""

    pipeline: Path
    reviews: Path
    bad: Path


def write_scene(folder: Path, model: str, reviews: Sequence[Review]) -> Scene:
    """Write the files; they are the demo's own, so that an earlier run's are replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    scene = Scene(folder / "pipeline.yaml", folder / "reviews.jsonl", folder / "bad-records.jsonl")
    scene.pipeline.write_text(PIPELINE.format(model=model, accept=ACCEPT))
    lines = (json.dumps({"id": each.id, "user": _user(each), "body": each.text}) for each in reviews)
    scene.reviews.write_text("".join(f"{line}\n" for line in lines))
    scene.bad.write_bytes(b"".join(bad.line + b"\n" for bad in BAD))
    return scene


def _user(review: Review) -> str:
    """Return who wrote it: nobody knows, so forty users share the reviews, always in the same way."""
    return f"user-{int(sha256(review.id.encode()).hexdigest(), 16) % 40 + 1:02d}"
