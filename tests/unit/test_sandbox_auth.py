"""The commercetools simulator's OAuth side: tokens, scopes, expiry, revocation, and the exact refusals."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sandbox_client import SandboxClient

from cdi_cli.sandbox import SandboxOptions, SandboxThread

INVALID_TOKEN = {
    "statusCode": 401,
    "message": "invalid_token",
    "errors": [{"code": "invalid_token", "message": "invalid_token"}],
    "error": "invalid_token",
}


@pytest.fixture
def sandbox() -> Iterator[SandboxThread]:
    """A sandbox with next to no data."""
    with SandboxThread(SandboxOptions(orders=3)) as sandbox:
        yield sandbox


@pytest.fixture
def client(sandbox: SandboxThread) -> Iterator[SandboxClient]:
    """A client with the right secret."""
    with SandboxClient(sandbox.url) as client:
        yield client


def test_token_answer_has_no_refresh_token(client: SandboxClient) -> None:
    """A token comes with its life, type and scope, and nothing to refresh it with."""
    answer = client.token()

    body = answer.json()
    assert answer.status == 200
    assert {**body, "access_token": "x"} == {
        "access_token": "x",
        "token_type": "Bearer",
        "expires_in": 172_800,
        "scope": "manage_project:sandbox",
    }


def test_wrong_secret_is_invalid_client(sandbox: SandboxThread) -> None:
    """A wrong secret is 401 `invalid_client`, in the API's words."""
    with SandboxClient(sandbox.url, secret="wrong") as client:
        answer = client.token()

    message = "Please provide valid client credentials using HTTP Basic Authentication."
    assert answer.status == 401
    assert answer.json() == {
        "statusCode": 401,
        "message": message,
        "errors": [{"code": "invalid_client", "message": message}],
        "error": "invalid_client",
    }


@pytest.mark.parametrize("token", [None, "made-up"])
def test_missing_or_unknown_token_is_invalid_token(client: SandboxClient, token: str | None) -> None:
    """No token and an unknown one are refused alike."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}

    answer = client.call("GET", "/commercetools/api/sandbox/orders", headers=headers)

    assert (answer.status, answer.json()) == (401, INVALID_TOKEN)


def test_tokens_end_on_the_sandbox_clock(sandbox: SandboxThread, client: SandboxClient) -> None:
    """A token is good for its life and not a second longer; a new one works again."""
    client.token()
    sandbox.clock.advance(172_790)
    early = client.api("/orders")
    sandbox.clock.advance(11)
    late = client.api("/orders")
    client.token()
    renewed = client.api("/orders")

    assert (early.status, late.status, renewed.status) == (200, 401, 200)
    assert late.json() == INVALID_TOKEN


def test_revoked_tokens_are_refused_at_once(sandbox: SandboxThread, client: SandboxClient) -> None:
    """Revocation ends every token; introspection then says so."""
    client.token()
    alive = client.introspect()
    revoked = sandbox.tokens.revoke_all()

    assert (alive["active"], alive["scope"]) == (True, "manage_project:sandbox")
    assert abs(alive["exp"] / 1000 - sandbox.clock.now().timestamp() - 172_800) < 5
    assert revoked == 1
    assert client.api("/orders").status == 401
    assert client.introspect() == {"active": False}


def test_missing_scope_is_named() -> None:
    """A stream outside the client's scopes is 403 with the scopes that would do; the others stay readable."""
    options = SandboxOptions(orders=3, scopes=("view_orders", "view_payments"))
    with SandboxThread(options) as sandbox, SandboxClient(sandbox.url) as client:
        refused = client.api("/customers")
        statuses = [client.api(f"/{kind}").status for kind in ("orders", "carts", "payments", "messages", "products")]

    message = "Insufficient scope. One of the following scopes is missing: view_customers, manage_customers."
    assert refused.status == 403
    assert refused.json() == {
        "statusCode": 403,
        "message": message,
        "errors": [{"code": "insufficient_scope", "message": message}],
        "error": "insufficient_scope",
    }
    assert statuses == [200, 200, 200, 200, 403]


def test_a_token_may_be_narrower_than_its_client(client: SandboxClient) -> None:
    """A scope that the client includes may be asked for alone, and then limits the token."""
    granted = client.token("view_orders:sandbox")

    assert granted.json()["scope"] == "view_orders:sandbox"
    assert client.api("/orders").status == 200
    assert client.api("/customers").status == 403


def test_scope_beyond_the_client_is_invalid_scope() -> None:
    """Asking for more than the client may do is 400 `invalid_scope`."""
    with SandboxThread(SandboxOptions(orders=3, scopes=("view_orders",))) as sandbox, SandboxClient(sandbox.url) as client:
        answer = client.token("view_customers:sandbox")

    assert (answer.status, answer.json()["error"]) == (400, "invalid_scope")


def test_other_projects_do_not_exist(sandbox: SandboxThread) -> None:
    """A project key that is not this sandbox's is 404."""
    with SandboxClient(sandbox.url, project="other") as client:
        assert client.api("/orders").status == 404


def test_project_describes_itself(client: SandboxClient) -> None:
    """`GET /{project}` tells languages, currencies and whether messages are recorded."""
    project: dict[str, Any] = client.api("").json()

    assert project["key"] == "sandbox"
    assert {"EUR", "JPY", "KWD"} <= set(project["currencies"])
    assert project["messages"]["enabled"] is False
