"""Why a broker does not let us in, or not do what we ask."""

from __future__ import annotations

from headrace.core.errors import BrokerError, MachineError

__all__ = ["AccessDeniedError", "LoginRefusedError", "SecretFileError", "TlsRefusedError"]


class SecretFileError(MachineError):
    """A certificate, a key or a password cannot be read from its file.

    `ssl_cafile`, `ssl_certfile` and `ssl_keyfile` are PEM files (they begin with -----BEGIN), and a key with a password
    needs `ssl_password`. Paths in a pipeline file are meant from that file. Mend: correct the path, let this user read
    the file, or convert it: `openssl x509 -inform der` reads other forms.
    """

    code = "HR406"

    def __init__(self, key: str, file: str, reason: str) -> None:
        super().__init__(f"broker.{key} {file!r}: {reason}", mend="correct the path, its permissions or its password")
        self.key, self.file = key, file


class LoginRefusedError(BrokerError):
    """The broker does not take the name and password, or not this way of proving them.

    A wrong name and a wrong password look the same from outside. Mend: compare `sasl_username`, the password's variable
    or file, and `sasl_mechanism` with what the cluster has; a SCRAM user is made for one mechanism at a time
    (`kafka-configs --alter --add-config 'SCRAM-SHA-512=[password=…]' --entity-type users --entity-name NAME`).
    """

    code = "HR241"


class TlsRefusedError(BrokerError):
    """No encrypted connection to the broker comes about.

    The message says why: the broker's certificate is signed by an authority that `ssl_cafile` does not have, is for
    another host, or is too old; the broker wants a certificate of ours; or one of the two does not speak TLS on this
    port. Nothing is ever sent unverified. Mend: what the message says; the broker's certificate is
    shown by `openssl s_client -connect HOST:PORT`.
    """

    code = "HR242"


class AccessDeniedError(BrokerError):
    """The broker knows who we are and does not allow what we ask.

    Its authorizer has no rule (ACL) for it; the message names the principal, the operation and the resource. Mend: add
    the ACL: `headrace plan FILE --acls` prints all that the pipeline needs as ready `kafka-acls` commands. Nothing was
    skipped: once it is there, a new start goes on where it was.
    """

    code = "HR243"

    def __init__(self, principal: str, operation: str, resource: str, name: str = "") -> None:
        where = f"{resource} {name!r}" if name else resource
        super().__init__(
            f"the broker denies {principal} {operation} on {where}",
            mend=f"allow it: kafka-acls --add --allow-principal {principal!r} --operation {operation} "
            f"{_flag(resource, name)}; `headrace plan FILE --acls` prints all that are needed",
        )
        self.principal, self.operation, self.resource, self.name = principal, operation, resource, name


def _flag(resource: str, name: str) -> str:
    flags = {"topic": "--topic", "group": "--group", "transactional id": "--transactional-id"}
    return f"{flags[resource]} {name!r}" if resource in flags else "--cluster"
