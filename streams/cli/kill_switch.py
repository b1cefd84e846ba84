"""What `model stop` and `start` share with those of experiments: a kill switch that is thrown, and taken back."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from headrace.streams.cli.setting import change, find

__all__ = ["start_named", "stop_named"]

Noun = Literal["model", "experiment"]


def stop_named(file: Path, noun: Noun, name: str, *, told: str, why: str, as_json: bool) -> None:
    """Stop the model or experiment of that name.

    Raises:
        UnknownTargetError: HR439, the file has none of that name.
    """
    from headrace.core.wire.control import ExperimentStop, ModelStop, setting_key
    from headrace.streams.control.target import known, refuse_unknown
    from headrace.streams.control.writer import now

    live = find(file)
    refuse_unknown(noun, name, known(noun, live.plan))
    kind = ModelStop if noun == "model" else ExperimentStop
    changes = {setting_key(kind, **{noun: name}): kind(why=why, time=now())}
    change(live, changes, [f"stopped  {name}: {told}"], why=why, as_json=as_json)


def start_named(file: Path, noun: Noun, name: str, *, why: str, as_json: bool) -> None:
    """Start the stopped model or experiment of that name, also one that the file no longer has.

    Raises:
        UnknownTargetError: HR439, the file has none of that name, and none is stopped.
    """
    import asyncio

    from headrace.core.wire.control import ExperimentStop, ModelStop, setting_key
    from headrace.streams.control.target import known, refuse_unknown
    from headrace.streams.control.writer import read_settings

    live = find(file)
    key = setting_key(ModelStop if noun == "model" else ExperimentStop, **{noun: name})
    if asyncio.run(read_settings(live.connection, live.plan.pipeline)).value(key) is None:
        refuse_unknown(noun, name, known(noun, live.plan))
        change(live, {}, [f"{name} is not stopped"], why=why, as_json=as_json)
    else:
        change(live, {key: None}, [f"started  {name}"], why=why, as_json=as_json)
