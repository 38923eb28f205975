"""Who may ask: integration token as bearer, OAuth 1.0a, admin token, and the tokens of the Cloud Service.

An unknown token, an expired one, bearer tokens that are switched off, and a missing ACL are one and the same 401, which
names the resource.
"""

from __future__ import annotations

import secrets
import threading
from dataclasses import replace
from urllib.parse import parse_qsl

import msgspec

from cdi_cli.sandbox.clock import SandboxClock
from cdi_cli.sandbox.http_server import Request, Response
from cdi_cli.sandbox.magento.oauth1 import OAuthVerifier
from cdi_cli.sandbox.magento.options import MagentoOptions
from cdi_cli.sandbox.magento.replies import MagentoError, unauthorised, wrong_login

_encode = msgspec.json.encode


class Gatekeeper:
    """Hands out tokens and judges requests; `options` may be switched while it runs."""

    def __init__(self, options: MagentoOptions, clock: SandboxClock) -> None:
        self.options = options
        self._clock = clock
        self._oauth = OAuthVerifier(options)
        self._tokens: dict[str, float] = {}
        self._ims_tokens: dict[str, float] = {}
        self._lock = threading.Lock()
        self.issued = 0

    @property
    def tokens(self) -> list[str]:
        """The tokens that were handed out and are not revoked."""
        with self._lock:
            return [*self._tokens, *self._ims_tokens]

    def switch(self, **changes: object) -> MagentoOptions:
        """Change the configuration; raises TypeError for a switch that there is not."""
        self.options = replace(self.options, **changes)  # type: ignore[arg-type]
        return self.options

    def revoke_all(self) -> int:
        """End every token that was handed out; returns how many there were."""
        with self._lock:
            ended = len(self._tokens) + len(self._ims_tokens)
            self._tokens.clear()
            self._ims_tokens.clear()
        return ended

    def admin_token(self, request: Request) -> Response:
        """`POST /V1/integration/admin/token`: a JSON string."""
        try:
            given = msgspec.json.decode(request.body or b"{}", type=dict[str, str])
        except msgspec.DecodeError as error:
            raise MagentoError(400, "Decoding error.") from error
        if (given.get("username"), given.get("password")) != (self.options.username, self.options.password):
            raise wrong_login()
        return Response(200, _encode(self._issue(self._tokens, self.options.token_seconds)))

    def ims_token(self, request: Request) -> Response:
        """`POST /ims/token/v3`: an access token for client credentials."""
        given = dict(parse_qsl(request.body.decode("utf-8", "replace")))
        if given.get("grant_type") != "client_credentials":
            return Response(400, _encode({"error": "unsupported_grant_type"}))
        if (given.get("client_id"), given.get("client_secret")) != (self.options.client_id, self.options.client_secret):
            return Response(
                401, _encode({"error": "invalid_client", "error_description": "invalid client_id or client_secret"})
            )
        if "commerce.accs" not in given.get("scope", "").split(","):
            return Response(400, _encode({"error": "invalid_scope"}))
        seconds = self.options.ims_seconds
        token = self._issue(self._ims_tokens, seconds)
        return Response(200, _encode({"access_token": token, "token_type": "bearer", "expires_in": seconds}))

    def require(self, request: Request, resource: str) -> None:
        """Let a request to `/rest/` use a resource, or raise what the server answers."""
        scheme, _, value = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "oauth":
            self._oauth.verify(request, value)
        elif scheme.lower() != "bearer" or not self._is_bearer(value):
            raise unauthorised(resource)
        self._permit(resource)

    def require_ims(self, request: Request, resource: str) -> None:
        """Let a request to the Cloud Service use a resource, or raise what its gateway answers."""
        scheme, _, value = request.headers.get("authorization", "").partition(" ")
        if request.headers.get("x-api-key") != self.options.client_id:
            raise MagentoError(403, "Api Key is invalid")
        if request.headers.get("x-gw-ims-org-id") != self.options.organisation:
            raise MagentoError(403, "The organisation is not entitled to this tenant")
        if scheme.lower() != "bearer" or not self._is_alive(self._ims_tokens, value):
            raise MagentoError(401, "Oauth token is not valid")
        self._permit(resource)

    def _permit(self, resource: str) -> None:
        acl = self.options.acl
        if resource and acl is not None and resource not in acl:
            raise unauthorised(resource)

    def _is_bearer(self, token: str) -> bool:
        if token == self.options.access_token:
            return self.options.bearer
        return self._is_alive(self._tokens, token)

    def _issue(self, tokens: dict[str, float], seconds: int) -> str:
        token = f"eyJraWQiOiIxIn0.{secrets.token_urlsafe(24)}"
        with self._lock:
            tokens[token] = self._clock.seconds() + seconds
            self.issued += 1
        return token

    def _is_alive(self, tokens: dict[str, float], token: str) -> bool:
        with self._lock:
            ends = tokens.get(token)
            if ends is not None and ends <= self._clock.seconds():
                del tokens[token]
                ends = None
        return ends is not None
