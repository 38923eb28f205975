"""The access token: minted once for all who wait, renewed before it ends, and the server's clock that came with it.

Client-credentials grant (sheet "commercetools", section 1): form body, HTTP Basic, no refresh token, so renewing is minting
again. The token lives in memory only. Its answer's `Date` header is the only clock of the platform that we can ask.
"""

from __future__ import annotations

import asyncio
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TypeVar
from urllib.parse import urlencode

import msgspec

from cdi_cli.clock import Clock, Instant, instant_from_datetime
from cdi_cli.errors import AuthError, CdiError, RefusedError, ScopeError
from cdi_cli.http import HttpClient, Response
from cdi_cli.secrets import REDACTOR, Secret
from cdi_cli.sources.commercetools.settings import CommercetoolsSettings

RENEW_EARLY_SECONDS = 300.0
_T = TypeVar("_T")


class Token(msgspec.Struct, frozen=True):
    """What `/oauth/token` answers; `expires_in` in seconds, `scope` separated by blanks."""

    access_token: str
    expires_in: float
    scope: str = ""


class Introspection(msgspec.Struct, frozen=True):
    """What `/oauth/introspect` answers about a token."""

    active: bool
    scope: str = ""


class _Problem(msgspec.Struct, frozen=True):
    error: str = ""


class TokenKeeper:
    """Holds the token of one client; `get()` gives one that is valid, `renew(stale)` one that is not `stale`."""

    def __init__(self, settings: CommercetoolsSettings, http: HttpClient, clock: Clock) -> None:
        """Raises ConfigError when the client's secret cannot be read."""
        self._settings = settings
        self._http = http
        self._clock = clock
        self._secret: Secret = settings.client_secret.resolve()
        self._lock = asyncio.Lock()
        self._token: Token | None = None
        self._renew_at = 0.0
        self._server_date: datetime | None = None
        self._answered_at = 0.0
        self.skew_seconds: float | None = None

    async def get(self) -> Token:
        """A valid token; of all who ask at once, one mints it. Raises AuthError, TransientError, ProtocolError."""
        token = self._valid()
        if token is not None:
            return token
        async with self._lock:
            return self._valid() or await self._mint()

    async def renew(self, stale: Token) -> Token:
        """A token other than `stale`, which the API refused; raises what `get` raises."""
        async with self._lock:
            if self._token is stale:
                self._token = None
            return self._valid() or await self._mint()

    async def introspect(self) -> Introspection:
        """What the token service says about our token; raises RefusedError where the service does not offer it."""
        token = await self.get()
        form = urlencode({"token": token.access_token}).encode()
        response = await self._post("/oauth/introspect", form, "commercetools token introspection", Introspection)
        if isinstance(response, Response):
            raise RefusedError(f"commercetools token introspection: status {response.status}", status=response.status)
        return response

    async def server_now(self) -> Instant:
        """The platform's clock: the `Date` of the last token answer plus the time since then.

        Never ahead: behind by the part of a second that `Date` leaves out and by the answer's way here.
        """
        await self.get()
        if self._server_date is None:
            return self._clock.instant()
        return instant_from_datetime(self._server_date + timedelta(seconds=self._clock.monotonic() - self._answered_at))

    def _valid(self) -> Token | None:
        return self._token if self._token is not None and self._clock.monotonic() < self._renew_at else None

    async def _mint(self) -> Token:
        form = {"grant_type": "client_credentials"}
        if self._settings.scope_text:
            form["scope"] = self._settings.scope_text
        answer = await self._post("/oauth/token", urlencode(form).encode(), "commercetools token", Token)
        if isinstance(answer, Response):
            raise self._refused(answer)
        life = max(answer.expires_in, 0.0)
        self._renew_at = self._answered_at + life - min(RENEW_EARLY_SECONDS, life / 2)
        self._token = answer
        REDACTOR.add(Secret(answer.access_token))
        return answer

    async def _post(self, path: str, form: bytes, what: str, kind: type[_T]) -> _T | Response:
        """The decoded answer, or the response itself when its status is not 200."""
        decoded: list[_T] = []

        def accept(response: Response) -> None:
            if response.status == 200:
                decoded[:] = [response.json(kind)]

        response = await self._http.request(
            "POST",
            f"{self._settings.token_url}{path}",
            what=what,
            headers={
                "authorization": f"Basic {_basic(self._settings.client_id, self._secret)}",
                "content-type": "application/x-www-form-urlencoded",
            },
            content=form,
            accept=accept,
        )
        self._read_clock(response)
        return decoded[0] if decoded else response

    def _read_clock(self, response: Response) -> None:
        self._answered_at = self._clock.monotonic()
        try:
            date = parsedate_to_datetime(response.headers.get("date", ""))
        except (ValueError, TypeError, IndexError, OverflowError):
            self._server_date = None
            return
        self._server_date = date if date.tzinfo else date.replace(tzinfo=UTC)
        self.skew_seconds = (self._clock.now() - self._server_date).total_seconds()

    def _refused(self, response: Response) -> CdiError:
        client = f"API client `{self._settings.client_id}`"
        where = f"POST {self._settings.token_url}/oauth/token"
        code = error_code(response)
        if code == "invalid_scope":
            asked = self._settings.scope_text or "the default"
            return ScopeError(
                f"{client} may not have the scopes asked for: {asked}",
                where=where,
                hint="give the API client these scopes in the Merchant Center, or ask for fewer in `scopes`",
            )
        if response.status in (400, 401, 403):
            return AuthError(
                f"commercetools does not accept {client} or its secret ({code or f'status {response.status}'})",
                where=where,
                hint="check `client_id`, `client_secret` and `region`: clients are known in their own region only",
            )
        return RefusedError(
            f"commercetools token: the server answered {response.status}",
            status=response.status,
            code=code,
            where=where,
            hint="check `region` or `auth_url`",
        )


def error_code(response: Response) -> str:
    """The OAuth error code of an answer; empty when it has none that could be shown."""
    try:
        code = msgspec.json.decode(response.body, type=_Problem).error
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
    return code if code.isascii() and code.replace("_", "").isalnum() and len(code) <= 40 else ""


def _basic(client_id: str, secret: Secret) -> str:
    return b64encode(f"{client_id}:{secret.reveal()}".encode()).decode()
