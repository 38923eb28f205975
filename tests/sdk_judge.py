"""The unofficial `commercetools` SDK as an independent judge: its test server over loopback, and its typed client.

Importing it takes 0.4 s and warns, so it is imported when it is first needed and its warnings end here. It runs in tests
only: the README says why it does not read anything in `cdi` itself.
"""

from __future__ import annotations

import json
import threading
import uuid
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PROJECT = "unittest"
"""The only project that the SDK's server knows."""

FUTURE = frozenset({"RecurringOrder", "Marketplace", "ReadyForPickup", "Canceled"})
"""Enum values that the platform added after the SDK was generated, and at which its schemas raise."""


@contextmanager
def quiet() -> Iterator[None]:
    """No warnings: the SDK passes field metadata in a way that marshmallow 3 deprecates, once per field."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


class JudgeServer:
    """The SDK's `BackendRepository` behind a real socket; `url` ends without a slash.

    What it cannot do, so that tests must not expect it: `sort` is ignored (records are served in the order in which they
    were put), any token is accepted, scopes and stores do not exist, `limit=0` gives all rows, introspection looks for the
    token in the query instead of the body. Its predicates compare dates as dates and ids as lower-case text; it serves dates
    as `2026-01-31T12:00:00.843000+00:00`. A nested predicate breaks it where a record lacks the outer field.
    """

    def __init__(self) -> None:
        with quiet():
            from commercetools.testing import BackendRepository
            from commercetools.testing.server import HttpAdapter

            self.adapter = HttpAdapter()
            self.repository = BackendRepository()
            self.repository.register(self.adapter)
        self.asked: list[str] = []
        self.errors: list[str] = []
        self._lock = threading.Lock()  # its predicate parser is one global object
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self))
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.url = f"http://localhost:{self._server.server_port}"

    def __enter__(self) -> JudgeServer:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def put(self, kind: str, documents: Sequence[Mapping[str, Any]]) -> None:
        """Store records, each checked by the SDK's own schema; they will be served in this order."""
        backend = getattr(self.repository, kind.replace("-", "_"))
        schema = backend.model._resource_schema
        with quiet():
            for document in documents:
                schema().load(json.loads(json.dumps(document)))
                backend.model.objects[uuid.UUID(document["id"])] = json.loads(json.dumps(document))

    def answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        """Status and body of the backend's answer; a failure inside it is 500 and kept in `errors`."""
        import requests
        from requests_mock.request import _RequestObjectProxy

        prepared = requests.Request(method, self.url + target, headers=dict(headers), data=body.decode()).prepare()
        with self._lock, quiet():
            self.asked.append(target)
            try:
                found = self.adapter.match(_RequestObjectProxy(prepared, case_sensitive=True))
            except Exception as error:  # noqa: BLE001 - whatever a judge breaks on is for the test to see
                self.errors.append(repr(error))
                return 500, b"{}"
        return (404, b"{}") if found is None else (found.status_code, found.content)


def _handler_of(judge: JudgeServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """Hands every request to the judge."""

        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            """A query."""
            self._reply("GET")

        def do_POST(self) -> None:
            """A token."""
            self._reply("POST")

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

        def _reply(self, method: str) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            status, content = judge.answer(method, self.path, dict(self.headers.items()), body)
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    return Handler


def is_known_to_the_sdk(value: Any) -> bool:
    """Whether a record holds none of the enum values at which the SDK raises."""
    if isinstance(value, dict):
        return all(is_known_to_the_sdk(below) for below in value.values())
    if isinstance(value, list):
        return all(is_known_to_the_sdk(below) for below in value)
    return not (isinstance(value, str) and value in FUTURE)


def typed_client(api_url: str, auth_url: str, project: str, client_id: str, secret: str) -> Any:
    """The SDK's request builder for one project; mints a token, over plain http only with OAUTHLIB_INSECURE_TRANSPORT."""
    with quiet():
        from commercetools.platform import Client

        client = Client(
            client_id=client_id,
            client_secret=secret,
            scope=[f"manage_project:{project}"],
            url=api_url,
            token_url=f"{auth_url}/oauth/token",
        )
        return client.with_project_key(project)
