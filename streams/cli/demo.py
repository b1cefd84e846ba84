"""`headrace demo`: see real reviews flow through a real Kafka and a real transformer."""

from __future__ import annotations

import time
from pathlib import Path

import click

from headrace.streams.cli.output import say

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
@click.pass_context
def demo(ctx: click.Context, folder: Path) -> None:
    """Train a small model, run a pipeline with it, publish 2,000 reviews, and say what came out.

    Everything it does is a command that you can type; the first run downloads 107 MB and trains for about a minute.
    """
    from headrace.streams.cli.invocation import command_line
    from headrace.streams.demo import play
    from headrace.streams.demo.prepare import prepare
    from headrace.streams.demo.scene import bad_records, write_scene
    from headrace.streams.demo.stage import preparing, showing
    from headrace.streams.demo.summary import checks, summary
    from headrace.streams.demo.tally import Tally
    from headrace.streams.home import cache

    begun = time.monotonic()
    say("1  a Kafka of your own")
    say(f"  {play.command('broker', 'start').strip()}")
    say("2  a model: MiniLM, frozen, with a head trained on movie reviews")
    with preparing() as progress:
        prepared = prepare(cache() / "demo", progress)
    reference = play.import_model(prepared.model)
    run = f"/demo/{time.time_ns() // 1_000_000}"
    bad = bad_records(run)
    scene = write_scene(folder, reference, prepared.held_out, bad)
    say(f"  {reference} is in the registry")
    say(f"3  a pipeline: {scene.pipeline}")
    say(f"  {play.command('check', scene.pipeline).strip()}")
    tally = Tally(prepared.held_out, len(bad), run)
    with play.following(scene) as results, play.running(scene) as pipeline:
        say(f"4  it runs; publishing {len(prepared.held_out):,} reviews and {len(bad)} bad records")
        play.publish(scene, run)
        with showing(tally) as show:
            play.collect(results, tally, show)
        status = pipeline.stop()
    say("5  what came out")
    accuracy = prepared.evaluation.accuracy
    for line in summary(tally, bad, {"quick": accuracy["lexicon"], "expert": accuracy["transformer"]}):
        click.echo(line)
    kept = checks(tally, bad, accuracy["lexicon"], status)
    for check in kept:
        click.echo(f"{'ok  ' if check.is_kept else 'FAIL'} {check.promise}")
    say(f"done in {time.monotonic() - begun:.0f} s. Kafka is still up; try next:")
    for words in (("plan", scene.pipeline), ("tail", scene.pipeline, "--dead", "--from-start"), ("broker", "stop")):
        say(f"  {command_line(*words)}")
    ctx.exit(0 if all(check.is_kept for check in kept) else 1)
