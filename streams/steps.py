"""The opened steps before and after a group's models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from headrace.streams.branch import Branches
from headrace.streams.egress import Deliver
from headrace.streams.ingress import Address, Decode, Split

__all__ = ["EgressSteps", "IngressSteps"]


class IngressSteps(NamedTuple):
    """What happens to a record before its first model."""

    decode: Decode
    split: Split | None
    preprocess: Branches
    route: Branches | None
    address: Address


class EgressSteps(NamedTuple):
    """What happens to a record after its last model."""

    postprocess: Branches
    deliver: Sequence[Deliver]
