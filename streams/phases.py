"""The phases of experiments: which one each is in, and when another one begins.

Within a phase a variant means the same units and the same models. What the control topic says of a phase counts only
for those who run the experiment as it was when that phase began: while a changed file is rolled out, workers with the
old weights and workers with the new ones each tag their records with their own phase.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from hashlib import sha256

from headrace.core.control import Settings
from headrace.core.experiments.experiment import HOLDOUT, Experiment
from headrace.core.plan.plan import Plan
from headrace.core.wire.control import ExperimentPhase, setting_key
from headrace.streams.live import Live

__all__ = ["Phases"]


class Phases:
    """The phases of one plan's experiments, as one worker runs them.

    Args:
        plan: has the experiments.
        live: says which versions new records are routed to, and which phases they are tagged with until now.
    """

    def __init__(self, plan: Plan, live: Live) -> None:
        self._plan, self._live = plan, live
        self._experiments = [experiment for experiment in plan.experiments if not experiment.keeps_out]

    def current(self, settings: Settings, versions: Mapping[str, str]) -> dict[str, int]:
        """Return the phase of each experiment as this worker runs it with these versions."""
        state = self._live.state
        phases = {HOLDOUT: 1}
        for experiment in self._experiments:
            found = settings.phase(experiment.id)
            if found is None:
                continue
            if found.fingerprint == self._fingerprint(experiment, versions):
                phases[experiment.id] = found.phase
            elif versions != state.versions:
                phases[experiment.id] = found.phase + 1  # about to begin, by the versions that it is asked for
            else:
                phases[experiment.id] = state.phases.get(experiment.id, found.phase)
        return phases

    def due(self, settings: Settings) -> dict[str, ExperimentPhase]:
        """Return the phases that begin now, by key: of experiments that are new, or are no longer what they were."""
        return {_key(experiment): phase for experiment, phase in self._beginning(settings)}

    def owed(self, settings: Settings) -> dict[str, ExperimentPhase]:
        """Return those that begin because of this worker, not because others run a newer file.

        Its models changed version, or another worker with other weights opened the same phase before it.
        """
        mine = self._live.state.phases
        beginning = self._beginning(settings)
        return {
            _key(experiment): phase for experiment, phase in beginning if phase.phase - 1 <= mine.get(experiment, 0)
        }

    def _beginning(self, settings: Settings) -> Iterator[tuple[str, ExperimentPhase]]:
        for experiment in self._experiments:
            before, mark = settings.phase(experiment.id), self._fingerprint(experiment, self._live.state.versions)
            if before is None or before.fingerprint != mark:
                yield experiment.id, ExperimentPhase(phase=before.phase + 1 if before else 1, fingerprint=mark)

    def _fingerprint(self, experiment: Experiment, versions: Mapping[str, str]) -> str:
        """Return a hash of what must not change within a phase: who meets which variant, and its own models."""
        own = {
            variant.stage(model): versions.get(variant.stage(model))
            for (name, _), variant in self._plan.variants.items()
            if name == experiment.id
            for model in variant.models
        }
        facts = [experiment.seed, experiment.variants, [round(weight, 9) for weight in experiment.weights], own]
        return sha256(json.dumps(facts, sort_keys=True).encode("utf-8", "surrogatepass")).hexdigest()[:12]


def _key(experiment: str) -> str:
    return setting_key(ExperimentPhase, experiment=experiment)
