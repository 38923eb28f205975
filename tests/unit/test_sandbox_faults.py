"""Faults: each kind breaks the answer in its own way, fires as often as told, and leaves what it should applied."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator

import pytest
from sandbox_client import SandboxClient

from cdi_cli.sandbox import Fault, SandboxOptions, SandboxThread

EVENT = {"type": "track", "event": "Order Completed", "userId": "u1", "messageId": "m1"}


@pytest.fixture(scope="module")
def shared() -> Iterator[SandboxThread]:
    """One server for the module."""
    with SandboxThread(SandboxOptions(orders=30)) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(shared: SandboxThread) -> SandboxThread:
    """The server without faults, messages or log."""
    shared.faults.clear()
    shared.segment.clear()
    shared.requests.clear()
    return shared


@pytest.fixture
def client(sandbox: SandboxThread) -> Iterator[SandboxClient]:
    """A client that has a token already."""
    with SandboxClient(sandbox.url) as client:
        client.token()
        yield client


def test_status_fault_skips_fires_and_ends(sandbox: SandboxThread, client: SandboxClient) -> None:
    """A fault lets `skip` requests pass, fires `times` times, and counts both."""
    fault = sandbox.faults.add(Fault(kind="status", match="/orders", skip=1, times=2, status=503))

    statuses = [client.api("/orders").status for _call in range(5)]

    assert statuses == [200, 503, 503, 200, 200]
    assert (fault.seen, fault.fired) == (5, 2)
    assert [entry.fault for entry in sandbox.requests if "/orders" in entry.path] == [None, "status", "status", None, None]


def test_status_fault_has_the_systems_own_body(sandbox: SandboxThread, client: SandboxClient) -> None:
    """Without a body of its own a fault answers as the imitated system does; with one, exactly that."""
    sandbox.faults.add(Fault(kind="status", match="/orders", status=413))
    sandbox.faults.add(Fault(kind="status", match="/segment", status=429, headers={"Retry-After": "3"}))
    sandbox.faults.add(Fault(kind="status", match="/carts", status=504, body={"message": "own"}))

    too_large, limited, own = client.api("/orders"), client.batch([EVENT]), client.api("/carts")

    assert too_large.json()["errors"][0]["code"] == "ContentTooLarge"
    assert (limited.status, limited.headers["retry-after"]) == (429, "3")
    assert limited.json()["success"] is False
    assert (own.status, own.json()) == (504, {"message": "own"})
    assert sandbox.segment.applied == []


@pytest.mark.parametrize(
    ("kind", "is_applied"), [("reset_before_body", False), ("reset_after_apply", True), ("reset_mid_body", True)]
)
def test_reset_is_a_reset(sandbox: SandboxThread, client: SandboxClient, kind: str, is_applied: bool) -> None:
    """The connection is reset; whether the request was carried out depends on the kind. A repeat is deduplicated."""
    fault = sandbox.faults.add(Fault(kind=kind, match="/v1/batch"))  # type: ignore[arg-type]

    with pytest.raises((ConnectionResetError, http.client.IncompleteRead, http.client.RemoteDisconnected)):
        client.batch([EVENT])
    applied_before = len(sandbox.segment.applied)
    client.batch([EVENT])

    assert fault.fired == 1
    assert applied_before == int(is_applied)
    assert len(sandbox.segment.applied) == 1


def test_truncated_body_is_shorter_than_announced(sandbox: SandboxThread, client: SandboxClient) -> None:
    """Content-Length promises more than arrives before the connection closes."""
    fault = sandbox.faults.add(Fault(kind="truncate", match="/orders"))

    with pytest.raises(http.client.IncompleteRead) as caught:
        client.api("/orders")

    assert fault.fired == 1
    assert caught.value.expected is not None
    assert abs(len(caught.value.partial) - caught.value.expected) <= 1


def test_drip_sends_byte_by_byte(sandbox: SandboxThread, client: SandboxClient) -> None:
    """A dripping answer takes `seconds` for each byte and is right in the end."""
    fault = sandbox.faults.add(Fault(kind="drip", match="/v1/batch", seconds=0.01))

    started = time.monotonic()
    answer = client.batch([EVENT])

    assert answer.json() == {"success": True}
    assert time.monotonic() - started >= 0.01 * (len(answer.body) - 2)
    assert fault.fired == 1


def test_delay_waits_first(sandbox: SandboxThread, client: SandboxClient) -> None:
    """A delayed answer is the real one, later."""
    fault = sandbox.faults.add(Fault(kind="delay", match="/orders", seconds=0.2))

    started = time.monotonic()
    answer = client.api("/orders")

    assert (answer.status, fault.fired) == (200, 1)
    assert time.monotonic() - started >= 0.2


def test_html_broken_json_and_bad_gzip_are_200(sandbox: SandboxThread, client: SandboxClient) -> None:
    """Three ways to be wrong behind a 200: a proxy's page, half a document, bytes that are not gzip."""
    for kind in ("html200", "broken_json", "bad_gzip"):
        sandbox.faults.add(Fault(kind=kind, match="/orders"))  # type: ignore[arg-type]

    page, broken = client.api("/orders"), client.api("/orders")

    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert broken.status == 200
    with pytest.raises(json.JSONDecodeError):
        broken.json()
    with pytest.raises(OSError, match="compression method"):
        client.api("/orders", gzipped=True)
    assert [fault.fired for fault in sandbox.faults.all()] == [1, 1, 1]


def test_share_fires_on_some_requests(sandbox: SandboxThread, client: SandboxClient) -> None:
    """With a share a fault fires on about that part of the requests, for ever."""
    fault = sandbox.faults.add(Fault(kind="status", match="/stores", times=None, share=0.5))

    statuses = {client.api("/stores").status for _call in range(60)}

    assert statuses == {200, 503}
    assert 10 < fault.fired < 50


def test_unknown_kind_is_refused() -> None:
    """A misspelt kind would never fire: it is an error at once."""
    with pytest.raises(ValueError, match="unknown fault kind `explode`"):
        Fault(kind="explode")  # type: ignore[arg-type]


def test_log_holds_requests_without_credentials(sandbox: SandboxThread, client: SandboxClient) -> None:
    """The request log shows method, path and query; credentials are starred, admin calls absent."""
    client.api("/orders", [("limit", "1")])
    client.admin("GET", "health")

    last = sandbox.requests[-1]
    assert (last.method, last.path, last.query) == ("GET", "/commercetools/api/sandbox/orders", "limit=1")
    assert last.headers["authorization"] == "****"


def test_latency_applies_to_every_call() -> None:
    """The latency option delays each call but the admin ones."""
    with SandboxThread(SandboxOptions(orders=0, latency_ms=100)) as sandbox, SandboxClient(sandbox.url) as client:
        started = time.monotonic()
        client.admin("GET", "health")
        quick = time.monotonic() - started
        client.batch([EVENT])

        assert quick < 0.1 <= time.monotonic() - started
