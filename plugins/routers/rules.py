"""Choose models by rules over the record: its value, headers, tags, key, unit and text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import Field, field_validator, model_validator

from headrace import (
    Batch,
    Candidate,
    Catalog,
    Decision,
    HeadraceError,
    Options,
    Record,
    RecordError,
    StepContext,
    hookimpl,
)
from headrace.core.errors import ProblemsError
from headrace.plugins.routers.order import Order

if TYPE_CHECKING:
    from headrace.core.config.expression import Expression

__all__ = ["FIELDS", "Rule", "Rules", "RulesOptions", "headrace_register"]


class Rule(Options):
    """One rule: when it holds, and the model or the chain of models that then serves."""

    when: str = Field(
        description="CEL expression over value, headers, tags, key, unit and text; the first rule that holds decides, "
        "and one that cannot be evaluated over a record, as it lacks a field, does not hold"
    )
    model: str | None = Field(default=None, description="name of the model that then serves")
    chain: Order | None = Field(
        default=None, min_length=2, description="instead of model: names of models that then run one after the other"
    )

    @model_validator(mode="after")
    def _chooses_once(self) -> Rule:
        if (self.model is None) == (self.chain is None):
            fault = "a rule without model" if self.model is None else "a rule with both model and chain"
            raise ValueError(f"{fault}; write {{when: …, model: NAME}}, or chain: [NAME, NAME]")
        return self

    @property
    def models(self) -> tuple[str, ...]:
        """The models in the order in which they run."""
        return (self.model,) if self.model is not None else self.chain or ()


class RulesOptions(Options):
    """What a pipeline file may say of `rules`."""

    rules: tuple[Rule, ...] = Field(
        description="the rules, in the order in which they are tried", json_schema_extra={"minItems": 1}
    )
    otherwise: str = Field(description="name of the model that serves when no rule holds")

    @field_validator("rules")
    @classmethod
    def _is_not_empty(cls, rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
        # Not by min_length: pydantic counts what is left, and would call one wrong rule an empty list as well.
        if not rules:
            raise ValueError("there is no rule; write {when: …, model: NAME}, or route: {single: {model: NAME}}")
        return rules

    @model_validator(mode="after")
    def _compiles(self) -> RulesOptions:
        problems = [problem for rule in self.rules if (problem := _problem(rule.when)) is not None]
        if problems:
            raise ProblemsError(problems)
        return self


class Rules:
    """Send each record where the first rule that holds for it says."""

    def __init__(self, options: RulesOptions) -> None:
        # A frozen decision a rule, made once: routing costs what the expressions cost, about 8 us each.
        self._rules = [(_compiled(rule.when), _decision(rule.models, f"{rule.when} holds")) for rule in options.rules]
        self._otherwise = _decision((options.otherwise,), "no rule holds")
        self._orders = tuple(dict.fromkeys([*(rule.models for rule in options.rules), (options.otherwise,)]))

    def route(self, batch: Batch) -> Sequence[Decision]:
        """Return the decision of the first rule that holds, a record."""
        return [self._decide(record) for record in batch]

    def models(self, context: StepContext) -> Sequence[str]:
        """Return every model that a rule names."""
        return tuple(dict.fromkeys(model for order in self._orders for model in order))

    def orders(self, context: StepContext) -> Sequence[Sequence[str]]:
        """Return what each rule runs."""
        return self._orders

    def _decide(self, record: Record) -> Decision:
        return next((decision for rule, decision in self._rules if _holds(rule, record)), self._otherwise)


def _holds(rule: Expression, record: Record) -> bool:
    try:
        # Only what the rule names: turning a large value into CEL's takes longer than most rules.
        return rule.holds({name: FIELDS[name](record) for name in rule.names})
    except RecordError:
        return False


def _decision(models: Sequence[str], reason: str) -> Decision:
    steps = tuple(Candidate(model=name) for name in models)
    return Decision(combine="chain" if len(steps) > 1 else "single", steps=steps, reason=reason, propensity=1.0)


def _problem(when: str) -> HeadraceError | None:
    try:
        _compiled(when)
    except HeadraceError as error:
        return error
    return None


def _compiled(when: str) -> Expression:
    from headrace.core.config.expression import compile_expression

    return compile_expression(when, None, FIELDS, about="record")


def _headers(record: Record) -> Mapping[str, str]:
    # The last of several with one name counts, as in Kafka's own clients; a null value is empty text.
    return {name: (value or b"").decode("utf-8", "replace") for name, value in record.headers}


def _key(record: Record) -> str | None:
    try:
        return None if record.key is None else record.key.decode()
    except UnicodeDecodeError:
        return None


FIELDS: Mapping[str, Callable[[Record], Any]] = {
    "value": lambda record: record.value,
    "headers": _headers,
    "tags": lambda record: dict(record.tags),
    "key": _key,
    "unit": lambda record: record.unit,
    "text": lambda record: record.text,
}
"""What a rule may speak of, and how it is read off a record."""


@hookimpl
def headrace_register(catalog: Catalog) -> None:
    """Register the router `rules`."""
    catalog.router("rules", Rules, options=RulesOptions)
