"""`headrace plan FILE --acls`: what each group must be allowed, as commands for the cluster's operator."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from typing import Any

from headrace.core.plan.access import Access, Rule, plan_access
from headrace.core.plan.plan import Plan

__all__ = ["acl_commands", "acl_facts", "acting_principal"]

UNKNOWN = "User:PRINCIPAL"
_USUAL = "localhost:9092"


def acting_principal(plan: Plan) -> str:
    """Return who the plan's workers log in as, as far as the file or the environment tells."""
    name = plan.broker.sasl_username
    if name is None and plan.broker.bootstrap is None:
        name = os.environ.get("HEADRACE_BROKER_SASL_USERNAME") or None
    return UNKNOWN if name is None else f"User:{name}"


def acl_facts(plan: Plan, principal: str) -> dict[str, Any]:
    """Return the rules as values that JSON has."""
    access = [
        {"who": one.who, "what": one.what, "rules": [_rule(rule) for rule in one.rules]} for one in plan_access(plan)
    ]
    return {"pipeline": plan.pipeline, "principal": principal, "access": access}


def acl_commands(plan: Plan, principal: str) -> Iterator[str]:
    """Yield lines of a shell script that adds the rules, a paragraph for each who needs some."""
    broker = plan.broker.bootstrap or os.environ.get("HEADRACE_BROKER", "").strip() or _USUAL
    yield "# Add --command-config FILE to each line if you have to log in. Each group may have a principal of its own."
    yield "# Who makes the topics by hand may leave Create and Alter out."
    for access in plan_access(plan):
        yield ""
        yield f"# {_headline(access)}"
        for rule in access.rules:
            yield _command(rule, broker, principal)


def _headline(access: Access) -> str:
    return access.what if access.what.endswith(access.who.removeprefix("group ")) else f"{access.who}: {access.what}"


def _command(rule: Rule, broker: str, principal: str) -> str:
    words = ["kafka-acls.sh", "--bootstrap-server", broker, "--add", "--allow-principal", principal]
    for operation in rule.operations:
        words += ["--operation", operation]
    if rule.is_prefix:
        words += ["--resource-pattern-type", "prefixed"]
    return shlex.join([*words, f"--{rule.resource}", rule.name])


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "resource": rule.resource,
        "name": rule.name,
        "pattern": "prefixed" if rule.is_prefix else "literal",
        "operations": list(rule.operations),
    }
