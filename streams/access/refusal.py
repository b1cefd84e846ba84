"""Why a broker lets nobody in: found by knocking once more, since aiokafka only logs what each of its tries met."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from headrace.core.errors import BrokerError
from headrace.streams.access.connection import Connection
from headrace.streams.access.errors import LoginRefusedError, TlsRefusedError
from headrace.streams.errors import BrokerUnreachableError

__all__ = ["causes", "refusal", "unreachable", "why_unreachable"]

KNOCK_S = 3.0  # a broker answers within milliseconds; what listens there and says nothing is none

# https://docs.openssl.org/3.0/man3/X509_STORE_CTX_get_error/
_OTHER_HOST = (62, 64)  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH
_CLOSED = (EOFError, ConnectionResetError, ssl.SSLEOFError, ssl.SSLZeroReturnError)
_UNKNOWN_SIGNER = (2, 18, 19, 20, 21)  # an issuer is missing, or is its own


def unreachable(connection: Connection, error: BaseException | None = None) -> BrokerUnreachableError:
    """Return the error of a broker that does not answer."""
    why = f" ({type(error).__name__})" if error is not None else ""
    return BrokerUnreachableError(
        f"no Kafka broker answers at {connection}{why}",
        mend="start it, or correct broker.bootstrap or HEADRACE_BROKER",
    )


async def why_unreachable(connection: Connection, error: BaseException) -> BrokerError:
    """Return why a broker could not be reached: what knocking says, else that it did not answer.

    Args:
        connection: how the broker was to be reached.
        error: what was met.
    """
    return await refusal(connection) or unreachable(connection, error)


async def refusal(connection: Connection) -> BrokerError | None:
    """Return why nobody is let in; None when we are. The first address that answers decides."""
    from aiokafka.conn import collect_hosts

    met: BrokerError | None = None
    last: BaseException | None = None
    try:
        hosts = collect_hosts(connection.bootstrap)
    except ValueError as wrong:
        return unreachable(connection, wrong)
    for host, port, _ in hosts:
        try:
            nodes = await _knock(host, port, connection)
        except Exception as found:  # noqa: BLE001 - aiokafka asserts where a broker answers strangely
            met, last = _meaning(found, f"{host}:{port}", connection) or met, found
        else:
            return await _advertised(f"{host}:{port}", nodes)
    return met or unreachable(connection, last)


async def _advertised(where: str, nodes: list[tuple[str, int]]) -> BrokerUnreachableError | None:
    """Return what is wrong with the addresses that a broker tells its clients; None when one of them answers."""
    for host, port in nodes:
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(KNOCK_S):
                _, writer = await asyncio.open_connection(host, port)
            writer.close()
            return None
    told = ", ".join(f"{host}:{port}" for host, port in nodes) or "nowhere"
    return BrokerUnreachableError(
        f"the broker at {where} says that it is at {told}, and nobody answers there",
        mend="correct its advertised.listeners: clients must be able to connect to what stands there",
    )


async def _knock(host: str, port: int, connection: Connection) -> list[tuple[str, int]]:
    """Log in, and return where the brokers say that they are."""
    from aiokafka.conn import create_conn
    from aiokafka.protocol.metadata import MetadataRequest

    async with asyncio.timeout(KNOCK_S):
        conn: Any = await create_conn(
            host, port, client_id="headrace-knock", request_timeout_ms=int(KNOCK_S * 1000), **connection.access
        )
        try:
            metadata = await conn.send(MetadataRequest([]))
            return [(node[1], node[2]) for node in metadata.brokers]
        finally:
            conn.close()


def _meaning(error: BaseException, where: str, connection: Connection) -> BrokerError | None:
    """Return what an error of one knock means; None when it only says that nobody is there."""
    from aiokafka.errors import IllegalSaslStateError, SaslAuthenticationFailed, UnsupportedSaslMechanismError

    met = list(causes(error))
    if any(isinstance(one, _CLOSED) for one in met):
        # No refusal: what stands before a broker that is away does the same.
        return BrokerUnreachableError(
            f"{where} takes connections and closes them without a word",
            mend=f"wait until it has started, or correct security_protocol ({connection.protocol} here) or the port",
        )
    tls = next((one for one in met if isinstance(one, ssl.SSLError)), None)
    if tls is not None:
        return _tls_meaning(tls, where, connection)
    if connection.mechanism is not None and isinstance(met[0], ValueError | AssertionError):  # SCRAM's own doubts
        met.append(SaslAuthenticationFailed())
    if any(isinstance(one, SaslAuthenticationFailed) for one in met):
        return LoginRefusedError(
            f"{where} refuses the name or the password of {connection.principal} ({connection.mechanism})",
            mend="correct sasl_username, its password or sasl_mechanism",
        )
    if any(isinstance(one, UnsupportedSaslMechanismError | IllegalSaslStateError) for one in met):
        return LoginRefusedError(
            f"{where} does not take {connection.mechanism}",
            mend="correct sasl_mechanism, security_protocol or the port",
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


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error, what caused it, and so on."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__
