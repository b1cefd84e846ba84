"""The answers of several models become one. Which answer came first matters to `first` alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from headrace.core.failure import Failure
from headrace.core.record import Output, Record
from headrace.core.routing.decision import Candidate, Decision
from headrace.core.routing.errors import BranchExpiredError, LabelsDifferError, LateAnswerError, NoAnswerError
from headrace.core.routing.part import Part, failed, is_number
from headrace.core.routing.slip import Joined, Slip

__all__ = ["Verdict", "is_enough", "joined"]


class Verdict(NamedTuple):
    """A join's end: the record with its output, as it was and why it fails, or expired if no model was in time."""

    record: Record
    failure: Failure | None = None


class _Chosen(NamedTuple):
    """What an answer is made of: its output, the model whose it is, and why."""

    output: Output
    served: Candidate | None
    reason: str


class _Answer(NamedTuple):
    candidate: Candidate
    output: Output

    @property
    def score(self) -> float:
        """Its score; 0 when it gave none."""
        score = self.output.get("score")
        return float(score) if is_number(score) else 0.0  # type: ignore[arg-type]  # looked at by is_number


def is_enough(decision: Decision, parts: Mapping[int, Part]) -> bool:
    """Whether a join can be made: enough answers are there, or nothing more is to come."""
    answers = sum(part.failure is None for part in parts.values())
    return answers >= decision.needed or len(parts) == len(decision.steps)


def joined(record: Record, parts: Mapping[int, Part], *, is_late: bool = False) -> Verdict:
    """Return what becomes of a record.

    Args:
        record: any of its copies.
        parts: what came, by branch, in the order in which it came.
        is_late: whether its deadline ended the wait.
    """
    slip = record.slip
    if slip is None:
        raise ValueError("the record has no slip")
    decision = slip.decision
    spent = {
        "inference_ms": sum(parts[branch].inference_ms for branch in sorted(parts)),
        "attempt": max([record.attempt, *(part.attempt for part in parts.values())]),
    }
    bare = record.replace(
        output=None, tensors={}, slip=msgspec.structs.replace(slip, at=None, branch=None, failed=None), **spent
    )
    came = [branch for branch in parts if parts[branch].failure is None]
    if not came:
        if (reason := _expired(parts)) is not None:
            return Verdict(bare.replace(status="expired", reason=reason))
        return Verdict(bare, _no_answer(decision, parts, is_late=is_late))
    ordered = came if decision.join == "first" else sorted(came)
    answers = [_Answer(decision.steps[branch], parts[branch].output or {}) for branch in ordered]
    if decision.join == "first":
        answers = answers[:1]
    try:
        chosen = _JOINS[decision.join or "first"](answers)
    except LabelsDifferError as error:
        return Verdict(bare, failed(error))
    rest = _rest(decision, parts, {answer.candidate.model for answer in answers}, is_late=is_late)
    reason = "; ".join([chosen.reason, *rest])
    return Verdict(bare.replace(output=chosen.output, slip=_slip(slip, answers, chosen, reason)))


def _slip(slip: Slip, answers: Sequence[_Answer], chosen: _Chosen, reason: str) -> Slip:
    served = chosen.served
    return msgspec.structs.replace(
        slip,
        at=None,
        branch=None,
        failed=None,
        path=tuple(answer.candidate.model for answer in answers),
        reason=reason,
        outputs={answer.candidate.model: answer.output for answer in answers},
        version=served.version if served else None,
        joined=Joined(
            served=served.model if served else None,
            versions={answer.candidate.model: answer.candidate.version for answer in answers},
            scores={answer.candidate.model: answer.score for answer in answers if "score" in answer.output},
        ),
    )


def _best(answers: Sequence[_Answer]) -> _Chosen:
    best = max(answers, key=lambda answer: answer.score)  # of several with one score the first in the file's order
    return _Chosen(
        best.output, best.candidate, f"{best.candidate.model} scored {best.score:g}, the best of {len(answers)}"
    )


def _vote(answers: Sequence[_Answer]) -> _Chosen:
    votes: dict[str, float] = {}
    sums: dict[str, float] = {}
    for answer in answers:
        label, weight = answer.output["label"], answer.candidate.weight
        votes[label] = votes.get(label, 0.0) + weight
        sums[label] = sums.get(label, 0.0) + weight * answer.score
    won = max(votes, key=lambda label: (votes[label], sums[label]))  # a tie goes to the label that stands first
    voters = [answer for answer in answers if answer.output["label"] == won]
    surest = max(voters, key=lambda answer: answer.score)
    told = {label: int(count) if count.is_integer() else count for label, count in votes.items()}
    reason = f"{len(voters)} of {len(answers)} said {won!r}"
    return _Chosen({**surest.output, "votes": told}, surest.candidate, reason)


def _average(answers: Sequence[_Answer]) -> _Chosen:
    labels = list(answers[0].output["scores"])
    for answer in answers[1:]:
        if set(answer.output["scores"]) != set(labels):
            pair = f"{answers[0].candidate.model} and {answer.candidate.model}"
            raise LabelsDifferError(f"{pair} gave scores for different labels", mend="join by vote")
    whole = sum(answer.candidate.weight for answer in answers)
    means = {
        label: sum(answer.candidate.weight * answer.output["scores"][label] for answer in answers) / whole
        for label in labels
    }
    top = max(means, key=lambda label: means[label])
    return _Chosen({"label": top, "score": means[top], "scores": means}, None, f"the average of {len(answers)}")


def _first(answers: Sequence[_Answer]) -> _Chosen:
    first = answers[0]
    return _Chosen(first.output, first.candidate, f"{first.candidate.model} answered first")


_JOINS = {"best": _best, "vote": _vote, "average": _average, "first": _first}


def _rest(decision: Decision, parts: Mapping[int, Part], used: set[str], *, is_late: bool) -> list[str]:
    """Say of each model that is not in the answer why it is not."""
    said = []
    for branch, candidate in enumerate(decision.steps):
        part = parts.get(branch)
        if part is not None and part.failure is not None:
            said.append(f"{candidate.model} failed ({part.failure.code})")
        elif candidate.model not in used:
            late = f"did not answer within {decision.deadline_ms:g} ms" if is_late else "was not waited for"
            said.append(f"{candidate.model} {late}")
    return said


def _expired(parts: Mapping[int, Part]) -> str | None:
    """Return how late the record was, if that is why nobody answered; None when something failed as well."""
    failures = [part.failure for _, part in sorted(parts.items()) if part.failure is not None]
    if not failures or any(failure.code != BranchExpiredError.code for failure in failures):
        return None
    return failures[0].message


def _no_answer(decision: Decision, parts: Mapping[int, Part], *, is_late: bool) -> Failure:
    codes = [
        f"{decision.steps[branch].model} failed ({part.failure.code}: {part.failure.message})"
        for branch, part in sorted(parts.items())
        if part.failure is not None
    ]
    traces = "\n".join(part.failure.stacktrace for _, part in sorted(parts.items()) if part.failure is not None)
    if is_late and len(parts) < len(decision.steps):
        fault = "; ".join([f"no model answered within {decision.deadline_ms:g} ms", *codes])
        failure = failed(LateAnswerError(fault, mend="raise the deadline, then redrive it"))
    else:
        fault = f"none of {len(decision.steps)} models answered: {'; '.join(codes)}"
        failure = failed(NoAnswerError(fault, mend="see those codes, then redrive it"))
    # Then the record may wait aside, and all of its models are asked again.
    may_pass = any(part.failure is not None and part.failure.is_transient for part in parts.values())
    return msgspec.structs.replace(failure, stacktrace=traces.strip(), is_transient=may_pass)
