"""The token service and what tokens open: a form with client credentials, and nothing but a form."""

from __future__ import annotations

import secrets
import threading
from urllib.parse import parse_qsl

import msgspec

from cdi_cli.sandbox.clock import SandboxClock
from cdi_cli.sandbox.elasticpath.options import ElasticPathOptions
from cdi_cli.sandbox.elasticpath.replies import bad_request, forbidden, unauthorised, wrong_client
from cdi_cli.sandbox.http_server import Request, Response

_encode = msgspec.json.encode
_FORM = "application/x-www-form-urlencoded"


class TokenOffice:
    """Hands out tokens and judges requests; revocation may come from another thread."""

    def __init__(self, options: ElasticPathOptions, clock: SandboxClock) -> None:
        self.options = options
        self._clock = clock
        self._tokens: dict[str, tuple[float, str]] = {}
        self._lock = threading.Lock()
        self.issued = 0

    @property
    def tokens(self) -> list[str]:
        """The tokens that were handed out and are not revoked."""
        with self._lock:
            return list(self._tokens)

    def revoke_all(self) -> int:
        """End every token now; returns how many there were."""
        with self._lock:
            ended = len(self._tokens)
            self._tokens.clear()
        return ended

    def token(self, request: Request) -> Response:
        """`POST /oauth/access_token`; without a secret, with the grant type `implicit`, it is a shopper's token."""
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
            raise bad_request("The request is missing a required parameter or is malformed")
        given = dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))
        grant = given.get("grant_type", "")
        if grant not in ("client_credentials", "implicit"):
            raise bad_request("Grant type is not supported")
        is_known = given.get("client_id") == self.options.client_id
        if not is_known or (grant == "client_credentials" and given.get("client_secret") != self.options.client_secret):
            raise wrong_client()
        seconds = self.options.token_seconds
        access_token = self._issue(grant, seconds)
        body = {
            "access_token": access_token,
            "token_type": "Bearer",
            "expires_in": seconds,
            "expires": int(self._clock.now().timestamp()) + seconds,
            "identifier": grant,
        }
        return Response(200, _encode(body))

    def require(self, request: Request) -> None:
        """Let a request see the whole store, or raise what the platform answers."""
        scheme, _, value = request.headers.get("authorization", "").partition(" ")
        grant = self._grant(value) if scheme.lower() == "bearer" else None
        if grant is None:
            raise unauthorised()
        if grant != "client_credentials":
            raise forbidden()

    def _issue(self, grant: str, seconds: int) -> str:
        with self._lock:
            self.issued += 1
            access_token = secrets.token_hex(20)
            self._tokens[access_token] = (self._clock.seconds() + seconds, grant)
        return access_token

    def _grant(self, access_token: str) -> str | None:
        with self._lock:
            found = self._tokens.get(access_token)
            if found is not None and found[0] <= self._clock.seconds():
                del self._tokens[access_token]
                found = None
        return found[1] if found else None
