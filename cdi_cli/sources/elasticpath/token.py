"""The access token: minted once for all who wait, renewed a minute before it ends, and the server's clock.

Client-credentials grant (sheet "elasticpath", section 1): a form, whatever the docs' own example says. The token lives in
memory only. A token of a shopper (`implicit`) would show one shopper's orders only and is refused.
"""

from __future__ import annotations

import asyncio
from urllib.parse import urlencode, urlsplit

import msgspec

from cdi_cli.clock import Clock, Instant
from cdi_cli.errors import AuthError, CdiError, RefusedError
from cdi_cli.http import HttpClient, Response
from cdi_cli.secrets import REDACTOR, Secret
from cdi_cli.sources._server_clock import ServerClock
from cdi_cli.sources.elasticpath.pace import Pace
from cdi_cli.sources.elasticpath.replies import problem_of
from cdi_cli.sources.elasticpath.settings import ElasticPathSettings

RENEW_EARLY_SECONDS = 60.0
LIFE_SECONDS = 3600.0
PATH = "/oauth/access_token"
_WHAT = "Elastic Path token"


class Token(msgspec.Struct, frozen=True):
    """What the token service answers; `expires_in` in seconds."""

    access_token: str
    expires_in: float = LIFE_SECONDS
    identifier: str = ""


class TokenKeeper:
    """Holds the token of one client; `get()` gives one that is valid, `renew(stale)` one that is not `stale`."""

    def __init__(self, settings: ElasticPathSettings, http: HttpClient, clock: Clock, pace: Pace) -> None:
        """Raises ConfigError when the client's secret cannot be read."""
        self._settings = settings
        self._http = http
        self._clock = clock
        self._pace = pace
        self._secret: Secret = settings.client_secret.resolve()
        self._lock = asyncio.Lock()
        self._token: Token | None = None
        self._renew_at = 0.0
        self.time = ServerClock(clock)

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

    async def server_now(self) -> Instant:
        """The platform's clock; raises what `get` raises."""
        await self.get()
        return self.time.now()

    def _valid(self) -> Token | None:
        return self._token if self._token is not None and self._clock.monotonic() < self._renew_at else None

    async def _mint(self) -> Token:
        form = {
            "grant_type": "client_credentials",
            "client_id": self._settings.client_id,
            "client_secret": self._secret.reveal(),
        }
        found: list[Token] = []

        def accept(response: Response) -> None:
            self.time.read(response)
            if response.status == 200:
                found[:] = [response.json(Token)]

        await self._pace.turn()
        asked_at = self._clock.monotonic()
        response = await self._http.request(
            "POST",
            f"{self._settings.url}{PATH}",
            what=_WHAT,
            headers={"content-type": "application/x-www-form-urlencoded", "accept": "application/json"},
            content=urlencode(form).encode(),
            accept=accept,
        )
        if not found:
            raise self._refused(response)
        token = found[0]
        REDACTOR.add(Secret(token.access_token))
        if token.identifier == "implicit":
            raise AuthError(
                f"{_WHAT}: this application key gives tokens of shoppers only",
                where=self._where,
                hint="use the client id and secret of an application key of the store",
            )
        life = max(token.expires_in, 0.0)
        self._renew_at = asked_at + life - min(RENEW_EARLY_SECONDS, life / 2)
        self._token = token
        return token

    @property
    def _where(self) -> str:
        return f"POST {urlsplit(self._settings.url).hostname}"

    def _refused(self, response: Response) -> CdiError:
        problem = problem_of(response)
        key = f"application key `{self._settings.client_id}`"
        if response.status in (400, 401, 403):
            said = f" ({problem.text})" if problem.text else ""
            return AuthError(
                f"Elastic Path does not accept the {key} or its secret{said}",
                where=self._where,
                hint="check `client_id`, `client_secret` and `region`: a key is known in the region of its store only",
            )
        return RefusedError(
            f"{_WHAT}: the server answered {response.status}",
            status=response.status,
            where=self._where,
            hint="check `region` or `base_url`",
        )
