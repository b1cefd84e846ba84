"""Records at their end, of every kind."""

from __future__ import annotations

from hypothesis import strategies as st

from headrace.core.experiments.experiment import Assigned
from headrace.core.routing.decision import Candidate, Decision
from headrace.core.routing.slip import Slip
from tests.support.made import json_values, keys, record, texts

__all__ = ["DECISION", "records"]

DECISION = Decision(combine="single", steps=(Candidate(model="quick"),), propensity=0.5, scores={"quick": 0.5})

slips = st.none() | st.builds(
    Slip,
    policy=st.just("cascade"),
    decision=st.just(DECISION),
    at=st.none(),
    path=st.lists(st.sampled_from(["quick", "expert"]), max_size=2).map(tuple),
    reason=texts,
)
met = st.builds(Assigned, id=texts, phase=st.integers(1, 9), variant=texts)
records = st.builds(
    record,
    id=texts,
    key=keys,
    unit=st.none() | texts,
    status=st.sampled_from(["ok", "filtered", "expired", "fallback"]),
    reason=st.none() | texts,
    output=st.none() | st.dictionaries(texts, json_values, max_size=3),
    slip=slips,
    experiments=st.lists(met, max_size=3).map(tuple),
    tags=st.dictionaries(texts, texts, max_size=2),
    attempt=st.integers(1, 20),
    timestamp_ms=st.integers(-1, 2**53),
    failure=st.none() | st.fixed_dictionaries(dict.fromkeys(("code", "class", "error", "stage", "plugin"), texts)),
)
