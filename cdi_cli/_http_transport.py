"""One attempt of one request over httpx: raw bytes in, a whole `Response` out, or an error that says what to do.

httpx's own texts never leave this module: they hold URLs with their query and, for a bad header, its value.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from cdi_cli._http_gzip import ENCODINGS, BrokenStreamError, ExpansionError, Inflater
from cdi_cli._http_retry import AttemptFailedError
from cdi_cli._http_types import HttpLimits, Response
from cdi_cli.errors import CdiError, ConfigError, ProtocolError, StoppedError, TooLargeError

for _name, _level in (("httpx", logging.WARNING), ("httpcore", logging.WARNING), ("stamina", logging.ERROR)):
    logging.getLogger(_name).setLevel(_level)  # their lower levels print URLs with queries, or each retry

_DROPPED = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)
"""TLS errors that only mean that the connection was cut."""


class _Pool:
    """An httpx client, when it was made and how many requests use it now."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        self.made_at = time.monotonic()
        self.users = 0
        self.is_retired = False


class Transport:
    """Makes attempts within the limits; replaces its connections when they are old, without disturbing those in use."""

    def __init__(self, *, limits: HttpLimits, user_agent: str, ca_file: str | None, trust_env: bool) -> None:
        self._limits = limits
        self._user_agent = user_agent
        self._trust_env = trust_env
        self._tls = _tls_context(ca_file)
        self._pool: _Pool | None = None

    async def attempt(
        self, method: str, url: str, *, what: str, headers: Mapping[str, str], content: bytes | None
    ) -> Response:
        """Send once and read the answer to its end.

        Raises AttemptFailedError for everything that a repeat may cure, TooLargeError when the body exceeds
        `decoded_bytes_max`, StoppedError when TLS cannot be trusted, ConfigError for what HTTP cannot express.
        """
        pool = await self._lease()
        failure: CdiError
        try:
            request = pool.client.build_request(method, url, headers=dict(headers), content=content)
            async with asyncio.timeout(self._limits.total_seconds):
                response = await pool.client.send(request, stream=True, auth=None)
                try:
                    body = await self._read(response, what)
                finally:
                    await response.aclose()
            return Response(response.status_code, dict(response.headers), body, what)
        except TimeoutError:
            failure = AttemptFailedError(f"no complete answer within {self._limits.total_seconds:g} s", is_lost=True)
        except (UnicodeError, httpx.InvalidURL, httpx.LocalProtocolError):
            failure = _unwritable(what)
        except httpx.TransportError as error:
            failure = _explained(error, what, urlsplit(url).hostname or "", self._limits)
        finally:
            await self._give_back(pool)
        raise failure  # out here, so that httpx's error does not hang on to it as its context

    async def close(self) -> None:
        """Close all connections."""
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.client.aclose()

    async def _lease(self) -> _Pool:
        pool = self._pool
        if pool is None or time.monotonic() - pool.made_at > self._limits.connection_age_seconds:
            old, pool = pool, _Pool(self._new_client())
            self._pool = pool
            if old is not None:
                old.is_retired = True
                await self._close_if_unused(old)
        pool.users += 1
        return pool

    async def _give_back(self, pool: _Pool) -> None:
        pool.users -= 1
        await self._close_if_unused(pool)

    async def _close_if_unused(self, pool: _Pool) -> None:
        if pool.is_retired and not pool.users:
            await pool.client.aclose()

    def _new_client(self) -> httpx.AsyncClient:
        limits = self._limits
        return httpx.AsyncClient(
            verify=self._tls,
            trust_env=self._trust_env,
            follow_redirects=False,
            http2=False,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),  # a session would tie requests to each other
            headers={"user-agent": self._user_agent, "accept-encoding": "gzip"},
            timeout=httpx.Timeout(limits.total_seconds, connect=limits.connect_seconds),
            limits=httpx.Limits(
                max_connections=limits.connections, max_keepalive_connections=limits.connections, keepalive_expiry=30.0
            ),
        )

    async def _read(self, response: httpx.Response, what: str) -> bytes:
        bytes_max = self._limits.decoded_bytes_max
        encoding = response.headers.get("content-encoding", "identity").strip().lower()
        if encoding not in ENCODINGS:
            if encoding not in ("identity", ""):
                raise ProtocolError(f"{what}: the answer comes in an encoding that was not asked for")
            return await _read_plain(response, what, bytes_max)
        inflater = Inflater(encoding, bytes_max)
        parts: list[bytes] = []
        try:
            async for chunk in response.aiter_raw():
                parts.append(inflater.feed(chunk))
            if not _may_be_empty(response):
                inflater.finish()
        except BrokenStreamError:
            raise AttemptFailedError("the compressed answer is damaged or cut short", is_lost=True) from None
        except ExpansionError:
            raise _too_large(what, response.status_code, bytes_max) from None
        return b"".join(parts)


def _may_be_empty(response: httpx.Response) -> bool:
    """Whether no body at all is right, although a compressed one was announced."""
    return response.headers.get("content-length") == "0" or response.status_code in (204, 304)


async def _read_plain(response: httpx.Response, what: str, bytes_max: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for chunk in response.aiter_raw():
        size += len(chunk)
        if size > bytes_max:
            raise _too_large(what, response.status_code, bytes_max)
        parts.append(chunk)
    return b"".join(parts)


def _tls_context(ca_file: str | None) -> ssl.SSLContext:
    if ca_file is None:
        return _usual_context()
    if not Path(ca_file).is_file():
        raise ConfigError(f"`ca_file` names no file: {ca_file}", hint="give the path of a PEM file")
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except (ssl.SSLError, OSError):
        raise ConfigError(f"`ca_file` cannot be read: {ca_file}", hint="it must hold certificates in PEM form") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


@cache
def _usual_context() -> ssl.SSLContext:
    """The authorities that everybody trusts; one for all clients, as reading them takes 15 ms."""
    context = httpx.create_ssl_context(trust_env=False)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _explained(error: httpx.TransportError, what: str, host: str, limits: HttpLimits) -> StoppedError:
    """Our error for one of httpx's: never with its text."""
    causes = list(_causes(error))
    if isinstance(error, httpx.ConnectError):
        for cause in causes:
            if isinstance(cause, ssl.SSLError) and not isinstance(cause, _DROPPED):
                return _untrusted(cause, what, host)
        if any(isinstance(cause, socket.gaierror) for cause in causes):
            return AttemptFailedError(f"the host name `{host}` cannot be found")
    if isinstance(error, httpx.ConnectTimeout):
        return AttemptFailedError(f"no connection to `{host}` within {limits.connect_seconds:g} s")
    if isinstance(error, httpx.ConnectError):
        systems = (cause.errno for cause in causes if isinstance(cause, OSError) and not isinstance(cause, ssl.SSLError))
        number = next(filter(None, systems), None)
        reason = os.strerror(number).lower() if number else "the connection failed"
        return AttemptFailedError(f"no connection to `{host}`: {reason}")
    if isinstance(error, httpx.TimeoutException):
        is_lost = not isinstance(error, httpx.PoolTimeout)
        return AttemptFailedError(f"no complete answer within {limits.total_seconds:g} s", is_lost=is_lost)
    if isinstance(error, httpx.ProxyError):
        return AttemptFailedError("the proxy refused the connection")
    return AttemptFailedError("the connection broke before the answer was complete", is_lost=True)


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    queue: list[BaseException | None] = [error]
    while queue:
        cause = queue.pop(0)
        if cause is None or id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        queue += [cause.__cause__, cause.__context__]
        if isinstance(cause, BaseExceptionGroup):
            queue += cause.exceptions


def _untrusted(error: ssl.SSLError, what: str, host: str) -> StoppedError:
    if isinstance(error, ssl.SSLCertVerificationError):
        return StoppedError(
            f"{what}: the TLS certificate of `{host}` is not trusted: {error.verify_message.rstrip('.').lower()}",
            hint="check the host name and this machine's clock; for a private authority set `ca_file`",
        )
    reason = (error.reason or "handshake failed").replace("_", " ").lower()
    return StoppedError(
        f"{what}: no secure connection to `{host}`: {reason}", hint="the server must speak TLS 1.2 or later on this port"
    )


def _too_large(what: str, status: int, bytes_max: int) -> TooLargeError:
    return TooLargeError(
        f"{what}: the answer is larger than {bytes_max:,} bytes", status=status, hint="ask for fewer records"
    )


def _unwritable(what: str) -> ConfigError:
    return ConfigError(
        f"{what}: a header or the URL holds a character that HTTP does not allow",
        hint="check credentials and endpoint for line breaks, blanks and non-ASCII characters",
    )
