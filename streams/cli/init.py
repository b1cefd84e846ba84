"""`headrace init`: write a small pipeline that runs as it is."""

from __future__ import annotations

import re
from pathlib import Path

import click

from headrace.streams.cli.errors import WouldOverwriteError, WriteFailedError
from headrace.streams.cli.invocation import command_line
from headrace.streams.cli.output import printable

__all__ = ["init"]

PIPELINE = """\
# A pipeline: what comes in, what happens to it, where it goes.
# `headrace check` finds mistakes in this file, `headrace plan` shows what it means.
headrace: 1
pipeline: NAME

# Messages are JSON objects such as {"user": "ann", "text": "So good!"}; `text` and `unit` are paths into them.
input: {topic: NAME, text: text, unit: user}

# One Unicode form, no HTML, single spaces.
preprocess: [normalise]

# Judges a text by its words: nothing to download, nothing to train.
models:
  words: lexicon

# A result that the model is not sure of says so.
postprocess: [{labels: {threshold: 0.6, otherwise: unsure}}]

# Every result goes to the first topic; `when` selects those that also go to the second.
output:
  - topic: {name: NAME.scored}
  - topic: {name: NAME.alerts, when: "output.label == 'negative'"}

# Kafka is the one that HEADRACE_BROKER names, else one that Headrace starts on this machine. To name it here:
# broker: {bootstrap: "localhost:9092"}
"""

SAMPLE = """\
{"user": "ann", "text": "The bread is wonderful and the people behind the counter are kind."}
{"user": "ben", "text": "Waited an hour, then they told me it was sold out. Awful."}
{"user": "cem", "text": "It is a kettle. It boils water."}
{"user": "ann", "text": "Second visit, and I love this place even more!"}
{"user": "dora", "text": "The <b>worst</b> headphones I ever bought: broken after two days."}
{"user": "eve", "text": "Not bad at all, the soup was great."}
{"user": "finn", "text": "Delivered on Tuesday, as announced."}
{"user": "ben", "text": "They called, said sorry and sent a new one for free. Thank you, brilliant service!"}
{"user": "gita", "text": "The film is dull, the jokes are sad, and I want my evening back."}
{"user": "hugo", "text": "Happy with it so far \\ud83d\\ude42"}
"""


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@click.option("--force", is_flag=True, help="Overwrite the files if they are there.")
def init(folder: Path, force: bool) -> None:
    """Write DIR/pipeline.yaml, a small pipeline that runs as it is, and DIR/sample.jsonl, messages to try it with."""
    pipeline, sample = folder / "pipeline.yaml", folder / "sample.jsonl"
    if not force:
        _refuse_overwriting(pipeline, sample)
    _write(pipeline, PIPELINE.replace("NAME", _name(folder)))
    _write(sample, SAMPLE)
    for line in _next_steps(pipeline, sample):
        click.echo(printable(line))


def _refuse_overwriting(*files: Path) -> None:
    there = [str(file) for file in files if file.exists() or file.is_symlink()]
    if there:
        raise WouldOverwriteError(
            f"{' and '.join(there)} {'are' if len(there) > 1 else 'is'} there already",
            mend="choose another folder, or add --force to overwrite",
        )


def _write(file: Path, text: str) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise WriteFailedError(f"cannot write {file}: {reason}", mend="choose a folder that you may write") from None


def _name(folder: Path) -> str:
    """Name the pipeline after its folder, so that two of them on one Kafka keep out of each other's way."""
    words = re.sub(r"[^a-z0-9]+", "-", folder.absolute().resolve().name.lower())
    return words.lstrip("0123456789-")[:40].strip("-") or "pipeline"


def _next_steps(pipeline: Path, sample: Path) -> list[str]:
    messages = SAMPLE.count("\n")
    return [
        f"wrote {pipeline}",
        f"wrote {sample} ({messages} messages)",
        "",
        "Next: send the messages, let the pipeline run, and in a second terminal look at the results.",
        f"  {command_line('publish', pipeline, sample)}",
        f"  {command_line('run', pipeline)}",
        f"  {command_line('tail', pipeline, '--from-start')}",
    ]
