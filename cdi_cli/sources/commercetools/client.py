"""Requests to the project: token, correlation id, and what each refusal means.

Invariants: a request is answered with the decoded body or an error that names the correlation id
`cdi-{run_id}-{number}`; a 401 costs one new token and one replay, never more; a 200 that is not the JSON we expect is
repeated as a transient failure is. Error codes: sheet "commercetools", section 4.
"""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar
from urllib.parse import urlsplit

import msgspec

from cdi_cli.clock import Clock
from cdi_cli.errors import (
    AuthError,
    CdiError,
    ProtocolError,
    RefusedError,
    ScopeError,
    StoppedError,
    TooLargeError,
    TransientError,
)
from cdi_cli.http import TRANSIENT_STATUSES, HttpClient, HttpLimits, Response, RetryPolicy
from cdi_cli.sources.commercetools.paging import Envelope, lenient_envelope
from cdi_cli.sources.commercetools.settings import CommercetoolsSettings
from cdi_cli.sources.commercetools.token import Token, TokenKeeper

T = TypeVar("T")
Params = Sequence[tuple[str, str]]

SLOW_STATUSES = frozenset({408, 504})
SLOW_CODE = "QueryTimedOut"
MESSAGE_CHARACTERS_MAX = 200
_NOT_IN_ID = re.compile(r"[^A-Za-z0-9_-]+")
_SCOPE = re.compile(r"[a-z_]+(?::[A-Za-z0-9_.-]*[A-Za-z0-9_-]){1,2}")


class SlowAnswerError(StoppedError):
    """The server takes too long for this request: ask for less at once."""


class _Detail(msgspec.Struct, frozen=True):
    code: str = ""


class Problem(msgspec.Struct, frozen=True):
    """The error envelope."""

    message: str = ""
    errors: tuple[_Detail, ...] = ()
    error: str = ""

    @property
    def code(self) -> str:
        """The first error's code; empty if there is none."""
        return self.errors[0].code if self.errors else self.error


@dataclass(frozen=True, slots=True)
class Ask:
    """One GET: `path` below the project, `what` it is for in error texts, the permission it needs.

    `is_divisible`: less can be asked for, so a slow answer raises SlowAnswerError at once instead of being waited for again.
    `scope_hint` is what to do about a missing permission.
    """

    path: str
    what: str
    params: Params = ()
    permission: str = ""
    is_divisible: bool = False
    scope_hint: str = ""


class _Attempts:
    """The headers of each attempt; ends the repeating when the attempt before ran into its deadline."""

    def __init__(self, headers: Mapping[str, str], deadline_seconds: float, clock: Clock, *, is_divisible: bool) -> None:
        self._headers = headers
        self._deadline_seconds = deadline_seconds
        self._clock = clock
        self._is_divisible = is_divisible
        self._started: float | None = None

    def __call__(self) -> Mapping[str, str]:
        if self._is_divisible and self.has_run_out:
            raise SlowAnswerError("the server took too long")
        self._started = self._clock.monotonic()
        return self._headers

    @property
    def has_run_out(self) -> bool:
        """Whether the deadline of an attempt has passed since the last one began; a long pause may count as that too."""
        return self._started is not None and self._clock.monotonic() - self._started >= self._deadline_seconds


def _decoded(response: Response, kind: type[T]) -> T:
    """The answer as `kind`; raises ProtocolError. A page with one spoilt record is no reason to lose the others."""
    try:
        answer: T = response.json(kind)
    except ProtocolError:
        page = lenient_envelope(response.body) if kind is Envelope else None
        if not isinstance(page, kind):
            raise
        return page
    return answer


class Client:
    """Asks the project; used by one event loop, closed with `close()`."""

    def __init__(
        self,
        settings: CommercetoolsSettings,
        http: HttpClient,
        clock: Clock,
        *,
        run_id: str,
        limits: HttpLimits,
        retry: RetryPolicy,
    ) -> None:
        """`limits` and `retry` are those of `http`; raises ConfigError when the client's secret cannot be read."""
        self.tokens = TokenKeeper(settings, http, clock)
        self._settings = settings
        self._http = http
        self._clock = clock
        self._limits = limits
        self._divisible = replace(retry, statuses=TRANSIENT_STATUSES - SLOW_STATUSES, is_final=_is_too_slow)
        self._ids = (f"cdi-{_NOT_IN_ID.sub('-', run_id)[:80]}-{number}" for number in itertools.count(1))
        self._slots = asyncio.Semaphore(settings.concurrency)

    async def get(self, ask: Ask, kind: type[T]) -> tuple[T, int]:
        """The decoded answer and its size in bytes.

        Raises AuthError (ScopeError for a missing permission), TransientError, ProtocolError, RefusedError, and where the
        ask is divisible TooLargeError and SlowAnswerError: then ask for less.
        """
        correlation_id = next(self._ids)
        try:
            async with self._slots:
                return await self._get(ask, kind, correlation_id)
        except CdiError as error:
            error.where = f"{error.where or self._where}, correlation id {correlation_id}"
            raise

    async def close(self) -> None:
        """Close all connections."""
        await self._http.close()

    @property
    def _where(self) -> str:
        return f"GET {urlsplit(self._settings.project_url).hostname}"

    async def _get(self, ask: Ask, kind: type[T], correlation_id: str) -> tuple[T, int]:
        token = await self.tokens.get()
        answer = await self._send(ask, kind, correlation_id, token)
        if isinstance(answer, Response) and answer.status == 401:
            answer = await self._send(ask, kind, correlation_id, await self.tokens.renew(token))
        if isinstance(answer, Response):
            raise self._refused(ask, answer)
        return answer

    async def _send(self, ask: Ask, kind: type[T], correlation_id: str, token: Token) -> tuple[T, int] | Response:
        decoded: list[tuple[T, int]] = []

        def accept(response: Response) -> None:
            if response.status == 200:
                decoded[:] = [(_decoded(response, kind), len(response.body))]

        headers = {"authorization": f"Bearer {token.access_token}", "x-correlation-id": correlation_id}
        attempts = _Attempts(headers, self._limits.total_seconds, self._clock, is_divisible=ask.is_divisible)
        try:
            response = await self._http.request(
                "GET",
                f"{self._settings.project_url}{ask.path}",
                what=ask.what,
                headers=attempts,
                params=ask.params,
                accept=accept,
                retry=self._divisible if ask.is_divisible else None,
            )
        except (TransientError, SlowAnswerError):
            if ask.is_divisible and attempts.has_run_out:
                raise SlowAnswerError(f"{ask.what}: the server took too long") from None
            raise
        return decoded[0] if decoded else response

    def _refused(self, ask: Ask, response: Response) -> CdiError:
        status, problem = response.status, _problem(response)
        code = problem.code
        if code == SLOW_CODE or status in SLOW_STATUSES:
            kind = SlowAnswerError if ask.is_divisible else TransientError
            return kind(f"{ask.what}: the server took too long", hint="run again later, or with a narrower window")
        if status == 413 or code == "ContentTooLarge":
            return TooLargeError(
                f"{ask.what}: the answer is too large",
                status=status,
                code=code,
                hint=None if ask.is_divisible else "a single record is too large for the API: narrow the window around it",
            )
        if status == 401:
            return AuthError(
                f"{ask.what}: commercetools refused a token that it had just given to API client "
                f"`{self._settings.client_id}`",
                hint="check that the API client still exists and belongs to this project",
            )
        if status == 403:
            return self._forbidden(ask, problem)
        text = " ".join(problem.message.split())[:MESSAGE_CHARACTERS_MAX]
        return RefusedError(
            f"{ask.what}: commercetools answered {status}{f' {code}' if code else ''}{f': {text}' if text else ''}",
            status=status,
            code=code,
            hint="check `project_key` and `region`" if status == 404 else None,
        )

    def _forbidden(self, ask: Ask, problem: Problem) -> ScopeError:
        named = _SCOPE.findall(problem.message.partition("missing:")[2])
        if named:
            scopes = " or ".join(f"`{scope}`" for scope in named[:8])
        else:
            scopes = f"`{self._settings.full_scope(ask.permission)}`" if ask.permission else "a scope that is not named"
        return ScopeError(
            f"{ask.what}: the API client `{self._settings.client_id}` lacks {scopes}",
            hint=ask.scope_hint or "give the API client this scope in the Merchant Center",
        )


def _is_too_slow(response: Response) -> bool:
    """Whether the query itself is too slow, for which the API documents no status: repeating it would not help."""
    return _problem(response).code == SLOW_CODE


def _problem(response: Response) -> Problem:
    try:
        return msgspec.json.decode(response.body, type=Problem)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Problem()
