"""Requests to the sandbox's Insider account for tests of that simulator."""

from __future__ import annotations

import json
from typing import Any

from sandbox_client import Answer, SandboxClient

HEADERS = {
    "Content-Type": "application/json",
    "X-PARTNER-NAME": "sandbox",
    "X-REQUEST-TOKEN": "sandbox-insider-token",
}
RECORD = {
    "item_id": "p-1",
    "locale": "de_DE",
    "name": "Tee",
    "url": "https://s.example/p",
    "image_url": "https://s.example/i",
}
"""A record of the catalogue with what every record needs."""


def call(client: SandboxClient, path: str, body: Any, *, method: str = "POST", **headers: str | None) -> Answer:
    """A request with good headers, unless `headers` say otherwise (None leaves one out)."""
    given = HEADERS | ({"X-REQUEST-TOKEN": "sandbox-catalog-token"} if path.startswith("v2/") else {})
    given |= {name.replace("_", "-"): value for name, value in headers.items() if value is not None}
    for name in [name.replace("_", "-") for name, value in headers.items() if value is None]:
        del given[name]
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client.call(method, f"/insider/{path}", body=content, headers=given)
