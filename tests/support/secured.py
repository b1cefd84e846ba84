"""A Kafka that asks who comes: SASL in three mechanisms, TLS with and without client certificates, and rules (ACLs).

Its plain listener is the operator's: whoever comes there may do everything, as a cluster's administrator may.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from headrace.streams.broker.port import HOST
from tests.support.certificates import KEY_PASSWORD, Authority
from tests.support.client import Client
from tests.support.node import Node
from tests.support.pipeline import Pipeline
from tests.support.port import free_port

__all__ = ["PASSWORD", "Rule", "Secured", "rules_of", "user_of"]

PASSWORD = "planted-secret-7c3a"
"""Of every user; tests look for it wherever a person or a program may look."""

LISTENERS = {"LOGIN": "SASL_PLAINTEXT", "VAULT": "SASL_SSL", "TLS": "SSL", "BADGE": "SSL"}
"""BADGE wants a client certificate, TLS takes whoever speaks TLS."""

PLAIN_USER = "plain-user"


class Rule(NamedTuple):
    """What a principal may do with what."""

    principal: str
    resource: str
    name: str
    pattern: str
    operation: str


class Secured:
    """The broker, its certificates and its users.

    Args:
        home: its state folder.
    """

    def __init__(self, home: Path) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self.authority, self.stranger = Authority(home, "authority"), Authority(home, "stranger")
        broker = self.authority.sign("broker", HOST)  # "localhost" is another host
        self.client_certificate = self.authority.sign("headrace-client", password=KEY_PASSWORD)
        self.ports = {name: free_port() for name in LISTENERS}
        self.node = Node(home, self._settings(broker))

    def start(self) -> Secured:
        """Start it."""
        self.node.start()
        self.client = Client(self.node.bootstrap)
        self.client.make_topic("first")
        self.client.committed("first", "first")  # the topic of offsets is made when it is first asked for
        return self

    def address(self, listener: str, host: str = HOST) -> str:
        """The address of one of its listeners."""
        return f"{host}:{self.ports[listener]}"

    def add_user(self, name: str, password: str = PASSWORD) -> None:
        """Make a SCRAM user, for both mechanisms, or give it another password."""
        for mechanism in (ScramMechanism.SCRAM_SHA_256, ScramMechanism.SCRAM_SHA_512):
            info = ScramCredentialInfo(mechanism, 4096)
            wanted = UserScramCredentialUpsertion(name, info, password.encode())
            self.client.admin.alter_user_scram_credentials([wanted])[name].result(20)

    def allow(self, rules: Iterable[Rule]) -> None:
        """Add rules."""
        bindings = [
            AclBinding(
                ResourceType[rule.resource],
                rule.name,
                ResourcePatternType[rule.pattern],
                rule.principal,
                "*",
                AclOperation[rule.operation],
                AclPermissionType.ALLOW,
            )
            for rule in rules
        ]
        for future in self.client.admin.create_acls(bindings).values():
            future.result(20)

    def variables(self, user: str, listener: str = "LOGIN", mechanism: str = "SCRAM-SHA-512") -> dict[str, str]:
        """The environment of a command that logs in as a user."""
        return {
            "HEADRACE_BROKER": self.address(listener),
            "HEADRACE_BROKER_SECURITY_PROTOCOL": LISTENERS[listener],
            "HEADRACE_BROKER_SASL_MECHANISM": mechanism,
            "HEADRACE_BROKER_SASL_USERNAME": user,
            "HEADRACE_BROKER_SASL_PASSWORD": PASSWORD,
            **({"HEADRACE_BROKER_SSL_CAFILE": str(self.authority.file)} if listener == "VAULT" else {}),
        }

    def _settings(self, broker: Path) -> dict[str, str]:
        node = "PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller}"
        named = ",".join(f"{name}://{HOST}:{port}" for name, port in self.ports.items())
        kinds = ",".join(f"{name}:{kind}" for name, kind in LISTENERS.items())
        plain = "org.apache.kafka.common.security.plain.PlainLoginModule required"
        scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        found = {
            "listener.security.protocol.map": f"CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,{kinds}",
            "listeners": f"{node},{named}",
            "advertised.listeners": f"{node},{named}",
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(self.authority.file),
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(broker),
            "listener.name.badge.ssl.client.auth": "required",
        }
        for name in ("login", "vault"):
            found[f"listener.name.{name}.sasl.enabled.mechanisms"] = "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512"
            found[f"listener.name.{name}.plain.sasl.jaas.config"] = f'{plain} user_{PLAIN_USER}="{PASSWORD}";'
            for mechanism in ("scram-sha-256", "scram-sha-512"):
                found[f"listener.name.{name}.{mechanism}.sasl.jaas.config"] = scram
        return found


def rules_of(pipeline: Pipeline, secured: Secured) -> dict[str, list[Rule]]:
    """Return what `plan --acls` says of each who needs something, for a user of that name; users are made."""
    told = json.loads(pipeline.headrace("plan", str(pipeline.file), "--acls", "--json"))
    found = {}
    for access in told["access"]:
        user = f"{pipeline.name}-{access['who'].rpartition(' ')[2]}"
        secured.add_user(user)
        found[access["who"]] = [
            Rule(
                f"User:{user}",
                {"transactional-id": "TRANSACTIONAL_ID"}.get(rule["resource"], rule["resource"].upper()),
                rule["name"],
                rule["pattern"].upper(),
                {"DescribeConfigs": "DESCRIBE_CONFIGS"}.get(operation, operation.upper()),
            )
            for rule in access["rules"]
            for operation in rule["operations"]
        ]
    return found


def user_of(rules: list[Rule]) -> str:
    """The user that rules are for."""
    return rules[0].principal.removeprefix("User:")
