"""From the experiments of a pipeline file to those that run, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

from headrace.core.config.document import Document, Path_
from headrace.core.config.errors import ExperimentError, NotBuiltError, UnknownKeyError
from headrace.core.config.experiment import ExperimentFile
from headrace.core.config.expression import Expression, compile_expression
from headrace.core.config.pipeline import PipelineFile
from headrace.core.config.suggestion import suggest
from headrace.core.errors import HeadraceError
from headrace.core.experiments.assign import SEGMENT_FIELDS
from headrace.core.experiments.bucket import equal_weights
from headrace.core.experiments.experiment import HELD_OUT, HOLDOUT, Experiment

__all__ = ["experiment_facts", "experiment_problems", "read_experiments"]


def read_experiments(document: Document, envelope: PipelineFile) -> tuple[Experiment, ...]:
    """Return the experiments of a file, the holdout before them.

    What `experiment_problems` finds is not said again here; such an experiment comes without it.

    Args:
        document: knows the places.
        envelope: the file's own keys, already valid.
    """
    experiments = tuple(_experiment(document, name, asked) for name, asked in envelope.experiments.items())
    return (_holdout(envelope), *experiments) if envelope.holdout > 0 else experiments


def experiment_problems(document: Document, envelope: PipelineFile) -> Iterator[HeadraceError]:
    """Yield everything that is wrong with the experiments of a file, each at its place."""
    asked = envelope.experiments
    if (asked or envelope.holdout > 0) and envelope.input.unit is None:
        yield ExperimentError(
            "experiments are about units, and input does not say where they are",
            mend="add unit: PATH to input, such as unit: user",
            place=document.key_place(("experiments",) if asked else ("holdout",)),
        )
    for name, experiment in asked.items():
        yield from _own_problems(document, name, experiment)
        yield from _model_problems(document, name, experiment, tuple(envelope.models))
    yield from _layer_problems(document, asked)
    for one, other in combinations(asked, 2):
        yield from _rival_problems(document, (one, asked[one]), (other, asked[other]))


def experiment_facts(experiment: Experiment) -> dict[str, Any]:
    """Return what is known of an experiment as plain values, for people and programs."""
    sets = experiment.sets or ((),) * len(experiment.variants)
    return {
        "id": experiment.id,
        "variants": [
            {"name": name, "weight": weight, "sets": list(paths)}
            for name, weight, paths in zip(experiment.variants, experiment.weights, sets, strict=True)
        ],
        "coverage": experiment.coverage,
        "segment": experiment.segment.source if experiment.segment else None,
        "seed": experiment.seed,
        "layer": experiment.layer,
        "slice": list(experiment.layer_range) if experiment.layer is not None else None,
    }


def _experiment(document: Document, name: str, asked: ExperimentFile) -> Experiment:
    weights = [variant.weight for variant in asked.variants.values()]
    total = sum(weights)
    return Experiment(
        id=name,
        variants=tuple(asked.variants),
        weights=tuple(weight / total for weight in weights) if total > 0 else tuple(equal_weights(len(weights))),
        seed=name if asked.seed is None else asked.seed,
        coverage=asked.coverage,
        layer=asked.layer,
        layer_range=asked.slice or (0.0, 1.0),
        segment=_segment(document, name, asked),
        sets=tuple(tuple(".".join(path) for path in variant.set.paths()) for variant in asked.variants.values()),
    )


def _holdout(envelope: PipelineFile) -> Experiment:
    return Experiment(
        id=HOLDOUT,
        variants=(HELD_OUT,),
        weights=(1.0,),
        # No experiment has this seed by default, since names have no colon; another pipeline holds out others.
        seed=f"{HOLDOUT}:{envelope.pipeline}",
        coverage=envelope.holdout,
        sets=((),),
        keeps_out=True,
    )


def _segment(document: Document, name: str, asked: ExperimentFile) -> Expression | None:
    try:
        return _compiled(document, name, asked)
    except HeadraceError:
        return None


def _compiled(document: Document, name: str, asked: ExperimentFile) -> Expression | None:
    if asked.segment is None:
        return None
    place = document.place(("experiments", name, "segment"))
    return compile_expression(asked.segment, place, SEGMENT_FIELDS, about="record")


def _own_problems(document: Document, name: str, asked: ExperimentFile) -> Iterator[HeadraceError]:
    """Yield what is wrong with an experiment whatever the others are."""
    path: Path_ = ("experiments", name)

    def problem(fault: str, mend: str, *keys: str) -> ExperimentError:
        return ExperimentError(f"experiment {name!r} {fault}", mend=mend, place=document.key_place((*path, *keys)))

    if name == HOLDOUT:
        yield problem("has the name of the holdout", "choose another name")
    if len(asked.variants) < 2:
        count = "one variant" if asked.variants else "no variants"
        yield problem(f"has {count}, so there is nothing to compare", "write at least two", "variants")
    elif not any(variant.weight for variant in asked.variants.values()):
        yield problem("has no variant with a weight, so nobody meets any", "give one of them a weight", "variants")
    if asked.slice is not None and asked.layer is None:
        yield problem("has a slice, but of no layer", "add layer: NAME, or remove slice", "slice")
    if asked.slice is not None and asked.slice[0] >= asked.slice[1]:
        yield problem(f"has the slice {_shown(asked.slice)}, which is empty", "write [from, to]: [0, 0.5]", "slice")
    try:
        _compiled(document, name, asked)
    except HeadraceError as error:
        yield error
    if asked.metrics is not None:
        fault = f"`metrics:` of experiment {name!r} is not built yet"
        yield NotBuiltError(fault, mend="remove it from the file", place=document.key_place((*path, "metrics")))


def _model_problems(
    document: Document, name: str, asked: ExperimentFile, models: Sequence[str]
) -> Iterator[HeadraceError]:
    for variant, file in asked.variants.items():
        for model in file.set.models:
            if model not in models:
                yield UnknownKeyError(
                    f"variant {variant!r} of experiment {name!r} sets model {model!r}, which the file does not have",
                    mend=suggest(model, models, "models"),
                    place=document.key_place(("experiments", name, "variants", variant, "set", "models", model)),
                )


def _layer_problems(document: Document, asked: dict[str, ExperimentFile]) -> Iterator[HeadraceError]:
    """Yield where experiments of one layer would share units."""
    for one, other in combinations([name for name in asked if asked[name].layer is not None], 2):
        first, second = asked[one], asked[other]
        if first.layer != second.layer or first.slice is None or second.slice is None:
            continue
        if first.slice[0] < second.slice[1] and second.slice[0] < first.slice[1]:
            yield ExperimentError(
                f"experiments {one!r} and {other!r} have slices of layer {first.layer!r} that overlap: "
                f"{_shown(first.slice)} and {_shown(second.slice)}",
                mend="move one of them; [0, 0.5] and [0.5, 1] only touch",
                place=document.place(("experiments", other, "slice")),
            )
    layers = [experiment.layer for experiment in asked.values() if experiment.layer is not None]
    for name, experiment in asked.items():
        if experiment.slice is None and layers.count(experiment.layer or "") > 1:
            yield ExperimentError(
                f"experiment {name!r} shares layer {experiment.layer!r} and does not say which part of it is its own",
                mend="add slice: [0, 0.5]",
                place=document.place(("experiments", name, "layer")),
            )


def _rival_problems(
    document: Document, one: tuple[str, ExperimentFile], other: tuple[str, ExperimentFile]
) -> Iterator[HeadraceError]:
    """Yield the keys that two experiments set though a unit may meet both."""
    if one[1].layer is not None and one[1].layer == other[1].layer:
        return
    taken = _set_places(one)
    for path, place in _set_places(other).items():
        if path in taken:
            yield ExperimentError(
                f"experiments {one[0]!r} and {other[0]!r} both set {'.'.join(path)}, and a unit may meet both",
                mend="give them the same layer, and a slice each",
                place=document.key_place(place),
            )


def _set_places(experiment: tuple[str, ExperimentFile]) -> dict[tuple[str, ...], Path_]:
    """Return what the variants of an experiment set, and where the first of them does."""
    name, asked = experiment
    found: dict[tuple[str, ...], Path_] = {}
    for variant, file in asked.variants.items():
        for path in file.set.paths():
            found.setdefault(path, ("experiments", name, "variants", variant, "set", *path))
    return found


def _shown(part: tuple[float, float]) -> str:
    return f"[{part[0]:g}, {part[1]:g}]"
