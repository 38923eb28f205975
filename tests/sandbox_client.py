"""A bare HTTP client for sandbox tests: stdlib only, so that the connectors' own client is not what is being tested."""

from __future__ import annotations

import base64
import gzip
import http.client
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

ORDERED = [("sort", "createdAt asc"), ("sort", "id asc"), ("withTotal", "false")]


@dataclass(frozen=True)
class Answer:
    """Status, headers (lower-case names) and body, inflated."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


class SandboxClient:
    """Talks to one sandbox over one kept-alive connection; mints a token when it needs one."""

    def __init__(self, url: str, *, secret: str = "sandbox-secret", project: str = "sandbox") -> None:
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=10)
        self._secret = secret
        self._project = project
        self.access_token: str | None = None

    def __enter__(self) -> SandboxClient:
        return self

    def __exit__(self, *_error: object) -> None:
        self._connection.close()

    def call(self, method: str, path: str, *, body: bytes = b"", headers: dict[str, str] | None = None) -> Answer:
        """One request; reconnects if the last answer ended the connection."""
        try:
            self._connection.request(method, path, body or None, headers or {})
            response = self._connection.getresponse()
            content = response.read()
        except (http.client.HTTPException, OSError):
            self._connection.close()
            raise
        names = {name.lower(): value for name, value in response.getheaders()}
        if names.get("content-encoding") == "gzip":
            content = gzip.decompress(content)
        return Answer(response.status, names, content)

    def token(self, scope: str | None = None) -> Answer:
        """Ask for an access token and keep it if one was given."""
        form = {"grant_type": "client_credentials"} | ({"scope": scope} if scope else {})
        credentials = base64.b64encode(f"sandbox-client:{self._secret}".encode()).decode()
        headers = {"Authorization": f"Basic {credentials}"}
        answer = self.call("POST", "/commercetools/auth/oauth/token", body=urlencode(form).encode(), headers=headers)
        if answer.status == 200:
            self.access_token = answer.json()["access_token"]
        return answer

    def introspect(self) -> Any:
        """What the auth server says about the kept token."""
        credentials = base64.b64encode(f"sandbox-client:{self._secret}".encode()).decode()
        body = urlencode({"token": self.access_token or ""}).encode()
        headers = {"Authorization": f"Basic {credentials}"}
        return self.call("POST", "/commercetools/auth/oauth/introspect", body=body, headers=headers).json()

    def api(
        self, path: str, params: list[tuple[str, str]] | None = None, *, method: str = "GET", gzipped: bool = False
    ) -> Answer:
        """A request to the project's API with the kept token."""
        if self.access_token is None:
            self.token()
        headers = {"Authorization": f"Bearer {self.access_token}"} | ({"Accept-Encoding": "gzip"} if gzipped else {})
        target = f"/commercetools/api/{self._project}{path}"
        return self.call(method, f"{target}?{urlencode(params)}" if params else target, headers=headers)

    def page(self, kind: str, *params: tuple[str, str]) -> list[dict[str, Any]]:
        """The records of a page; fails the test when there is none."""
        answer = self.api(f"/{kind}", list(params))
        assert answer.status == 200, answer.body
        results: list[dict[str, Any]] = answer.json()["results"]
        return results

    def walk(self, kind: str, *, limit: int, field: str = "createdAt", until: str | None = None) -> Iterator[dict[str, Any]]:
        """Every record of a kind by keyset on (field, id), as an extractor reads."""
        bound = f' and {field} < "{until}"' if until else ""
        where = f'{field} >= "1970-01-01T00:00:00.000Z"{bound}'
        sort = (("sort", f"{field} asc"), ("sort", "id asc"))
        while True:
            rows = self.page(kind, ("where", where), *sort, ("limit", str(limit)), ("withTotal", "false"))
            yield from rows
            if len(rows) < limit:
                return
            at, last = rows[-1][field], rows[-1]["id"]
            where = f'({field} > "{at}" or ({field} = "{at}" and id > "{last}")){bound}'

    def batch(self, messages: list[Any], **fields: Any) -> Answer:
        """A batch to Segment with the right write key, unless `fields` say otherwise."""
        body = {"batch": messages, "writeKey": "sandbox-write-key", **fields}
        return self.raw_batch(json.dumps(body).encode())

    def raw_batch(self, body: bytes, **headers: str) -> Answer:
        """A batch of any bytes; header names with `_` for `-`."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.call("POST", "/segment/v1/batch", body=body, headers={"Content-Type": "application/json", **given})

    def admin(self, method: str, path: str, body: Any = None) -> Answer:
        """A call to the admin API."""
        return self.call(method, f"/_sandbox/{path}", body=b"" if body is None else json.dumps(body).encode())
