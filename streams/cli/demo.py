"""`headrace demo`: see real reviews flow through a real Kafka and a real transformer."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from headrace.streams.cli.output import say

if TYPE_CHECKING:
    from headrace.streams.demo.kept import Prepared
    from headrace.streams.demo.scene import Bad, Scene
    from headrace.streams.demo.tally import Tally

__all__ = ["demo"]


@click.command()
@click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default="demo",
    show_default=True,
    help="Where the demo writes its pipeline file and records.",
)
@click.option(
    "--shards",
    type=click.IntRange(1, 4),
    default=1,
    show_default=True,
    help="Cut the transformer into so many parts, each in a process of its own, and split the users in two.",
)
@click.pass_context
def demo(ctx: click.Context, folder: Path, shards: int) -> None:
    """Train a small model, run a pipeline with it, publish 2,000 reviews, and say what came out.

    Everything it does is a command that you can type; the first run downloads 107 MB and trains for about a minute.
    """
    from headrace.streams.demo import play
    from headrace.streams.demo.scene import bad_records, write_scene
    from headrace.streams.demo.tally import Tally

    begun = time.monotonic()
    say("1  a Kafka of your own")
    say(f"  {play.ensure_broker(os.environ)}")
    prepared, reference = _model(shards)
    run = f"/demo/{time.time_ns() // 1_000_000}"
    bad = bad_records(run)
    scene = write_scene(folder, reference, prepared.held_out, bad, with_experiment=shards > 1)
    say(f"3  a pipeline: {scene.pipeline}")
    say(f"  {play.command('check', scene.pipeline).strip()}")
    tally = Tally(prepared.held_out, len(bad), run)
    status = _play(scene, tally, run)
    is_kept = _told(tally, bad, prepared, status)
    say(f"done in {time.monotonic() - begun:.0f} s. Kafka is still up; try next:")
    _say_next(scene)
    ctx.exit(0 if is_kept else 1)


def _model(shards: int) -> tuple[Prepared, str]:
    """Prepare and register the model; return what was prepared and the model's reference."""
    from headrace.streams.demo.play import import_model, shard_model
    from headrace.streams.demo.prepare import prepare
    from headrace.streams.demo.stage import preparing
    from headrace.streams.home import cache

    say("2  a model: MiniLM, frozen, with a head trained on movie reviews")
    with preparing() as progress:
        prepared = prepare(cache() / "demo", progress)
    reference = import_model(prepared.model)
    say(f"  {reference} is in the registry")
    if shards > 1:
        reference = shard_model(reference, shards)
        say(f"  {reference} is the same in {shards} parts")
    return prepared, reference


def _play(scene: Scene, tally: Tally, run: str) -> int:
    """Run the pipeline, publish, show what comes out, stop; return the pipeline's exit status."""
    from headrace.streams.demo import play
    from headrace.streams.demo.stage import showing

    with play.following(scene) as results, play.running(scene) as pipeline:
        say(f"4  it runs; publishing {tally.expected:,} reviews and {tally.expected_dead} bad records")
        play.publish(scene, run)
        with showing(tally) as show:
            play.collect(results, tally, show)
        status = pipeline.stop()
        play.drain(results, tally)
    return status


def _told(tally: Tally, bad: Sequence[Bad], prepared: Prepared, status: int) -> bool:
    """Print the summary and the promises; return whether all of them were kept."""
    from headrace.streams.demo.summary import checks, summary

    say("5  what came out")
    accuracy = prepared.evaluation.accuracy
    for line in summary(tally, bad, {"quick": accuracy["lexicon"], "expert": accuracy["transformer"]}):
        click.echo(line)
    kept = checks(tally, bad, accuracy["lexicon"], status)
    for check in kept:
        click.echo(f"{'ok  ' if check.is_kept else 'FAIL'} {check.promise}")
    return all(check.is_kept for check in kept)


def _say_next(scene: Scene) -> None:
    from headrace.streams.cli.invocation import command_line

    for words in (("plan", scene.pipeline), ("tail", scene.pipeline, "--dead", "--from-start"), ("broker", "stop")):
        say(f"  {command_line(*words)}")
