"""Where Kafka is, and how a client is let in: the `broker` section, and its twin in the environment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import Field, SecretStr

from headrace.core.config.section import Section

__all__ = ["SECRET_KEYS", "Broker", "BrokerFault", "broker_faults", "from_folder"]

Protocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
Mechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]

SECRET_KEYS = ("sasl_password", "ssl_password")
"""Keys whose value may only come from the environment; each has a neighbour `…_file` for a file."""

_PATH_KEYS = ("sasl_password_file", "ssl_cafile", "ssl_certfile", "ssl_keyfile", "ssl_password_file")


class Broker(Section):
    """Where Kafka is, and how a client is let in."""

    bootstrap: str | None = Field(default=None, min_length=3, description="host:port, several with commas")
    security_protocol: Protocol = Field(
        default="PLAINTEXT", description="SSL encrypts, SASL asks for a name and a password"
    )
    sasl_mechanism: Mechanism | None = Field(default=None, description="how the password is proved, with SASL")
    sasl_username: str | None = Field(default=None, min_length=1, description="name that SASL logs in with")
    sasl_password: SecretStr | None = Field(
        default=None, description='its password, from the environment only: `"${NAME}"`'
    )
    sasl_password_file: str | None = Field(default=None, description="a file that holds the password instead")
    ssl_cafile: str | None = Field(
        default=None, description="PEM file of the authorities that sign the brokers' certificates; unset: the system's"
    )
    ssl_certfile: str | None = Field(default=None, description="PEM file of this client's own certificate")
    ssl_keyfile: str | None = Field(
        default=None, description="PEM file of its key; unset: the key is in `ssl_certfile`"
    )
    ssl_password: SecretStr | None = Field(
        default=None, description='password of the key, from the environment only: `"${NAME}"`'
    )
    ssl_password_file: str | None = Field(default=None, description="a file that holds the key's password instead")
    ssl_check_hostname: bool = Field(
        default=True, description="whether a broker's certificate must be for the host that is connected to"
    )

    @property
    def is_secured(self) -> bool:
        """Whether anything is said beside the address."""
        return bool(self.model_fields_set - {"bootstrap"})


class BrokerFault(NamedTuple):
    """What is wrong with one key beside the others."""

    key: str
    fault: str
    mend: str


def broker_faults(broker: Broker) -> Iterator[BrokerFault]:
    """Yield what does not go together; a key that would do nothing is a fault as well."""
    said, protocol = broker.model_fields_set, broker.security_protocol
    yield from _doubled(said)
    if "SASL" in protocol:
        yield from _missing_of_sasl(broker)
    else:
        yield from _idle(said, "sasl_", f"security_protocol is {protocol}", "SASL_SSL")
    if "SSL" not in protocol:
        yield from _idle(said, "ssl_", f"security_protocol is {protocol}", "SASL_SSL" if "SASL" in protocol else "SSL")
    elif broker.ssl_certfile is None:
        for key in sorted(said & {"ssl_keyfile", "ssl_password", "ssl_password_file"}):
            yield BrokerFault(key, f"{key} is of no use without a certificate", "add ssl_certfile, or remove it")


def from_folder(broker: Broker, folder: Path) -> Broker:
    """Return the section with its files meant from a folder, wherever one stands when it is used."""
    paths: Mapping[str, str | None] = {key: getattr(broker, key) for key in _PATH_KEYS}
    found = {key: str(folder / path) for key, path in paths.items() if path is not None}
    return broker.model_copy(update=found)


def _doubled(said: set[str]) -> Iterator[BrokerFault]:
    for key in SECRET_KEYS:
        if {key, f"{key}_file"} <= said:
            yield BrokerFault(f"{key}_file", f"both {key} and {key}_file are there", "keep one")


def _missing_of_sasl(broker: Broker) -> Iterator[BrokerFault]:
    if broker.sasl_mechanism is None:
        mend = "add sasl_mechanism: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512"
        yield BrokerFault("security_protocol", f"{broker.security_protocol} needs sasl_mechanism", mend)
    if broker.sasl_username is None:
        yield BrokerFault(
            "security_protocol", f"{broker.security_protocol} needs sasl_username", "add sasl_username: NAME"
        )
    if broker.sasl_password is None and broker.sasl_password_file is None:
        mend = 'add sasl_password: "${NAME}", or sasl_password_file: PATH'
        yield BrokerFault("security_protocol", f"{broker.security_protocol} needs a password", mend)


def _idle(said: set[str], prefix: str, why: str, protocol: str) -> Iterator[BrokerFault]:
    for key in sorted(one for one in said if one.startswith(prefix)):
        yield BrokerFault(key, f"{key} would do nothing: {why}", f"add security_protocol: {protocol}, or remove it")
