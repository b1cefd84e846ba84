"""What proves who we are and who the broker is: passwords, certificates, keys, and their files."""

from __future__ import annotations

import ssl
from pathlib import Path

from pydantic import SecretStr

from headrace.core.config.broker import Broker
from headrace.streams.access.errors import SecretFileError

__all__ = ["secret", "tls_context"]


def secret(broker: Broker, key: str) -> SecretStr | None:
    """Return a secret: from its own key, or the first line of the file that the neighbouring key names.

    Raises:
        SecretFileError: HR406, the file cannot be read.
    """
    given: SecretStr | None = getattr(broker, key)
    file: str | None = getattr(broker, f"{key}_file")
    if given is not None or file is None:
        return given
    try:
        return SecretStr(Path(file).read_text(encoding="utf-8").partition("\n")[0].rstrip("\r"))
    except (OSError, ValueError) as error:
        raise SecretFileError(f"{key}_file", file, _reason(error)) from None


def tls_context(broker: Broker) -> ssl.SSLContext:
    """Return how TLS is spoken: brokers are always verified, against the file's authorities or the system's.

    Raises:
        SecretFileError: HR406, a file cannot be read, or is not what it should be.
    """
    try:
        context = ssl.create_default_context(cafile=broker.ssl_cafile)
    except (OSError, ValueError) as error:  # SSLError is an OSError
        raise SecretFileError("ssl_cafile", str(broker.ssl_cafile), _reason(error)) from None
    context.check_hostname = broker.ssl_check_hostname
    if broker.ssl_certfile is not None:
        password = secret(broker, "ssl_password")
        # OpenSSL would ask on the terminal if nobody answered here.
        answer = password.get_secret_value() if password is not None else ""
        try:
            context.load_cert_chain(broker.ssl_certfile, broker.ssl_keyfile, lambda: answer)
        except (OSError, ValueError) as error:
            raise SecretFileError(*_blamed(broker), _reason(error)) from None
    return context


def _blamed(broker: Broker) -> tuple[str, str]:
    """Return the key and the file that a refused certificate is most likely about: OpenSSL does not tell."""
    certificate, key = str(broker.ssl_certfile), broker.ssl_keyfile
    if key is None or not _holds(certificate, "CERTIFICATE"):
        return "ssl_certfile", certificate
    return "ssl_keyfile", key


def _holds(file: str, what: str) -> bool:
    try:
        return f"-----BEGIN {what}-----" in Path(file).read_text(encoding="ascii", errors="replace")
    except OSError:
        return False


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        said = (error.reason or "not in PEM form, or its password is wrong").lower().replace("_", " ")
        return said
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else "it cannot be read"
