"""The `broker` section: what goes together, and that no password stands in a file or in a message."""

from __future__ import annotations

from pathlib import Path

import pytest

from headrace.core.config.broker import Broker, broker_faults, from_folder
from headrace.core.errors import ProblemsError
from headrace.core.plan.compile import compile_file
from headrace.core.plan.facts import plan_facts
from headrace.core.plan.plan import Plan

SECRET = "planted-1f9e"
FILE = """\
headrace: 1
pipeline: copy
input: {topic: a}
output: [{topic: {name: b}}]
"""
SASL = "security_protocol: SASL_SSL, sasl_mechanism: SCRAM-SHA-512, sasl_username: ann"


def compiled(folder: Path, broker: str, more: str = "", **environ: str) -> Plan:
    file = folder / "pipeline.yaml"
    file.write_text(f"{FILE}broker: {{bootstrap: 'a:1', {broker}}}\n{more}")
    return compile_file(file, registry="none", environ=environ)


def problems(folder: Path, broker: str, more: str = "", **environ: str) -> list[str]:
    with pytest.raises(ProblemsError) as caught:
        compiled(folder, broker, more, **environ)
    return [f"{one.place.line if one.place else 0} {one.code} {one.fault}; {one.mend}" for one in caught.value.problems]


def test_a_password_comes_from_the_environment_and_changes_nothing_of_the_plan(tmp_path: Path) -> None:
    plan = compiled(tmp_path, f'{SASL}, sasl_password: "${{KAFKA_PASSWORD}}"', KAFKA_PASSWORD=SECRET)
    assert plan.broker.sasl_password is not None
    assert plan.broker.sasl_password.get_secret_value() == SECRET
    assert plan.hash == compiled(tmp_path, "").hash
    assert SECRET not in f"{plan!r} {plan_facts(plan)}"


@pytest.mark.provokes("HR131")
@pytest.mark.parametrize("written", [SECRET, f"'{SECRET}'", f"'${{PREFIX}}{SECRET}'", f"'$${{{SECRET}}}'", "12345678"])
def test_a_password_in_the_file_is_refused_and_not_repeated(tmp_path: Path, written: str) -> None:
    found = problems(tmp_path, f"{SASL}, sasl_password: {written}", PREFIX="x")
    assert any(line.startswith("5 HR131 broker.sasl_password stands in the file; write") for line in found)
    assert not [line for line in found if SECRET in line or "12345678" in line]


@pytest.mark.provokes("HR131")
def test_the_password_of_a_key_is_a_password_too(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, f"security_protocol: SSL, ssl_certfile: c.pem, ssl_password: {SECRET}")
    assert found.startswith("5 HR131 broker.ssl_password stands in the file")


def test_what_the_environment_gave_is_never_repeated_in_a_message(tmp_path: Path) -> None:
    more = 'batch: {max_wait: "${SECRET}"}\ntopics: {create: "${SECRET}"}\n'
    found = problems(tmp_path, 'security_protocol: "${SECRET}"', more, SECRET=SECRET)
    assert len(found) == 3
    assert not [line for line in found if SECRET in line]
    assert found[0] == (
        "5 HR106 broker.security_protocol: its value is not allowed; "
        "write 'PLAINTEXT', 'SSL', 'SASL_PLAINTEXT' or 'SASL_SSL'"
    )


@pytest.mark.provokes("HR130")
@pytest.mark.parametrize(
    ("said", "faults"),
    [
        ({"sasl_username": "ann"}, {"sasl_username": "would do nothing: security_protocol is PLAINTEXT"}),
        ({"security_protocol": "PLAINTEXT", "ssl_cafile": "ca.pem"}, {"ssl_cafile": "would do nothing"}),
        ({"security_protocol": "SSL", "ssl_keyfile": "k.pem"}, {"ssl_keyfile": "of no use without a certificate"}),
        (
            {"security_protocol": "SASL_SSL", "sasl_password": "x", "sasl_password_file": "f"},
            {"sasl_password_file": "both sasl_password and sasl_password_file", "security_protocol": "sasl_username"},
        ),
        ({"security_protocol": "SASL_SSL"}, {"security_protocol": "needs a password"}),
    ],
)
def test_what_does_not_go_together_is_refused(said: dict[str, str], faults: dict[str, str]) -> None:
    found = {fault.key: fault.fault for fault in broker_faults(Broker.model_validate(said))}
    assert found.keys() == faults.keys()
    assert all(words in found[key] for key, words in faults.items()), found


@pytest.mark.provokes("HR130")
def test_every_fault_has_its_place_in_the_file(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, "ssl_cafile: ca.pem")
    assert found == (
        "5 HR130 broker.ssl_cafile: ssl_cafile would do nothing: security_protocol is PLAINTEXT; "
        "add security_protocol: SSL, or remove it"
    )


def test_a_complete_login_has_no_fault() -> None:
    said = {"security_protocol": "SASL_SSL", "sasl_mechanism": "PLAIN", "sasl_username": "ann", "sasl_password": "x"}
    assert list(broker_faults(Broker.model_validate(said))) == []


def test_files_are_meant_from_the_pipeline_file(tmp_path: Path) -> None:
    broker = Broker(ssl_cafile="ca.pem", ssl_certfile="/etc/own.pem")
    found = from_folder(broker, tmp_path)
    assert (found.ssl_cafile, found.ssl_certfile, found.ssl_keyfile) == (f"{tmp_path}/ca.pem", "/etc/own.pem", None)
    assert found.is_secured
    assert not Broker(bootstrap="a:1").is_secured
