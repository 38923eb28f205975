"""Requests to the shop: proof of who we are, patience, and what each refusal means.

Invariants: every attempt is signed anew; a refused token is renewed once; maintenance is waited for with growing pauses; a
500 is tried three times and then told with its report id, so that the caller can find the record that causes it; a 200 that
is not what was asked for (HTML, a message, half a page) is repeated as a transient failure is. Sheet "magento", section 4.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar, cast
from urllib.parse import urlsplit

from cdi_cli.clock import Clock, Instant
from cdi_cli.errors import AuthError, CdiError, ProtocolError, ScopeError, TransientError
from cdi_cli.http import TRANSIENT_STATUSES, AttemptFailedError, HttpClient, HttpLimits, Response, RetryPolicy
from cdi_cli.sources._server_clock import ServerClock
from cdi_cli.sources.magento.auth import Proof
from cdi_cli.sources.magento.paging import Envelope, lenient_envelope
from cdi_cli.sources.magento.refusals import SLOW, SlowAnswerError, in_maintenance, refused
from cdi_cli.sources.magento.replies import NONCE_USED, Problem, is_html, is_maintenance, problem_of
from cdi_cli.sources.magento.search import Params, criteria
from cdi_cli.sources.magento.settings import MagentoSettings

T = TypeVar("T")

ALL_STORES = "all"
SERVER_FAULTS_MAX = 3
"""How often a 500 is answered before it is believed."""
MAINTENANCE_PAUSE_SECONDS_MAX = 300.0
PROBED = ("/orders", "/customers/search", "/products", "/creditmemos", "/carts/search")
"""Lists of different permissions: a token that may read one of them is a good token."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One GET: `path` below `/V1`, `what` it is for in error texts, the ACL resource and the store view it is asked under.

    `is_divisible`: less can be asked for, so a slow answer raises SlowAnswerError instead of being waited for again.
    `scope_hint` is what to do about a missing permission.
    """

    path: str
    what: str
    params: Params
    scope: str = ""
    store_code: str = ALL_STORES
    is_divisible: bool = False
    scope_hint: str = ""


class _Attempts:
    """What is remembered between the attempts of one request: time, faults, pauses."""

    def __init__(self, deadline_seconds: float, pause_seconds: float, faults_max: int, clock: Clock) -> None:
        self._deadline_seconds = deadline_seconds
        self._pause_seconds = pause_seconds
        self._faults_left = faults_max
        self._clock = clock
        self._started: float | None = None

    def begin(self) -> None:
        """An attempt begins."""
        self._started = self._clock.monotonic()

    @property
    def has_run_out(self) -> bool:
        """Whether the deadline of an attempt has passed since the last one began."""
        return self._started is not None and self._clock.monotonic() - self._started >= self._deadline_seconds

    def is_final(self, response: Response) -> bool:
        """Whether the transport should leave an answer to us: maintenance, which has pauses of its own, or the third 500."""
        if response.status == 500:
            self._faults_left -= 1
            return self._faults_left <= 0
        return is_maintenance(response)

    def next_pause(self) -> float:
        """How long maintenance is waited for this time."""
        pause = self._pause_seconds
        self._pause_seconds = min(2 * pause, MAINTENANCE_PAUSE_SECONDS_MAX)
        return pause


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


class Client:
    """Asks the shop; used by one event loop, closed with `close()`."""

    def __init__(
        self,
        settings: MagentoSettings,
        http: HttpClient,
        proof: Proof,
        clock: Clock,
        *,
        limits: HttpLimits,
        retry: RetryPolicy,
        is_patient: bool = True,
    ) -> None:
        """`limits` and `retry` are those of `http`; one that is not patient does not wait for the end of maintenance."""
        self.time = ServerClock(clock)
        self.rows_max = settings.page_size
        self._settings = settings
        self._http = http
        self._proof = proof
        self._clock = clock
        self._limits = limits
        self._retry = retry
        self._is_patient = is_patient
        self._slots = asyncio.Semaphore(settings.requests_at_once)
        self.is_accepted = False

    async def get(self, ask: Ask, kind: type[T]) -> tuple[T, int]:
        """The decoded answer and its size in bytes.

        Raises AuthError (ScopeError for a missing permission), TransientError, ProtocolError, RefusedError (TooLargeError,
        NoRouteError, PageSizeError), ServerFaultError, and where the ask is divisible SlowAnswerError: then ask for less.
        """
        try:
            async with self._slots:
                answer = await self._get(ask, kind)
            if isinstance(answer, Response):
                if answer.status == 401 or (answer.status == 403 and not is_html(answer)):
                    raise await self._unauthorised(ask, problem_of(answer))
                raise refused(ask.what, answer, is_divisible=ask.is_divisible)
        except CdiError as error:
            error.where = error.where or self._where
            raise
        self.is_accepted = True
        return answer

    async def server_now(self) -> Instant:
        """The shop's clock, asked for where no answer has told it yet; raises StoppedError."""
        if not self.time.is_known:
            await self.get(Ask("/store/storeViews", "Magento clock", []), list)
        return self.time.now()

    async def close(self) -> None:
        """Close all connections."""
        await self._http.close()

    @property
    def _where(self) -> str:
        return f"GET {urlsplit(self._settings.base_url).hostname}"

    async def _get(self, ask: Ask, kind: type[T]) -> tuple[T, int] | Response:
        await self._proof.prepare()
        answer = await self._send(ask, kind)
        if not isinstance(answer, Response) or answer.status != 401:
            return answer
        # An expired token is refused in the words of a missing permission, so a new one is tried in any case, once.
        if problem_of(answer).message.startswith(NONCE_USED) or await self._proof.renew():
            return await self._send(ask, kind)
        return answer

    async def _send(self, ask: Ask, kind: type[T]) -> tuple[T, int] | Response:
        decoded: list[tuple[T, int]] = []
        url = f"{self._settings.rest_url(ask.store_code)}{ask.path}"
        faults_max = min(SERVER_FAULTS_MAX, self._retry.attempts)
        pause_seconds = self._settings.maintenance_pause_seconds
        attempts = _Attempts(self._limits.total_seconds, pause_seconds, faults_max, self._clock)

        def accept(response: Response) -> None:
            self.time.read(response)
            if response.status == 200:
                decoded[:] = [(_decoded(response, kind), len(response.body))]
            elif self._is_patient and is_maintenance(response):
                raise AttemptFailedError(in_maintenance(), pause_seconds=attempts.next_pause())

        try:
            response = await self._http.request(
                "GET",
                url,
                what=ask.what,
                headers=self._headers_of(ask, url, attempts),
                params=ask.params,
                accept=accept,
                retry=self._policy(ask, attempts),
            )
        except (TransientError, SlowAnswerError):
            if ask.is_divisible and attempts.has_run_out:
                raise SlowAnswerError(f"{ask.what}: the shop took too long") from None
            raise
        return decoded[0] if decoded else response

    def _policy(self, ask: Ask, attempts: _Attempts) -> RetryPolicy:
        statuses = TRANSIENT_STATUSES - SLOW if ask.is_divisible else TRANSIENT_STATUSES
        return replace(self._retry, statuses=statuses, is_final=attempts.is_final)

    def _headers_of(self, ask: Ask, url: str, attempts: _Attempts) -> Callable[[], Mapping[str, str]]:
        def headers() -> Mapping[str, str]:
            if ask.is_divisible and attempts.has_run_out:
                raise SlowAnswerError("the shop took too long")
            attempts.begin()
            named = {"accept": "application/json", **self._proof.headers("GET", url, ask.params)}
            return {**named, "store": ask.store_code} if self._settings.auth == "ims" else named

        return headers

    async def _unauthorised(self, ask: Ask, problem: Problem) -> CdiError:
        """Which of the three that look alike it is: a missing permission, a bad token, or tokens not accepted as bearer.

        Only a missing permission names a resource while something else may be read (sheet section 1).
        """
        if problem.resources and (self.is_accepted or await self._may_read_anything(ask.path)):
            named = " or ".join(f"`{resource}`" for resource in problem.resources[:8])
            return ScopeError(
                f"{ask.what}: {self._who} lacks the resource {named}",
                hint=ask.scope_hint or f"tick it for {self._who} in the admin, and save it anew",
            )
        text = "" if problem.resources else problem.text.rstrip(".")
        return AuthError(f"{ask.what}: the shop refused our credentials{f': {text}' if text else ''}", hint=self._auth_hint)

    async def _may_read_anything(self, refused_path: str) -> bool:
        for path in PROBED:
            if path == refused_path:
                continue
            ask = Ask(path, "Magento permissions", criteria((), page_size=1, fields="total_count"))
            async with self._slots:
                answer = await self._get(ask, dict)
            if not isinstance(answer, Response):
                self.is_accepted = True
                return True
        return False

    @property
    def _who(self) -> str:
        if self._settings.auth == "admin":
            return f"the role of admin `{self._settings.username}`"
        return f"client `{self._settings.client_id}`" if self._settings.auth == "ims" else "the integration"

    @property
    def _auth_hint(self) -> str:
        if self._settings.auth == "integration":
            return (
                "check `access_token`; Magento 2.4.4 and later takes it as bearer only after `bin/magento config:set "
                "oauth/consumer/enable_integration_as_bearer 1` (else use `auth: oauth1`), and only while the "
                "integration is active"
            )
        if self._settings.auth == "oauth1":
            return (
                "check `consumer_key`, `consumer_secret`, `access_token` and `access_token_secret`, and this machine's clock"
            )
        if self._settings.auth == "admin":
            return "check that the admin's account is active and its role may use the API"
        return "check `organisation`, `tenant` and that the credential may use this instance"
