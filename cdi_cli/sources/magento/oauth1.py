"""OAuth 1.0a as Magento understands it, which is not quite RFC 5849 (sheet "magento", section 1).

    base string = METHOD & encoded(url) & encoded(name=value&name=value...), by HMAC-SHA256
    key         = encoded(consumer secret) & encoded(token secret)

What differs, and breaks libraries: encoded names are sorted as PHP's `strnatcmp` does (`[2]` before `[10]`), values are
encoded with `%20` for a blank, and a nonce may be used once, so every attempt is signed anew. The port is part of the
address unless it is the scheme's own.
"""

from __future__ import annotations

import hmac
import re
import secrets
import time
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cmp_to_key
from hashlib import sha256
from urllib.parse import quote, urlsplit

from cdi_cli.secrets import Secret

_PIECES = re.compile(r"[0-9]+|[^0-9]")
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class OAuth1Signer:
    """Signs requests of one integration; `nonce` and `timestamp` are replaced in tests only."""

    consumer_key: str
    consumer_secret: Secret
    access_token: Secret
    access_token_secret: Secret
    nonce: Callable[[], str] = field(default=lambda: secrets.token_hex(16))
    timestamp: Callable[[], int] = field(default=lambda: int(time.time()))

    def authorization(self, method: str, url: str, params: Sequence[tuple[str, str]]) -> str:
        """The `Authorization` header of one attempt; never to be sent twice."""
        oauth = {
            "oauth_consumer_key": self.consumer_key,
            "oauth_nonce": self.nonce(),
            "oauth_signature_method": "HMAC-SHA256",
            "oauth_timestamp": str(self.timestamp()),
            "oauth_token": self.access_token.reveal(),
            "oauth_version": "1.0",
        }
        base = base_string(method, url, [*params, *oauth.items()])
        key = f"{encoded(self.consumer_secret.reveal())}&{encoded(self.access_token_secret.reveal())}"
        signature = b64encode(hmac.new(key.encode(), base.encode(), sha256).digest()).decode()
        fields = {**oauth, "oauth_signature": signature}
        return "OAuth " + ", ".join(f'{name}="{encoded(value)}"' for name, value in fields.items())


def base_string(method: str, url: str, params: Sequence[tuple[str, str]]) -> str:
    """The text that is signed: method, address without its query, and all parameters in Magento's order."""
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port not in (None, _DEFAULT_PORTS.get(parts.scheme)) else ""
    address = f"{parts.scheme}://{parts.hostname}{port}{parts.path}"
    pairs = sorted(((encoded(name), encoded(value)) for name, value in params), key=lambda pair: natural(pair[0]))
    return "&".join([method.upper(), encoded(address), encoded("&".join("=".join(pair) for pair in pairs))])


def encoded(text: str) -> str:
    """Percent-encoded as PHP's `rawurlencode` does it: all but letters, digits and `-_.~`."""
    return quote(text, safe="")


def _compare(first: str, second: str) -> int:
    ours, theirs = _PIECES.findall(first), _PIECES.findall(second)
    for left, right in zip(ours, theirs, strict=False):
        if left == right:
            continue
        if left[0].isdigit() and right[0].isdigit():
            if int(left) != int(right):
                return -1 if int(left) < int(right) else 1
            continue
        return -1 if left[0] < right[0] else 1
    return len(ours) - len(theirs)


natural = cmp_to_key(_compare)
"""A sort key by PHP's `strnatcmp`, as far as names of parameters need it: no leading zeros, no blanks."""
