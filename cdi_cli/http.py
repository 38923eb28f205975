"""HTTP for all connectors: one client that retries, waits when asked, bounds everything and never shows a secret.

    client = HttpClient(on_retry=context.on_retry, on_wait=context.on_wait)
    response = await client.request("POST", url, what="Segment batch", headers=..., content=...)

What a caller may rely on:
- each attempt has one deadline around all of it, a cap on inflated bytes, and verified TLS 1.2 or later;
- transient statuses, broken connections and damaged bodies are repeated within the `RetryPolicy`; whatever else the server
  answers is returned for the caller to judge, except redirects, which are never followed;
- `headers` and `content` given as functions are evaluated for each attempt (fresh token, fresh time);
- error texts name `what` was asked for and the host, never the path, the query or a header.

httpx is imported when the first client is made: importing this module is cheap.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode, urlsplit

from cdi_cli import __version__
from cdi_cli._http_gzip import gzip
from cdi_cli._http_retry import AttemptFailedError
from cdi_cli._http_types import TRANSIENT_STATUSES, HttpLimits, Response, RetryPolicy, checked_host, is_loopback
from cdi_cli.errors import LostAnswerError, RefusedError, TransientError
from cdi_cli.secrets import Secret

if TYPE_CHECKING:
    from cdi_cli._http_transport import Transport

__all__ = [
    "TRANSIENT_STATUSES",
    "AttemptFailedError",
    "HttpClient",
    "HttpLimits",
    "Response",
    "RetryPolicy",
    "checked_host",
    "gzip",
    "is_loopback",
]

Headers = Mapping[str, str] | Callable[[], Mapping[str, str]]
Content = bytes | Callable[[], bytes] | None


def _ignore(_seconds: float) -> None:
    """Nobody listens."""


class HttpClient:
    """A pool of connections with one retry policy; used by one event loop, closed with `close()`."""

    def __init__(
        self,
        *,
        user_agent: str = f"cdi/{__version__}",
        limits: HttpLimits = HttpLimits(),  # noqa: B008 - immutable
        retry: RetryPolicy = RetryPolicy(),  # noqa: B008 - immutable
        ca_file: str | None = None,
        trust_env: bool = False,
        on_retry: Callable[[float], None] = _ignore,
        on_wait: Callable[[float], None] = _ignore,
    ) -> None:
        """`ca_file` replaces the trusted authorities; `trust_env` takes proxies from the environment.

        `on_retry(seconds)` is called before each wait between attempts, `on_wait(seconds)` when the server asks for a pause
        (or answers 429 without saying how long). Raises ConfigError when `ca_file` cannot be read.
        """
        from cdi_cli._http_transport import Transport

        self._transport: Transport = Transport(limits=limits, user_agent=user_agent, ca_file=ca_file, trust_env=trust_env)
        self._retry = retry
        self._on_retry = on_retry
        self._on_wait = on_wait

    async def request(
        self,
        method: str,
        url: str | Secret,
        *,
        what: str,
        headers: Headers = {},  # noqa: B006 - never changed
        params: Sequence[tuple[str, str]] = (),
        content: Content = None,
        accept: Callable[[Response], None] | None = None,
        retry: RetryPolicy | None = None,
    ) -> Response:
        """Send until there is an answer that is not transient, and return it; the caller judges its status.

        A URL that is a secret itself (a webhook's) is given as one. `params` are added to the URL's query.
        `accept(response)` may raise TransientError or ProtocolError to have the request repeated, AttemptFailedError to
        choose the pause too; its last error is what is raised in the end. Raises TransientError when retries are over (of a
        policy that does not repeat, LostAnswerError where the request may have been carried out), RefusedError for a
        redirect, TooLargeError for a body over `decoded_bytes_max`, StoppedError for TLS that cannot be trusted, ConfigError
        for an unencrypted or impossible URL.
        """
        import stamina

        from cdi_cli._http_retry import Schedule

        plain_url = url.reveal() if isinstance(url, Secret) else url
        parts = urlsplit(plain_url)
        host = checked_host(f"{parts.scheme}://{parts.netloc}")
        address = _with_params(plain_url, params)
        policy = retry or self._retry
        schedule = Schedule(policy, self._on_retry, self._on_wait)
        try:
            async for attempt in stamina.retry_context(on=schedule, attempts=policy.attempts, timeout=None):
                with attempt:
                    return await self._attempt(method, address, what, headers, content, accept, policy)
        except AttemptFailedError as failure:
            is_lost = failure.is_lost and not policy.is_repeatable
            raise (LostAnswerError if is_lost else TransientError)(
                f"{what}: {failure.cause} ({schedule.failures} attempts in {schedule.seconds:.0f} s)",
                where=f"{method} {host}",
                hint="check the network and the address, then run the same command again",
            ) from None
        msg = "stamina neither returned nor raised"
        raise AssertionError(msg)

    async def _attempt(
        self,
        method: str,
        url: str,
        what: str,
        headers: Headers,
        content: Content,
        accept: Callable[[Response], None] | None,
        policy: RetryPolicy,
    ) -> Response:
        from cdi_cli._http_retry import pause_asked_for

        response = await self._transport.attempt(
            method,
            url,
            what=what,
            headers=headers() if callable(headers) else headers,
            content=content() if callable(content) else content,
        )
        status = response.status
        if status in policy.statuses and not (policy.is_final is not None and policy.is_final(response)):
            raise AttemptFailedError(
                f"the server answered {status}",
                pause_seconds=pause_asked_for(status, response.headers, policy.retry_after_max_seconds),
                is_throttled=status in (403, 429),  # a 403 is repeated only where it is another word for 429
            )
        if 300 <= status < 400:
            raise _redirected(response, what, url)
        if accept is not None:
            accept(response)
        return response

    async def close(self) -> None:
        """Close all connections."""
        await self._transport.close()


def _with_params(url: str, params: Sequence[tuple[str, str]]) -> str:
    if not params:
        return url
    return f"{url}{'&' if '?' in url else '?'}{urlencode(params, quote_via=quote)}"


def _redirected(response: Response, what: str, url: str) -> RefusedError:
    host = urlsplit(url).hostname
    try:
        target = urlsplit(response.headers.get("location", "")).hostname
    except ValueError:
        target = None
    elsewhere = f" and points to `{target}`" if target and target != host else ""
    return RefusedError(
        f"{what}: `{host}` answered {response.status}, a redirect,{elsewhere or ' which is not followed'}",
        status=response.status,
        code="redirect",
        hint="the endpoint in the settings is probably not that of the API: check host, region and path",
    )
