"""What the environment says of the broker that HEADRACE_BROKER names: the keys of `broker`, in capitals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from headrace.core.config.broker import Broker, broker_faults
from headrace.core.config.errors import BrokerSettingsError
from headrace.core.config.suggestion import suggest

__all__ = ["PREFIX", "with_environment"]

PREFIX = "HEADRACE_BROKER_"
"""HEADRACE_BROKER_SASL_USERNAME is `sasl_username`, and so on."""

_ALLOWED = {
    "security_protocol": "PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL",
    "sasl_mechanism": "PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512",
    "ssl_check_hostname": "true or false",
}


def with_environment(broker: Broker, environ: Mapping[str, str]) -> Broker:
    """Return the section of a file that names no broker, with what the environment says beside it.

    Raises:
        BrokerSettingsError: HR130, a variable is unknown or not allowed, or they do not go together.
    """
    said = {
        name.removeprefix(PREFIX).lower(): value
        for name, value in environ.items()
        if name.startswith(PREFIX) and value.strip()
    }
    _refuse_unknown(said)
    if not environ.get("HEADRACE_BROKER", "").strip() and (said or broker.is_secured):
        what = f"{_variable(next(iter(said)))} is set" if said else "the file says how to log in"
        raise BrokerSettingsError(f"{what}, but no broker is named", mend="set HEADRACE_BROKER to host:port")
    try:
        merged = Broker.model_validate({**said, **_said(broker)})
    except ValidationError as error:
        key = str(error.errors(include_url=False, include_input=False)[0]["loc"][0])
        mend = f"set it to {_ALLOWED[key]}" if key in _ALLOWED else "correct it"
        raise BrokerSettingsError(f"{_variable(key)}: its value is not allowed", mend=mend) from None
    for found in broker_faults(merged):
        raise BrokerSettingsError(f"{_variable(found.key)}: {found.fault}", mend=found.mend)
    return merged


def _refuse_unknown(said: Mapping[str, str]) -> None:
    known = [key for key in Broker.model_fields if key != "bootstrap"]
    for key in said:
        if key not in known:
            mend = suggest(_variable(key), [_variable(one) for one in known])
            raise BrokerSettingsError(f"unknown variable {_variable(key)}", mend=mend)


def _said(broker: Broker) -> dict[str, Any]:
    return {key: getattr(broker, key) for key in broker.model_fields_set - {"bootstrap"}}


def _variable(key: str) -> str:
    return PREFIX + key.upper()
