"""A broker that lets nobody in: one error each that says why and what to do; no log, no second try."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from headrace.core.config.broker import Broker
from headrace.streams.access import refusal as subject
from headrace.streams.access.admin import admin
from headrace.streams.access.connection import Connection, connection_to
from headrace.streams.access.errors import LoginRefusedError, TlsRefusedError
from headrace.streams.access.refusal import refusal
from headrace.streams.errors import BrokerUnreachableError
from tests.support.certificates import KEY_PASSWORD
from tests.support.secured import PASSWORD, PLAIN_USER

if TYPE_CHECKING:
    from tests.support.secured import Secured

pytestmark = pytest.mark.broker

WRONG = "planted-wrong-99"


@pytest.fixture
def secured(secured: Secured) -> Secured:
    secured.add_user("ann")
    return secured


def connected(**said: Any) -> Connection:
    return connection_to(Broker.model_validate(said), start_embedded=False, home=Path("nowhere"))


def login(secured: Secured, listener: str = "LOGIN", **said: Any) -> dict[str, Any]:
    protocol = {"LOGIN": "SASL_PLAINTEXT", "VAULT": "SASL_SSL"}[listener]
    found = {
        "bootstrap": secured.address(listener),
        "security_protocol": protocol,
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_username": "ann",
        "sasl_password": PASSWORD,
    }
    return found | ({"ssl_cafile": str(secured.authority.file)} if listener == "VAULT" else {}) | said


def tls(secured: Secured, listener: str = "TLS", **said: Any) -> dict[str, Any]:
    found = {"bootstrap": secured.address(listener), "security_protocol": "SSL"}
    return found | {"ssl_cafile": str(secured.authority.file)} | said


async def asked(said: dict[str, Any]) -> list[str]:
    async with admin(connected(**said)) as client:
        return [topic["topic"] for topic in await client.describe_topics(None)]


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "SCRAM-SHA-512", "PLAIN"])
async def test_a_password_lets_one_in(secured: Secured, mechanism: str) -> None:
    user = PLAIN_USER if mechanism == "PLAIN" else "ann"
    await asked(login(secured, sasl_mechanism=mechanism, sasl_username=user))


async def test_so_do_a_password_over_tls_and_a_certificate(secured: Secured) -> None:
    await asked(login(secured, "VAULT"))
    await asked(tls(secured))
    own = str(secured.client_certificate)
    await asked(tls(secured, "BADGE", ssl_certfile=own, ssl_password=KEY_PASSWORD))


async def test_a_host_that_is_not_in_the_certificate_is_taken_when_told_so(secured: Secured) -> None:
    await asked(tls(secured, bootstrap=secured.address("TLS", "localhost"), ssl_check_hostname=False))


@pytest.mark.provokes("HR241")
@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"sasl_password": WRONG}, "refuses the name or the password of User:ann (SCRAM-SHA-512); correct sasl_usern"),
        ({"sasl_username": "zoe"}, "refuses the name or the password of User:zoe (SCRAM-SHA-512)"),
        ({"sasl_mechanism": "PLAIN"}, "refuses the name or the password of User:ann (PLAIN)"),
        ({"bootstrap": "plain"}, "does not take SCRAM-SHA-512; correct sasl_mechanism, security_protocol or the port"),
    ],
)
async def test_a_refused_login_is_one_error(
    secured: Secured, said: dict[str, str], words: str, caplog: pytest.LogCaptureFixture
) -> None:
    if "bootstrap" in said:
        said = {"bootstrap": secured.node.bootstrap}
    with pytest.raises(LoginRefusedError) as caught:
        await asked(login(secured, **said))
    assert words in str(caught.value)
    assert PASSWORD not in str(caught.value)
    assert WRONG not in f"{caught.value} {caplog.text}"
    assert caplog.text == ""


@pytest.mark.provokes("HR242")
@pytest.mark.parametrize(
    ("case", "words"),
    [
        (
            "unknown authority",
            "is signed by an authority that is not known here (unable to get local issuer certi",
        ),
        ("system's authorities", "is signed by an authority that is not known here"),
        ("another host", "is for another host; connect to a name that it has, or set ssl_check_hostname: false"),
        ("no certificate", "wants a certificate of ours"),
        ("stranger's certificate", "does not take the certificate"),
    ],
)
async def test_a_refused_encryption_is_one_error(
    secured: Secured, case: str, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    said = {
        "unknown authority": tls(secured, ssl_cafile=str(secured.stranger.file)),
        "system's authorities": {"bootstrap": secured.address("TLS"), "security_protocol": "SSL"},
        "another host": tls(secured, bootstrap=secured.address("TLS", "localhost")),
        "no certificate": tls(secured, "BADGE"),
        "stranger's certificate": tls(secured, "BADGE", ssl_certfile=str(secured.stranger.sign("mallory"))),
    }[case]
    with pytest.raises(TlsRefusedError) as caught:
        await asked(said)
    assert words in str(caught.value)
    assert caplog.text == ""


@pytest.mark.provokes("HR201")
@pytest.mark.parametrize("listener", ["TLS", "LOGIN", "plain"])
async def test_a_port_that_speaks_something_else_is_told_as_far_as_one_can_know(
    secured: Secured, listener: str, caplog: pytest.LogCaptureFixture
) -> None:
    said = tls(secured, bootstrap=secured.node.bootstrap)
    if listener != "plain":
        said = {"bootstrap": secured.address(listener)}
    with pytest.raises(BrokerUnreachableError, match="takes connections and closes them without a word; wait until"):
        await asked(said)
    assert caplog.text == ""


@pytest.mark.provokes("HR201")
async def test_a_broker_whose_clients_are_sent_where_nobody_is_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    async def knocked(*_: object) -> list[tuple[str, int]]:
        return [("127.0.0.1", 1)]

    monkeypatch.setattr(subject, "_knock", knocked)
    found = await refusal(Connection("127.0.0.1:2"))
    assert isinstance(found, BrokerUnreachableError)
    assert found.fault == "the broker at 127.0.0.1:2 says that it is at 127.0.0.1:1, and nobody answers there"


@pytest.mark.provokes("HR201")
async def test_of_several_addresses_the_one_that_says_why_is_told(secured: Secured) -> None:
    said = login(secured, sasl_password=WRONG)
    with socket.create_server(("127.0.0.1", 0)) as closed:
        nobody = f"127.0.0.1:{closed.getsockname()[1]}"
    found = await refusal(connected(**{**said, "bootstrap": f"{said['bootstrap']},{nobody}"}))
    assert isinstance(found, LoginRefusedError)
    assert isinstance(await refusal(connected(**{**said, "bootstrap": nobody})), BrokerUnreachableError)
