"""The OAuth side: tokens for client credentials, introspection, expiry on the sandbox clock, revocation, scopes."""

from __future__ import annotations

import base64
import binascii
import secrets
import threading
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote

import msgspec

from cdi_cli.sandbox.clock import SandboxClock
from cdi_cli.sandbox.commercetools.replies import ApiError, insufficient_scope, invalid_client, invalid_token
from cdi_cli.sandbox.http_server import Request, Response
from cdi_cli.sandbox.options import SandboxOptions

_encode = msgspec.json.encode

SCOPES: dict[str, tuple[str, ...]] = {
    "orders": ("view_orders", "manage_orders"),
    "carts": ("view_orders", "manage_orders"),
    "customers": ("view_customers", "manage_customers"),
    "products": ("view_products", "manage_products"),
    "product-projections": ("view_products", "view_published_products", "manage_products"),
    "inventory": ("view_products", "manage_products"),
    "standalone-prices": ("view_standalone_prices", "manage_standalone_prices"),
    "payments": ("view_payments", "manage_payments"),
    "messages": ("view_messages", "view_orders"),
    "categories": ("view_categories", "view_products", "manage_categories", "manage_products"),
    "discount-codes": ("view_discount_codes", "manage_discount_codes"),
    "customer-groups": ("view_customer_groups", "view_customers", "manage_customer_groups", "manage_customers"),
    "stores": ("view_stores", "manage_stores"),
    "project": ("view_project_settings", "manage_project_settings"),
}
"""Which permissions let a kind be read, any one of them; `manage_project` lets everything be read."""


@dataclass(frozen=True, slots=True)
class Token:
    """An access token's scopes, as `permission:project[:store]`, and when it ends on the sandbox clock."""

    scopes: frozenset[str]
    expires_at_seconds: float


class TokenOffice:
    """Mints and judges access tokens; revocation may come from another thread."""

    def __init__(self, options: SandboxOptions, clock: SandboxClock) -> None:
        self._options = options
        self._clock = clock
        self._tokens: dict[str, Token] = {}
        self._lock = threading.Lock()
        self.issued = 0
        suffix = f":{options.project_key}"
        names = options.scopes if options.scopes is not None else ("manage_project",)
        self.client_scopes = frozenset(name if ":" in name else name + suffix for name in names)

    def revoke_all(self) -> int:
        """End every token now; returns how many were alive."""
        with self._lock:
            ended = len(self._tokens)
            self._tokens.clear()
        return ended

    def token(self, request: Request) -> Response:
        """`POST /oauth/token`, with grant and scope from the form body or the query."""
        self._authenticate(request)
        given = dict(request.params) | _form(request)
        if given.get("grant_type") != "client_credentials":
            raise ApiError(400, "unsupported_grant_type", "Only the grant type client_credentials is supported here.")
        scopes = frozenset(given.get("scope", "").split()) or self.client_scopes
        lacking = sorted(scope for scope in scopes if not self._may_grant(scope))
        if lacking:
            raise ApiError(400, "invalid_scope", f"Malformed parameter: scope: Permissions exceeded: {' '.join(lacking)}")
        seconds = self._options.token_seconds
        access_token = secrets.token_urlsafe(24)
        with self._lock:
            self._tokens[access_token] = Token(scopes, self._clock.seconds() + seconds)
            self.issued += 1
        body = {
            "access_token": access_token,
            "token_type": "Bearer",
            "expires_in": seconds,
            "scope": " ".join(sorted(scopes)),
        }
        return Response(200, _encode(body))

    def introspect(self, request: Request) -> Response:
        """`POST /oauth/introspect`: whether a token is alive, its scope and its end (Unix milliseconds)."""
        self._authenticate(request)
        token = self._alive((dict(request.params) | _form(request)).get("token", ""))
        if token is None:
            return Response(200, _encode({"active": False}))
        left_seconds = token.expires_at_seconds - self._clock.seconds()
        expires = int((self._clock.now().timestamp() + left_seconds) * 1000)
        body = {
            "active": True,
            "scope": " ".join(sorted(token.scopes)),
            "exp": expires,
            "client_id": self._options.client_id,
        }
        return Response(200, _encode(body))

    def require(self, request: Request, kind: str, store_key: str | None = None) -> None:
        """Let a request read a kind, or refuse it as the API does (401 token, 403 scope)."""
        scheme, _, value = request.headers.get("authorization", "").partition(" ")
        token = self._alive(value) if scheme.lower() == "bearer" else None
        if token is None:
            raise invalid_token()
        project = self._options.project_key
        enough = {f"{name}:{project}" for name in (*SCOPES[kind], "manage_project")}
        if store_key is not None:
            enough |= {f"{name}:{project}:{store_key}" for name in SCOPES[kind]}
        if not enough & token.scopes:
            raise insufficient_scope(SCOPES[kind])

    def _alive(self, access_token: str) -> Token | None:
        with self._lock:
            token = self._tokens.get(access_token)
            if token is not None and token.expires_at_seconds <= self._clock.seconds():
                del self._tokens[access_token]
                token = None
        return token

    def _may_grant(self, scope: str) -> bool:
        permission, _, rest = scope.partition(":")
        project = rest.partition(":")[0]
        includes = {scope, f"{permission}:{project}", f"manage_project:{project}"}
        if permission.startswith("view_"):
            includes.add(f"manage_{permission.removeprefix('view_')}:{project}")
        return bool(includes & self.client_scopes)

    def _authenticate(self, request: Request) -> None:
        scheme, _, value = request.headers.get("authorization", "").partition(" ")
        try:
            given = base64.b64decode(value, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            given = ""
        client_id, _, secret = given.partition(":")
        expected = (self._options.client_id, self._options.client_secret)
        if scheme.lower() != "basic" or (
            (client_id, secret) != expected and (unquote(client_id), unquote(secret)) != expected
        ):
            raise invalid_client()


def _form(request: Request) -> dict[str, str]:
    """The fields of a form body; the sandbox, as the API, reads nothing else there."""
    return dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))
