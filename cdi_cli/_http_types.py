"""The values that `cdi_cli.http` takes and gives: limits, retry policy, response. Import them from there."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import msgspec

from cdi_cli.errors import ConfigError, ProtocolError

TRANSIENT_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504, *range(520, 525), 599})


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """When and how long a request is repeated.

    At most `attempts` tries. Waits are drawn from `[0, wait_initial_seconds * 2^n]`, capped at `wait_max_seconds`, unless
    the server asks for a pause: then that pause, capped at `retry_after_max_seconds`. `total_seconds` bounds attempts and
    own waits together; pauses that the server asked for are not counted in it (`attempts` times the cap bounds them).
    `statuses` are the answers worth repeating the request for, except one of which `is_final(response)` says it comes again.
    `is_repeatable` False: a request that may have arrived, and whose answer was lost, is not sent again (LostAnswerError).
    """

    attempts: int = 8
    total_seconds: float = 300.0
    wait_initial_seconds: float = 0.5
    wait_max_seconds: float = 30.0
    retry_after_max_seconds: float = 300.0
    statuses: frozenset[int] = TRANSIENT_STATUSES
    is_final: Callable[[Response], bool] | None = None
    is_repeatable: bool = True


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """Bounds of one attempt: `total_seconds` is a deadline around all of it, `decoded_bytes_max` counts after inflating.

    `connections` is how many are open at once; none is kept longer than `connection_age_seconds`, so that changed
    addresses of the other side are noticed.
    """

    connect_seconds: float = 5.0
    total_seconds: float = 60.0
    decoded_bytes_max: int = 64 * 1024 * 1024
    connections: int = 16
    connection_age_seconds: float = 3600.0


@dataclass(frozen=True, slots=True)
class Response:
    """An answer read to its end: `headers` by lower-case name, `body` inflated, `what` was asked for (for error texts)."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    what: str = "request"

    def json(self, type: Any = Any) -> Any:
        """The body as JSON of that msgspec type; raises ProtocolError for anything else."""
        try:
            return msgspec.json.decode(self.body, type=type)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            reason = str(error) if isinstance(error, msgspec.DecodeError) else "not readable as JSON"
        kind = self.headers.get("content-type", "no content type").partition(";")[0]
        raise ProtocolError(
            f"{self.what}: the answer cannot be read: {reason} (status {self.status}, {len(self.body)} bytes, `{kind}`)",
            hint="check that the address is that of the API itself, not of a proxy or a login page",
        )


@lru_cache(maxsize=256)
def checked_host(url: str) -> str:
    """The host that a base URL names; raises ConfigError unless it is plain https, or http to this very machine.

    Refused as well: user names in the URL, port 0, backslashes, blanks and control characters. Give it an origin or a
    base URL, not one URL per record: it remembers.
    """
    if "\\" in url or any(character <= " " or character == "\x7f" for character in url):
        raise ConfigError("a URL holds a character that no URL may hold", hint="write `https://host/path`")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise ConfigError("a URL cannot be read", hint="write `https://host/path`") from None
    if not host or port == 0 or parts.username is not None or parts.password is not None:
        raise ConfigError("a URL must name a host, and no user", hint="write `https://host/path`; secrets have own settings")
    if parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host)):
        return host
    raise ConfigError(
        f"`{parts.scheme}://{host}` is not allowed: it would send data unencrypted",
        hint="use `https://`; `http://` is for `localhost` and `127.0.0.1` only",
    )


def is_loopback(host: str) -> bool:
    """Whether a host is this machine by its literal name or address; no name is looked up."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
