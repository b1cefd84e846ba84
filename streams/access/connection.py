"""How this process reaches Kafka: made once, from the plan or the environment, and handed to every client."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from headrace.core.config.broker import Broker
from headrace.streams.access.environment import with_environment
from headrace.streams.access.secret import secret, tls_context
from headrace.streams.broker.address import bootstrap
from headrace.streams.broker.embedded import Progress

__all__ = ["Connection", "connection_to"]


@dataclass(frozen=True)
class Connection:
    """An address, and what a client needs to be let in. Shown as text it is the address alone.

    Attributes:
        bootstrap: host:port, several with commas.
        protocol: PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL.
        tls: how brokers are recognised, and by which certificate they recognise us; None without encryption.
        mechanism: how the password is proved; None without SASL.
        username: whose password it is.
        password: never shown.
        certfile: the file of our own certificate.
    """

    bootstrap: str
    protocol: str = "PLAINTEXT"
    tls: ssl.SSLContext | None = field(default=None, repr=False, compare=False)
    mechanism: str | None = None
    username: str | None = None
    password: SecretStr | None = field(default=None, repr=False)
    certfile: str | None = None

    def __str__(self) -> str:
        return self.bootstrap

    @property
    def principal(self) -> str:
        """Who the broker takes us for, in Kafka's words, as far as that can be known here."""
        if self.username is not None:
            return f"User:{self.username}"
        return f"the subject of {self.certfile}" if self.certfile else "User:ANONYMOUS"

    @property
    def options(self) -> dict[str, Any]:
        """What every client of aiokafka is made with."""
        return {"bootstrap_servers": self.bootstrap, **self.access}

    @property
    def access(self) -> dict[str, Any]:
        """The options without the address."""
        found: dict[str, Any] = {"security_protocol": self.protocol, "ssl_context": self.tls}
        if self.mechanism is not None:
            found["sasl_mechanism"] = self.mechanism
            found["sasl_plain_username"] = self.username
            found["sasl_plain_password"] = self.password.get_secret_value() if self.password else ""
        return found

    @property
    def credentials(self) -> Any:
        """What Faust's own clients are made with; None when nothing is asked for."""
        import faust

        if self.mechanism is None:
            return faust.SSLCredentials(self.tls) if self.tls is not None else None
        password = self.password.get_secret_value() if self.password else ""
        return faust.SASLCredentials(
            username=self.username, password=password, mechanism=self.mechanism, ssl_context=self.tls
        )


def connection_to(
    broker: Broker | None,
    *,
    start_embedded: bool,
    home: Path,
    progress: Progress | None = None,
    environ: Mapping[str, str] | None = None,
) -> Connection:
    """Return how to reach the broker: the file's, else HEADRACE_BROKER's, else the embedded one.

    Args:
        broker: the `broker` section of a plan, if there is one. Its keys go before the environment's, which count only
            where HEADRACE_BROKER names the broker: a password must not go to another one.
        start_embedded: whether the embedded broker may be started when neither names one.
        home: the state folder of the embedded broker.
        progress: told what is being waited for while it starts.
        environ: the process's environment unless given.

    Raises:
        BrokerSettingsError: HR130, what the environment says does not go together.
        SecretFileError: HR406, a certificate, a key or a password cannot be read from its file.
        HeadraceError: whatever `bootstrap` raises.
    """
    chosen = broker if broker is not None else Broker()
    if not (chosen.bootstrap or "").strip():
        chosen = with_environment(chosen, os.environ if environ is None else environ)
    return Connection(
        bootstrap(chosen.bootstrap, start_embedded=start_embedded, home=home, progress=progress),
        chosen.security_protocol,
        tls=tls_context(chosen) if "SSL" in chosen.security_protocol else None,
        mechanism=chosen.sasl_mechanism,
        username=chosen.sasl_username,
        password=secret(chosen, "sasl_password"),
        certfile=chosen.ssl_certfile,
    )
