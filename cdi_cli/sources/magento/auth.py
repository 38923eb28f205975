"""Who we are, in each of the four ways (sheet "magento", section 1): headers for every attempt, tokens minted when needed.

Tokens that were minted live in memory only. `renew` gives up a token that was refused; it is true when another one was got
in its place, and false where there is nothing to renew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol, TypeVar
from urllib.parse import urlencode

import msgspec

from cdi_cli.clock import Clock
from cdi_cli.errors import AuthError, CdiError, RefusedError
from cdi_cli.http import HttpClient, Response
from cdi_cli.secrets import REDACTOR, Secret
from cdi_cli.sources.magento.oauth1 import OAuth1Signer
from cdi_cli.sources.magento.replies import is_html, problem_of
from cdi_cli.sources.magento.settings import MagentoSettings

Params = Sequence[tuple[str, str]]
Mint = Callable[[], Awaitable[tuple[Secret, float]]]
"""Asks for a token; gives it and the seconds for which it may be used."""
_T = TypeVar("_T")

ADMIN_TOKEN_SECONDS = 3000.0
"""Renewed well before the 3600 s that the token lives, whatever the documentation says (sheet section 1)."""
RENEW_EARLY_SECONDS = 300.0
IMS_URL = "https://ims-na1.adobelogin.com"
IMS_SCOPES = "openid,AdobeID,email,profile,additional_info.roles,additional_info.projectedProductContext,commerce.accs"


class Proof(Protocol):
    """What proves who we are."""

    async def prepare(self) -> None:
        """Get what `headers` needs; of all who ask at once, one asks. Raises AuthError and what requests raise."""
        ...

    def headers(self, method: str, url: str, params: Params) -> Mapping[str, str]:
        """The headers of one attempt."""
        ...

    async def renew(self) -> bool:
        """Get another token in place of the one that was refused; False where none can be got."""
        ...


class BearerProof:
    """An integration's token as it is."""

    def __init__(self, token: Secret) -> None:
        self._token = token

    async def prepare(self) -> None:
        """Nothing is needed."""

    def headers(self, method: str, url: str, params: Params) -> Mapping[str, str]:  # noqa: ARG002 - the same for all
        """The token."""
        return {"authorization": f"Bearer {self._token.reveal()}"}

    async def renew(self) -> bool:
        """It never expires: refused once is refused always."""
        return False


class SignedProof:
    """OAuth 1.0a: a signature of the request itself."""

    def __init__(self, signer: OAuth1Signer) -> None:
        self._signer = signer

    async def prepare(self) -> None:
        """Nothing is needed."""

    def headers(self, method: str, url: str, params: Params) -> Mapping[str, str]:
        """A new signature each time: a nonce may be used once."""
        return {"authorization": self._signer.authorization(method, url, params)}

    async def renew(self) -> bool:
        """There is nothing to renew."""
        return False


class MintedProof:
    """A token that is asked for and expires; `named` are headers that go with it."""

    def __init__(self, mint: Mint, clock: Clock, named: Mapping[str, str] = {}) -> None:
        self._mint = mint
        self._clock = clock
        self._named = named
        self._lock = asyncio.Lock()
        self._token: Secret | None = None
        self._renew_at = 0.0

    async def prepare(self) -> None:
        """Have a token that is valid for a while."""
        if not self._is_valid():
            async with self._lock:
                if not self._is_valid():
                    await self._renew()

    def headers(self, method: str, url: str, params: Params) -> Mapping[str, str]:  # noqa: ARG002 - the same for all
        """The token, and what goes with it."""
        assert self._token is not None, "prepare() comes first"
        return {"authorization": f"Bearer {self._token.reveal()}", **self._named}

    async def renew(self) -> bool:
        """Another token, unless somebody got one while we waited."""
        stale = self._token
        async with self._lock:
            if self._token is stale:
                await self._renew()
        return True

    def _is_valid(self) -> bool:
        return self._token is not None and self._clock.monotonic() < self._renew_at

    async def _renew(self) -> None:
        self._token = None
        token, seconds = await self._mint()
        REDACTOR.add(token)
        self._token = token
        self._renew_at = self._clock.monotonic() + seconds


def admin_mint(settings: MagentoSettings, http: HttpClient) -> Mint:
    """How an admin logs in; raises ConfigError when the password cannot be read."""
    assert settings.password is not None
    password = settings.password.resolve()

    async def mint() -> tuple[Secret, float]:
        token = await _post(
            http,
            f"{settings.base_url}/rest/V1/integration/admin/token",
            msgspec.json.encode({"username": settings.username, "password": password.reveal()}),
            {"content-type": "application/json"},
            str,
            "Magento admin login",
            "check `username` and the password; with two-factor login on, an admin cannot be used: make an integration",
        )
        return Secret(token), ADMIN_TOKEN_SECONDS

    return mint


class _ImsToken(msgspec.Struct, frozen=True):
    access_token: str
    expires_in: float = 3600.0


def ims_mint(settings: MagentoSettings, http: HttpClient) -> Mint:
    """How Adobe's token service is asked; raises ConfigError when the client's secret cannot be read."""
    assert settings.client_secret is not None
    secret = settings.client_secret.resolve()

    async def mint() -> tuple[Secret, float]:
        form = {
            "grant_type": "client_credentials",
            "client_id": settings.client_id or "",
            "client_secret": secret.reveal(),
            "scope": IMS_SCOPES,
        }
        answer = await _post(
            http,
            f"{settings.ims_url or IMS_URL}/ims/token/v3",
            urlencode(form).encode(),
            {"content-type": "application/x-www-form-urlencoded"},
            _ImsToken,
            "Adobe IMS token",
            "check `client_id`, the client secret, and that the credential has the Commerce API",
        )
        life = max(answer.expires_in, 0.0)
        return Secret(answer.access_token), life - min(RENEW_EARLY_SECONDS, life / 2)

    return mint


def proof_of(settings: MagentoSettings, http: HttpClient, clock: Clock) -> Proof:
    """The proof that the settings ask for; raises ConfigError when a secret cannot be read."""
    if settings.auth == "admin":
        return MintedProof(admin_mint(settings, http), clock)
    if settings.auth == "ims":
        named = {"x-api-key": settings.client_id or "", "x-gw-ims-org-id": settings.organisation or ""}
        return MintedProof(ims_mint(settings, http), clock, named)
    assert settings.access_token is not None
    token = settings.access_token.resolve()
    if settings.auth == "integration":
        return BearerProof(token)
    assert settings.consumer_key is not None
    assert settings.consumer_secret is not None
    assert settings.access_token_secret is not None
    consumer_secret, token_secret = settings.consumer_secret.resolve(), settings.access_token_secret.resolve()
    return SignedProof(OAuth1Signer(settings.consumer_key, consumer_secret, token, token_secret))


async def _post(
    http: HttpClient, url: str, content: bytes, headers: Mapping[str, str], kind: type[_T], what: str, hint: str
) -> _T:
    """The decoded answer of a token service; raises AuthError when it refuses us, and what requests raise."""
    decoded: list[_T] = []

    def accept(response: Response) -> None:
        if response.status == 200:
            decoded[:] = [response.json(kind)]

    named = {**headers, "accept": "application/json"}
    response = await http.request("POST", url, what=what, headers=named, content=content, accept=accept)
    if decoded:
        return decoded[0]
    raise _refused(response, what, hint)


def _refused(response: Response, what: str, hint: str) -> CdiError:
    if response.status in (400, 401) or (response.status == 403 and not is_html(response)):
        text = problem_of(response).text
        return AuthError(
            f"{what} was refused (status {response.status}{f': {text}' if text else ''})".rstrip("."), hint=hint
        )
    return RefusedError(
        f"{what}: the server answered {response.status}",
        status=response.status,
        hint="check the address in the settings, and that nothing between us and the shop blocks us",
    )
