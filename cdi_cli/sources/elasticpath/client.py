"""Requests to the store: token, pace, and what each refusal means (sheet "elasticpath", section 4).

Invariants: a 401 costs one new token and one replay, never more; a 429 pauses all requests of the run and is repeated with
jitter; what the store fails on again and again is told with its `request_id`; a 200 that is not the JSON we expect is
repeated as a transient failure is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar, cast
from urllib.parse import urlsplit

from cdi_cli.clock import Clock, Instant
from cdi_cli.errors import AuthError, CdiError, ProtocolError, RefusedError, ScopeError, TooLargeError, TransientError
from cdi_cli.http import HttpClient, Response, RetryPolicy
from cdi_cli.sources.elasticpath.envelope import Envelope, lenient_envelope
from cdi_cli.sources.elasticpath.pace import Pace
from cdi_cli.sources.elasticpath.replies import problem_of
from cdi_cli.sources.elasticpath.settings import ElasticPathSettings
from cdi_cli.sources.elasticpath.token import Token, TokenKeeper

T = TypeVar("T")
Params = Sequence[tuple[str, str]]


class FilterRefusedError(RefusedError):
    """The store does not read the filter as it is written: another dialect may do."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One GET: `path` below the API's address, `what` it is for in error texts.

    `scope_hint` is what to do about a missing permission. `is_private`: the request holds somebody's address or name, so
    that nothing of what a refusal says is told.
    """

    path: str
    what: str
    params: Params = ()
    scope_hint: str = ""
    is_private: bool = False


class Client:
    """Asks the store; used by one event loop, closed with `close()`."""

    def __init__(
        self, settings: ElasticPathSettings, http: HttpClient, clock: Clock, *, pace: Pace, retry: RetryPolicy
    ) -> None:
        """`retry` is that of `http`; raises ConfigError when the client's secret cannot be read."""
        self.tokens = TokenKeeper(settings, http, clock, pace)
        self._settings = settings
        self._http = http
        self._pace = pace
        self._retry = retry
        self._slots = asyncio.Semaphore(settings.requests_at_once)

    async def get(self, ask: Ask, kind: type[T]) -> T:
        """The decoded answer.

        Raises AuthError (ScopeError for a missing permission), TransientError, ProtocolError, RefusedError
        (FilterRefusedError, TooLargeError).
        """
        try:
            async with self._slots:
                return await self._get(ask, kind)
        except CdiError as error:
            error.where = error.where or f"GET {urlsplit(self._settings.url).hostname}"
            raise

    async def find(self, ask: Ask, kind: type[T]) -> T | None:
        """The decoded answer; None where there is no such thing. Raises what `get` raises."""
        try:
            return await self.get(ask, kind)
        except RefusedError as error:
            if error.status != 404:
                raise
            return None

    async def server_now(self) -> Instant:
        """The store's clock; raises StoppedError."""
        return await self.tokens.server_now()

    async def close(self) -> None:
        """Close all connections."""
        await self._http.close()

    async def _get(self, ask: Ask, kind: type[T]) -> T:
        token = await self.tokens.get()
        answer = await self._send(ask, kind, token)
        if isinstance(answer, Response) and answer.status == 401:
            answer = await self._send(ask, kind, await self.tokens.renew(token))
        if isinstance(answer, Response):
            raise _refused(ask, answer, self._settings)
        return answer

    async def _send(self, ask: Ask, kind: type[T], token: Token) -> T | Response:
        decoded: list[T] = []
        request_ids: list[str] = []

        def accept(response: Response) -> None:
            self.tokens.time.read(response)
            if response.status == 200:
                decoded[:] = [_decoded(response, kind)]

        def is_final(response: Response) -> bool:
            if response.status == 429:
                self._pace.hold(_retry_after(response))
            elif found := problem_of(response).request_id:
                request_ids[:] = [found]
            return False

        await self._pace.turn()
        try:
            response = await self._http.request(
                "GET",
                f"{self._settings.url}{ask.path}",
                what=ask.what,
                headers={"authorization": f"Bearer {token.access_token}", "accept": "application/json"},
                params=ask.params,
                accept=accept,
                retry=replace(self._retry, is_final=is_final),
            )
        except TransientError as error:
            if request_ids:
                error.message = f"{error.message}, request id {request_ids[0]}"
                error.args = (error.message,)
                error.hint = "run the same command again; the vendor's support finds the cause by the request id"
            raise
        return decoded[0] if decoded else response


def _decoded(response: Response, kind: type[T]) -> T:
    """The answer as `kind`; raises ProtocolError. A page with one spoilt record is no reason to lose the others."""
    try:
        answer: T = response.json(kind)
    except ProtocolError:
        page = lenient_envelope(response.body) if kind is Envelope else None
        if page is None:
            raise
        answer = cast(T, page)
    return answer


def _retry_after(response: Response) -> float:
    try:
        return max(float(response.headers.get("retry-after", "1")), 0.0)
    except ValueError:
        return 1.0


def _refused(ask: Ask, response: Response, settings: ElasticPathSettings) -> CdiError:
    """The error for an answer that is not good and is not worth asking for again."""
    status, problem = response.status, problem_of(response)
    text = "" if ask.is_private else problem.text
    said = f": {text}" if text else ""
    key = f"application key `{settings.client_id}`"
    if status == 401:
        return AuthError(
            f"{ask.what}: the store refuses the token of the {key}{said}",
            hint="check that the application key still exists in Commerce Manager, and that it is not one of shoppers",
        )
    if status == 403:
        return ScopeError(
            f"{ask.what}: the {key} may not read it{said}",
            hint=ask.scope_hint or "use an application key of the store itself, with the permissions of an administrator",
        )
    if status == 413:
        return TooLargeError(f"{ask.what}: the answer is too large", status=status, hint="set a smaller `page_size`")
    where = f", request id {problem.request_id}" if problem.request_id else ""
    kind: Callable[..., RefusedError] = FilterRefusedError if status == 400 and problem.is_bad_filter else RefusedError
    return kind(
        f"{ask.what}: the store answered {status}{said}{where}",
        status=status,
        hint="check `region` or `base_url`" if status == 404 else None,
    )
