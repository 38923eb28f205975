"""Who may ask the simulated Magento: every mode, and the texts of every refusal."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote, urlencode

import pytest
from magento_client import MagentoClient, criteria, message_of
from sandbox_client import Answer

from cdi_cli.clock import Instant
from cdi_cli.sandbox import SandboxOptions, SandboxThread
from cdi_cli.sandbox.magento.oauth1 import natural_compare

NOW = Instant("2026-06-01T00:00:00.000Z")
PATH = "/magento/rest/all/V1/orders"
QUERY = "searchCriteria%5BpageSize%5D=2"
REFUSED = "The consumer isn't authorized to access Magento_Sales::actions_view."


@pytest.fixture
def sandbox() -> Iterator[SandboxThread]:
    """A small shop."""
    with SandboxThread(SandboxOptions(sources=("magento",), orders=12, now=NOW)) as sandbox:
        yield sandbox


@pytest.fixture
def client(sandbox: SandboxThread) -> Iterator[MagentoClient]:
    """A client of it."""
    with MagentoClient(sandbox.url) as client:
        yield client


def refusal(answer: Answer) -> tuple[int, str]:
    """Status and text."""
    return answer.status, message_of(answer)


def test_the_three_refusals_of_a_bearer_token_are_one(sandbox: SandboxThread, client: MagentoClient) -> None:
    """A bad token, bearer tokens switched off and a missing ACL cannot be told apart by their answer."""
    answers = [client.rest("orders", criteria(size=1), Authorization="Bearer wrong")]
    sandbox.magento.switch(bearer=False)
    answers.append(client.rest("orders", criteria(size=1)))
    sandbox.magento.switch(bearer=True, acl=("Magento_Customer::customer",))
    answers.append(client.rest("orders", criteria(size=1)))

    assert [refusal(answer) for answer in answers] == [(401, REFUSED)] * 3
    assert {answer.body for answer in answers} == {answers[0].body}
    assert client.rest("customers/search", criteria(size=1)).status == 200


def test_nobody_may_read_anything(client: MagentoClient) -> None:
    """Without credentials products are refused too, and each endpoint names its resource."""
    headers = {"Authorization": ""}
    named = {
        path: client.rest(path, criteria(size=1), **headers).json()["parameters"]["resources"]
        for path in ("products", "customers/search", "creditmemos", "carts/search", "store/storeConfigs", "shipments")
    }

    assert named == {
        "products": "Magento_Catalog::products",
        "customers/search": "Magento_Customer::customer",
        "creditmemos": "Magento_Sales::sales_creditmemo",
        "carts/search": "Magento_Cart::manage",
        "store/storeConfigs": "Magento_Backend::store",
        "shipments": "Magento_Sales::shipment",
    }


def test_an_admin_token_lives_for_an_hour(sandbox: SandboxThread, client: MagentoClient) -> None:
    """A JSON string, refused like any wrong token once it ended or was revoked; a wrong login says so."""

    def login(password: str) -> Answer:
        body = f'{{"username":"sandbox-admin","password":"{password}"}}'.encode()
        return client.call("POST", "/magento/rest/V1/integration/admin/token", body=body)

    token = login("sandbox-password").json()
    bearer = {"Authorization": f"Bearer {token}"}
    assert isinstance(token, str)
    assert client.rest("orders", criteria(size=1), **bearer).status == 200
    sandbox.clock.advance(3601)
    assert refusal(client.rest("orders", criteria(size=1), **bearer)) == (401, REFUSED)

    fresh = {"Authorization": f"Bearer {login('sandbox-password').json()}"}
    assert client.rest("orders", criteria(size=1), **fresh).status == 200
    assert client.admin("POST", "magento/revoke-tokens").json() == {"revoked": 1}
    assert client.rest("orders", criteria(size=1), **fresh).status == 401
    wrong = login("wrong")
    assert wrong.status == 401
    assert message_of(wrong).startswith("The account sign-in was incorrect or your account is disabled temporarily")


def test_a_signed_request_passes(client: MagentoClient) -> None:
    """With spaces as `%20`, a port that is not the default one, and more than ten filters in natural order."""
    filters = "&".join(
        f"searchCriteria%5Bfilter_groups%5D%5B0%5D%5Bfilters%5D%5B{number}%5D%5B{name}%5D={quote(value)}"
        for number in range(12)
        for name, value in (("field", "created_at"), ("value", "2020-01-01 00:00:00"), ("condition_type", "gteq"))
    )

    assert client.signed(PATH, QUERY).status == 200
    assert client.signed(PATH, f"{QUERY}&{filters}").json()["total_count"] == 12


def test_an_rfc_signature_fails_from_the_eleventh_filter_on(client: MagentoClient) -> None:
    """Sorted by bytes `[10]` stands before `[2]`: as every common library does it, and the server does not."""

    def signed(count: int) -> Answer:
        names = (
            f"searchCriteria%5Bfilter_groups%5D%5B{n}%5D%5Bfilters%5D%5B0%5D%5Bfield%5D=entity_id" for n in range(count)
        )
        values = (f"searchCriteria%5Bfilter_groups%5D%5B{n}%5D%5Bfilters%5D%5B0%5D%5Bvalue%5D=1" for n in range(count))
        return client.signed(PATH, "&".join([*names, *values]), is_natural=False)

    assert signed(10).status == 200
    assert refusal(signed(11)) == (401, "The signature is invalid. Verify and try again.")


def test_a_plus_is_no_space(client: MagentoClient) -> None:
    """A value that was sent with `+` and signed as a space is refused."""
    name = "searchCriteria%5Bfilter_groups%5D%5B0%5D%5Bfilters%5D%5B0%5D"
    query = f"{name}%5Bfield%5D=created_at&{name}%5Bvalue%5D=2020-01-01%2000:00:00&{name}%5Bcondition_type%5D=gteq"
    assert client.signed(PATH, query).status == 200

    real = client.call

    def with_plus(method: str, path: str, **given: object) -> Answer:
        return real(method, path.replace("%20", "+"), **given)  # type: ignore[arg-type]

    client.call = with_plus  # type: ignore[method-assign,assignment]
    assert refusal(client.signed(PATH, query)) == (401, "The signature is invalid. Verify and try again.")


@pytest.mark.parametrize(
    ("changes", "status", "text"),
    [
        ({"oauth_signature_method": "HMAC-SHA1"}, 400, "Signature method HMAC-SHA1 is not supported"),
        ({"oauth_consumer_key": "unknown"}, 401, "A consumer having the specified key does not exist"),
        ({"oauth_token": "unknown"}, 401, "Specified token does not exist"),
    ],
)
def test_refusals_of_signed_requests(client: MagentoClient, changes: dict[str, str], status: int, text: str) -> None:
    """Each has a text of its own."""
    assert refusal(client.signed(PATH, QUERY, **changes)) == (status, text)


def test_a_nonce_is_taken_once(client: MagentoClient) -> None:
    """The same signed request sent again is refused: whoever retries must sign anew. Old timestamps are fine."""
    assert client.signed(PATH, QUERY, oauth_nonce="once", oauth_timestamp="1000000000").status == 200

    again = client.signed(PATH, QUERY, oauth_nonce="once")

    assert refusal(again) == (401, "The nonce is already being used by the consumer with ID 1")


def test_a_missing_acl_is_told_to_signed_requests_too(sandbox: SandboxThread, client: MagentoClient) -> None:
    """The signature is fine, the resource is named; bearer tokens need not be switched on."""
    sandbox.magento.switch(bearer=False, acl=("Magento_Catalog::products",))

    assert refusal(client.signed(PATH, QUERY)) == (401, REFUSED)
    assert client.signed("/magento/rest/all/V1/products", QUERY).status == 200


def test_the_cloud_service(sandbox: SandboxThread, client: MagentoClient) -> None:
    """A token of IMS, two more headers, no `/rest/` in the address, the store in a header."""
    form = {"grant_type": "client_credentials", "client_id": "sandbox-ims-client", "client_secret": "sandbox-ims-secret"}
    form["scope"] = (
        "openid,AdobeID,email,profile,additional_info.roles,additional_info.projectedProductContext,commerce.accs"
    )
    given = client.call("POST", "/magento/ims/token/v3", body=urlencode(form).encode()).json()
    headers = {
        "Authorization": f"Bearer {given['access_token']}",
        "x-api-key": "sandbox-ims-client",
        "x-gw-ims-org-id": "SANDBOX@AdobeOrg",
    }
    target = f"/magento/sandbox-tenant/V1/orders?{QUERY}"

    assert given["expires_in"] == 86_399
    assert client.call("GET", target, headers=headers).json()["total_count"] == 12
    assert client.call("GET", target, headers=headers | {"Store": "eu_de"}).status == 200
    assert client.call("GET", target, headers=headers | {"Store": "nowhere"}).status == 400
    assert client.call("GET", target, headers=headers | {"x-api-key": "other"}).status == 403
    assert client.call("GET", target, headers=headers | {"x-gw-ims-org-id": "other"}).status == 403
    assert client.call("GET", f"{PATH}?{QUERY}", headers=headers).status == 401
    assert client.call("POST", "/magento/sandbox-tenant/V1/integration/admin/token", body=b"{}").status == 404
    sandbox.clock.advance(86_400)
    assert client.call("GET", target, headers=headers).status == 401


@pytest.mark.parametrize(
    ("changes", "status", "error"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"scope": "openid"}, 400, "invalid_scope"),
    ],
)
def test_refusals_of_the_token_service(client: MagentoClient, changes: dict[str, str], status: int, error: str) -> None:
    """Wrong credentials, another grant, a scope too few."""
    form = {"grant_type": "client_credentials", "client_id": "sandbox-ims-client", "client_secret": "sandbox-ims-secret"}
    form |= {"scope": "openid,commerce.accs"} | changes

    answer = client.call("POST", "/magento/ims/token/v3", body=urlencode(form).encode())

    assert (answer.status, answer.json()["error"]) == (status, error)


def test_switches_over_the_admin_api(client: MagentoClient) -> None:
    """They can be turned while it runs; an unknown one is refused by name."""
    told = client.admin("POST", "magento/switches", {"bearer": False, "acl": ["Magento_Cart::manage"]}).json()

    assert (told["bearer"], told["acl"]) == (False, ["Magento_Cart::manage"])
    assert "password" not in told
    assert client.rest("carts/search", criteria(size=1)).status == 401
    refused = client.admin("POST", "magento/switches", {"bearers": True})
    assert (refused.status, "bearers" in refused.json()["message"]) == (400, True)


@pytest.mark.parametrize(
    ("one", "other", "sign"),
    [
        ("a[2]", "a[10]", -1),
        ("a[10]", "a[2]", 1),
        ("a[2][x]", "a[2][y]", -1),
        ("a", "a", 0),
        ("a[1]", "b", -1),
        ("a", "ab", -1),
    ],
)
def test_natural_order(one: str, other: str, sign: int) -> None:
    """Numbers by their value, everything else by its bytes."""
    result = natural_compare(one, other)

    assert (result > 0) - (result < 0) == sign
