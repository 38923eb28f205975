"""OAuth 1.0a as Magento verifies it, which is not RFC 5849.

Parameters are signed as they were percent-encoded (`+` is a plus), their encoded names are sorted as `strnatcmp` does
(`[2]` before `[10]`), `%2F` in the path is a `/`, and only HMAC-SHA256 is taken. A nonce is taken once per consumer.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from functools import cmp_to_key
from urllib.parse import quote, unquote

from cdi_cli.sandbox.http_server import Request
from cdi_cli.sandbox.magento.options import MagentoOptions
from cdi_cli.sandbox.magento.replies import MagentoError, oauth_refused, required

CONSUMER_ID = 1
_FIELD = re.compile(r'\s*([A-Za-z0-9_.~%-]+)="([^"]*)"\s*(?:,|$)')
_REQUIRED = (
    "oauth_consumer_key",
    "oauth_signature",
    "oauth_signature_method",
    "oauth_nonce",
    "oauth_timestamp",
    "oauth_token",
)


class OAuthVerifier:
    """Verifies signed requests of the one integration; remembers every nonce it took."""

    def __init__(self, options: MagentoOptions) -> None:
        self._options = options
        self._nonces: set[str] = set()

    def verify(self, request: Request, header: str) -> None:
        """Let a signed request pass, or raise what the server answers; `header` is what follows `OAuth `."""
        options, given = self._options, fields_of(header)
        for name in _REQUIRED:
            if not given.get(name):
                raise (
                    oauth_refused("oauth_signature_method is required", status=400)
                    if name == _REQUIRED[2]
                    else required(name)
                )
        if given["oauth_signature_method"] != "HMAC-SHA256":
            raise MagentoError(400, "Signature method %1 is not supported", [given["oauth_signature_method"]])
        if given["oauth_consumer_key"] != options.consumer_key:
            raise oauth_refused("A consumer having the specified key does not exist")
        if not given["oauth_timestamp"].isdecimal():
            raise oauth_refused("Incorrect timestamp value in the oauth_timestamp parameter", status=400)
        if given["oauth_nonce"] in self._nonces:
            raise oauth_refused("The nonce is already being used by the consumer with ID %1", str(CONSUMER_ID))
        self._nonces.add(given["oauth_nonce"])
        if given["oauth_token"] != options.access_token:
            raise oauth_refused("Specified token does not exist")
        key = f"{_encoded(options.consumer_secret)}&{_encoded(options.access_token_secret)}"
        digest = hmac.new(key.encode(), base_string(request, given).encode(), hashlib.sha256).digest()
        if not hmac.compare_digest(base64.b64encode(digest).decode(), given["oauth_signature"]):
            raise oauth_refused("The signature is invalid. Verify and try again.")


def fields_of(header: str) -> dict[str, str]:
    """The fields of an `Authorization: OAuth` header, decoded."""
    return {unquote(name): unquote(value) for name, value in _FIELD.findall(header)}


def base_string(request: Request, given: dict[str, str]) -> str:
    """What is signed: method, address with a port that is not the default one, sorted parameters."""
    url = f"http://{request.headers.get('host', '')}{quote(request.path, safe='/')}"
    pairs = [(name, value) for name, value in given.items() if name not in ("oauth_signature", "realm")]
    for part in request.query.split("&") if request.query else ():
        name, _equals, value = part.partition("=")
        pairs.append((unquote(name), unquote(value)))
    encoded = sorted(((_encoded(name), _encoded(value)) for name, value in pairs), key=cmp_to_key(_compare))
    joined = "&".join(f"{name}={value}" for name, value in encoded)
    return f"{request.method}&{_encoded(url)}&{_encoded(joined)}"


def natural_compare(first: str, second: str) -> int:
    """Negative, 0 or positive as PHP's `strnatcmp`: runs of digits by their value, everything else by its bytes."""
    one, two = _pieces(first), _pieces(second)
    for left, right in zip(one, two, strict=False):
        if left.isdigit() and right.isdigit():
            if int(left) != int(right):
                return -1 if int(left) < int(right) else 1
        elif left != right:
            return -1 if left < right else 1
    return len(one) - len(two)


def _pieces(text: str) -> list[str]:
    return re.findall(r"[0-9]+|[^0-9]", text)


def _compare(one: tuple[str, str], two: tuple[str, str]) -> int:
    return natural_compare(one[0], two[0]) or (one[1] > two[1]) - (one[1] < two[1])


def _encoded(text: str) -> str:
    return quote(text, safe="~")
