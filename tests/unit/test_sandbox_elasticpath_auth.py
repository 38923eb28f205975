"""The simulated Elastic Path's tokens, and what a request without a good one is told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from elasticpath_client import ElasticPathClient

from cdi_cli.clock import Instant
from cdi_cli.sandbox import Fault, SandboxOptions, SandboxThread
from cdi_cli.sandbox.__main__ import parse
from cdi_cli.sandbox.elasticpath.options import ElasticPathOptions
from cdi_cli.sandbox.process import command_line

NOW = Instant("2026-01-01T00:00:00.000Z")


@pytest.fixture
def sandbox() -> Iterator[SandboxThread]:
    """A small store."""
    with SandboxThread(SandboxOptions(sources=("elasticpath",), orders=5, now=NOW)) as sandbox:
        yield sandbox


@pytest.fixture
def client(sandbox: SandboxThread) -> Iterator[ElasticPathClient]:
    """A client of it, without a token."""
    with ElasticPathClient(sandbox.url) as client:
        yield client


def errors_of(answer: Any) -> Any:
    """The `errors` of an answer."""
    return answer.json()["errors"]


def test_a_token_says_when_it_ends(sandbox: SandboxThread, client: ElasticPathClient) -> None:
    """`expires_in` counts from now, `expires` is that moment in seconds since 1970."""
    answer = client.mint().json()

    assert answer["token_type"] == "Bearer"
    assert answer["identifier"] == "client_credentials"
    assert answer["expires_in"] == 3600
    assert abs(answer["expires"] - sandbox.clock.now().timestamp() - 3600) < 5


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", ""])
def test_the_token_service_takes_forms_alone(client: ElasticPathClient, content_type: str) -> None:
    """The label of the vendor's own example does not work."""
    assert client.mint(content_type=content_type).status == 400
    assert client.mint(content_type="application/x-www-form-urlencoded; charset=utf-8").status == 200


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"client_secret": "wrong"}, 401),
        ({"client_id": "wrong"}, 401),
        ({"client_secret": ""}, 401),
        ({"grant_type": "password"}, 400),
    ],
)
def test_a_wrong_client_gets_no_token(client: ElasticPathClient, changes: dict[str, str], status: int) -> None:
    """Neither a wrong key nor another grant."""
    assert client.mint(**changes).status == status


def test_a_token_ends_with_time_and_by_revocation(sandbox: SandboxThread, client: ElasticPathClient) -> None:
    """Both are the same 401; a new token works."""
    assert client.get("v2/orders").status == 200
    sandbox.clock.advance(3601)
    assert client.get("v2/orders").status == 401
    client.mint()
    assert client.get("v2/orders").status == 200
    assert client.admin("POST", "elasticpath/revoke-tokens").json() == {"revoked": 1}
    assert client.get("v2/orders").status == 401


def test_a_401_holds_a_list_or_an_object(client: ElasticPathClient) -> None:
    """As the switch says, also where a fault names only the status."""
    client.access_token = "unknown"
    assert errors_of(client.get("v2/orders")) == [{"status": 401, "title": "Unable to validate access token"}]

    client.switch(error_object=True)

    assert errors_of(client.get("v2/orders")) == {"status": 401, "title": "Unable to validate access token"}
    client.admin("POST", "faults", {"kind": "status", "status": 401})
    assert isinstance(errors_of(client.get("v2/orders")), dict)


def test_a_shoppers_token_sees_nothing(client: ElasticPathClient) -> None:
    """`implicit` needs no secret, and is refused everywhere; a shopper's header narrows a list to nobody."""
    assert client.mint(grant_type="implicit", client_secret="").json()["identifier"] == "implicit"
    assert client.get("v2/orders").status == 403

    client.mint()
    headers = {"Authorization": f"Bearer {client.access_token}", "X-Moltin-Customer-Token": "x"}
    answer = client.call("GET", "/elasticpath/v2/orders", headers=headers).json()
    assert (answer["data"], answer["meta"]["results"]["total"]) == ([], 0)


def test_options_reach_a_child_process() -> None:
    """Every switch has its place on the command line of `python -m cdi_cli.sandbox`."""
    switched = ElasticPathOptions(
        new_filters=False, sorts=False, refund_moves=False, requests_per_second=25, client_id="x y"
    )
    options = SandboxOptions(sources=("elasticpath",), elasticpath=switched)

    assert parse(command_line(options)) == (options, False)


def test_carts_need_a_shopper(client: ElasticPathClient) -> None:
    """The list is a 401, a cart of any id a 404."""
    assert client.get("v2/carts").status == 401
    assert client.get("v2/carts/abc").status == 404


@pytest.mark.parametrize("path", ["nowhere", "v2/nowhere", "v2/orders/x/y/z", "pcm/hierarchy"])
def test_an_unknown_path_is_a_404(client: ElasticPathClient, path: str) -> None:
    """With and without a token outside the API, with one inside."""
    assert client.get(path).status == 404


@pytest.mark.parametrize("status", [409, 429, 500, 503])
def test_faults_answer_in_the_platforms_words(sandbox: SandboxThread, client: ElasticPathClient, status: int) -> None:
    """A 500 names the request, a 429 does not say when to come again."""
    client.mint()
    sandbox.faults.add(Fault(kind="status", status=status))

    answer = client.get("v2/orders")

    (error,) = errors_of(answer)
    assert error["status"] == status == answer.status
    assert ("request_id" in error) == (status == 500)
    assert "retry-after" not in answer.headers


def test_the_rate_limit_is_a_bucket(sandbox: SandboxThread, client: ElasticPathClient) -> None:
    """A second's worth of requests at once, then 429 without Retry-After, until time has passed."""
    client.mint()
    client.switch(requests_per_second=3)
    # Nothing may pass on the sandbox's clock but what is added to it.
    sandbox.clock.seconds = lambda: 1000.0  # type: ignore[method-assign]
    sandbox.elasticpath.bucket._filled_at = 1000.0

    statuses = [client.get("v2/currencies").status for _ in range(5)]
    sandbox.clock.seconds = lambda: 1000.4  # type: ignore[method-assign]
    later = [client.get("v2/currencies").status for _ in range(2)]

    assert statuses == [200, 200, 200, 429, 429]
    assert later == [200, 429]
    assert client.admin("GET", "stats").json()["too_many"] == 3
