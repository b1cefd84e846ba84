"""Why a broker lets nobody in: found by knocking once more, since aiokafka only logs what each of its tries met."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from typing import Any

from headrace.core.errors import BrokerError
from headrace.streams.access.connection import Connection
from headrace.streams.access.errors import LoginRefusedError, TlsRefusedError
from headrace.streams.errors import BrokerUnreachableError

__all__ = ["refusal", "unreachable"]

KNOCK_S = 6.0  # a broker answers within milliseconds; what listens there and says nothing is none

# https://docs.openssl.org/3.0/man3/X509_STORE_CTX_get_error/
_OTHER_HOST = (62, 64)  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH
_UNKNOWN_SIGNER = (2, 18, 19, 20, 21)  # an issuer is missing, or is its own


def unreachable(connection: Connection, error: BaseException | None = None) -> BrokerUnreachableError:
    """Return the error of a broker that does not answer."""
    why = f" ({type(error).__name__})" if error is not None else ""
    return BrokerUnreachableError(
        f"no Kafka broker answers at {connection}{why}",
        mend="start it, or correct broker.bootstrap or HEADRACE_BROKER",
    )


async def refusal(connection: Connection, error: BaseException | None = None) -> BrokerError:
    """Return why nobody is let in: the first address that answers decides.

    Args:
        connection: how the broker was to be reached.
        error: what was met; told if knocking says no more.
    """
    from aiokafka.conn import collect_hosts

    met: BrokerError | None = None
    for host, port, _ in collect_hosts(connection.bootstrap):
        try:
            await _knock(host, port, connection)
        except Exception as found:  # noqa: BLE001 - aiokafka asserts where a broker answers strangely
            met = _meaning(found, f"{host}:{port}", connection) or met
        else:
            return BrokerUnreachableError(
                f"the broker at {host}:{port} answers, but not where it says that it is"
                f" ({type(error).__name__ if error else 'no answer'})",
                mend="look at its advertised.listeners: its clients must be able to connect to what stands there",
            )
    return met or unreachable(connection, error)


async def _knock(host: str, port: int, connection: Connection) -> None:
    from aiokafka.conn import create_conn
    from aiokafka.protocol.metadata import MetadataRequest

    async with asyncio.timeout(KNOCK_S):
        conn: Any = await create_conn(
            host, port, client_id="headrace-knock", request_timeout_ms=int(KNOCK_S * 1000), **connection.access
        )
        try:
            await conn.send(MetadataRequest([]))
        finally:
            conn.close()


def _meaning(error: BaseException, where: str, connection: Connection) -> BrokerError | None:
    """Return what an error of one knock means; None when it only says that nobody is there."""
    from aiokafka.errors import IllegalSaslStateError, SaslAuthenticationFailed, UnsupportedSaslMechanismError

    causes = list(_causes(error))
    tls = next((one for one in causes if isinstance(one, ssl.SSLError)), None)
    if tls is not None:
        return _tls_meaning(tls, where, connection)
    if any(isinstance(one, SaslAuthenticationFailed | ValueError | AssertionError) for one in causes):
        return LoginRefusedError(
            f"{where} refuses the name or the password of {connection.principal} ({connection.mechanism})",
            mend="correct sasl_username, its password or sasl_mechanism",
        )
    if any(isinstance(one, UnsupportedSaslMechanismError | IllegalSaslStateError) for one in causes):
        return LoginRefusedError(
            f"{where} does not take {connection.mechanism}",
            mend="correct sasl_mechanism, security_protocol or the port",
        )
    if any(isinstance(one, EOFError | ConnectionResetError) for one in causes):
        return TlsRefusedError(
            f"{where} closes the connection without a word, as when it speaks something else than "
            f"{connection.protocol}",
            mend="correct security_protocol or the port",
        )
    return None


def _tls_meaning(error: ssl.SSLError, where: str, connection: Connection) -> TlsRefusedError:
    if isinstance(error, ssl.SSLCertVerificationError):
        if error.verify_code in _OTHER_HOST:
            return TlsRefusedError(
                f"the certificate of {where} is for another host",
                mend="connect to a name that it has, or set ssl_check_hostname: false if it is to be trusted as it is",
            )
        if error.verify_code in _UNKNOWN_SIGNER:
            return TlsRefusedError(
                f"the certificate of {where} is signed by an authority that is not known here ({error.verify_message})",
                mend="set ssl_cafile to the authority's certificate",
            )
        return TlsRefusedError(
            f"the certificate of {where} is not good: {error.verify_message}", mend="give the broker a good one"
        )
    reason = (error.reason or str(error)).lower().replace("_", " ")
    if "certificate" in reason:
        own = connection.certfile
        wish = f"does not take the certificate {own}" if own else "wants a certificate of ours"
        return TlsRefusedError(
            f"{where} {wish} ({reason})",
            mend="set ssl_certfile and ssl_keyfile to a certificate that its authorities have signed",
        )
    return TlsRefusedError(
        f"{where} does not speak TLS as we do ({reason})", mend="correct security_protocol or the port"
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__
