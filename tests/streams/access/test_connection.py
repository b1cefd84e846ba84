"""How the broker is reached: what the file says, what the environment says, and what is never shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from headrace.core.config.broker import Broker
from headrace.core.config.errors import BrokerSettingsError
from headrace.streams.access.connection import Connection, connection_to
from headrace.streams.access.errors import SecretFileError
from headrace.streams.broker.errors import BrokerNotRunningError
from tests.support.certificates import KEY_PASSWORD, Authority

SECRET = "planted-1f9e"
LOGIN: dict[str, Any] = {
    "HEADRACE_BROKER": "b:1",
    "HEADRACE_BROKER_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
    "HEADRACE_BROKER_SASL_MECHANISM": "SCRAM-SHA-256",
    "HEADRACE_BROKER_SASL_USERNAME": "ann",
    "HEADRACE_BROKER_SASL_PASSWORD": SECRET,
}


def connected(broker: Broker | None = None, **environ: str) -> Connection:
    return connection_to(broker, start_embedded=False, home=Path("nowhere"), environ=environ)


@pytest.fixture(autouse=True)
def _named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADRACE_BROKER", "b:1")  # `bootstrap` reads the process's own


def test_without_a_word_about_security_nothing_is_asked_for() -> None:
    found = connected(HEADRACE_BROKER="b:1")
    assert found.options == {"bootstrap_servers": "b:1", "security_protocol": "PLAINTEXT", "ssl_context": None}
    assert (str(found), found.principal, found.credentials) == ("b:1", "User:ANONYMOUS", None)


def test_the_environment_names_the_broker_and_how_it_lets_one_in() -> None:
    found = connected(**LOGIN)
    assert found.options == {
        "bootstrap_servers": "b:1",
        "security_protocol": "SASL_PLAINTEXT",
        "ssl_context": None,
        "sasl_mechanism": "SCRAM-SHA-256",
        "sasl_plain_username": "ann",
        "sasl_plain_password": SECRET,
    }
    assert found.principal == "User:ann"
    assert (found.credentials.username, found.credentials.password) == ("ann", SECRET)


def test_a_connection_shows_no_password() -> None:
    found = connected(**LOGIN)
    assert SECRET not in f"{found} {found!r} {found.credentials!r}"


def test_a_password_of_the_environment_does_not_go_to_the_broker_of_the_file() -> None:
    found = connected(Broker(bootstrap="a:1"), **LOGIN)
    assert (found.bootstrap, found.mechanism, found.password) == ("a:1", None, None)


def test_a_file_that_names_no_broker_may_say_how_to_log_in_and_goes_before_the_environment() -> None:
    found = connected(Broker(sasl_username="bob"), **LOGIN)
    assert (found.bootstrap, found.username, found.mechanism) == ("b:1", "bob", "SCRAM-SHA-256")


def test_a_password_may_lie_in_a_file_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "password").write_text(f"{SECRET}\r\n")
    environ = {name: value for name, value in LOGIN.items() if not name.endswith("PASSWORD")}
    environ["HEADRACE_BROKER_SASL_PASSWORD_FILE"] = str(tmp_path / "password")
    assert connected(**environ).options["sasl_plain_password"] == SECRET


@pytest.mark.provokes("HR130")
@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"HEADRACE_BROKER_SASL_PASWORD": SECRET}, "unknown variable .*PASWORD; did you mean .*PASSWORD"),
        ({"HEADRACE_BROKER_SECURITY_PROTOCOL": SECRET}, "PROTOCOL: its value is not allowed; set it to PLAINTEXT, SSL"),
        ({"HEADRACE_BROKER_SSL_CHECK_HOSTNAME": SECRET}, "HOSTNAME: its value is not allowed; set it to true or false"),
        ({"HEADRACE_BROKER_SSL_CAFILE": "ca.pem"}, "CAFILE: ssl_cafile would do nothing: security_protocol is SASL_PL"),
        ({"HEADRACE_BROKER": ""}, "HEADRACE_BROKER_[A-Z_]+ is set, but no broker is named; set HEADRACE_BROKER"),
    ],
)
def test_variables_that_cannot_be_meant_are_refused(environ: dict[str, str], words: str) -> None:
    with pytest.raises(BrokerSettingsError, match=words) as caught:
        connected(**{**LOGIN, **environ})
    assert SECRET not in str(caught.value)


@pytest.mark.provokes("HR130")
def test_a_login_without_a_broker_is_refused() -> None:
    with pytest.raises(BrokerSettingsError, match="the file says how to log in, but no broker is named"):
        connected(Broker(security_protocol="SSL"))


def test_empty_variables_count_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HEADRACE_BROKER")
    with pytest.raises(BrokerNotRunningError):
        connected(HEADRACE_BROKER_SASL_USERNAME=" ")


@pytest.mark.provokes("HR406")
@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"ssl_cafile": "absent.pem"}, "broker.ssl_cafile 'absent.pem': no such file"),
        ({"ssl_cafile": "{junk}"}, "broker.ssl_cafile '.*': no certificate or crl found"),
        ({"ssl_certfile": "absent.pem"}, "broker.ssl_certfile 'absent.pem': no such file"),
        ({"ssl_certfile": "{own}"}, "broker.ssl_certfile '.*': not in pem form, or its password is wrong"),
        ({"ssl_certfile": "{own}", "ssl_keyfile": "{junk}"}, "broker.ssl_keyfile '.*junk.*': not in pem form"),
        ({"ssl_certfile": "{own}", "ssl_password_file": "absent"}, "broker.ssl_password_file 'absent': no such file"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_its_key(tmp_path: Path, said: dict[str, str], words: str) -> None:
    own = Authority(tmp_path, "authority").sign("own", password=KEY_PASSWORD)
    junk = tmp_path / "junk.pem"
    junk.write_text("junk\n")
    broker = {key: value.format(own=own, junk=junk) for key, value in said.items()}
    with pytest.raises(SecretFileError, match=words):
        connected(Broker.model_validate({"bootstrap": "a:1", "security_protocol": "SSL", **broker}))


def test_a_key_with_a_password_opens_and_the_host_is_checked_unless_told_otherwise(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "authority")
    own = authority.sign("own", password=KEY_PASSWORD)
    said = {"bootstrap": "a:1", "security_protocol": "SSL", "ssl_cafile": str(authority.file), "ssl_certfile": str(own)}
    found = connected(Broker.model_validate({**said, "ssl_password": KEY_PASSWORD}))
    assert found.tls is not None
    assert found.tls.check_hostname
    assert found.principal == f"the subject of {own}"
    lax = connected(Broker.model_validate({**said, "ssl_password": KEY_PASSWORD, "ssl_check_hostname": False}))
    assert lax.tls is not None
    assert (lax.tls.check_hostname, lax.tls.verify_mode.name) == (False, "CERT_REQUIRED")
