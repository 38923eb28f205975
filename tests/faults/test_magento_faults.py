"""What a shop does wrong and what comes of it: refusals that look alike, maintenance, poisoned records, no pages."""

from __future__ import annotations

import json
from typing import Any

import pytest
import stamina
from magento_stub import FAULT, QUICK, TOKEN, StubShop, opened, order, sample
from scripted_server import answer, hang, reset_after

from cdi_cli.clock import Instant, Window
from cdi_cli.commerce import Order
from cdi_cli.errors import AuthError, ProtocolError, RefusedError, ScopeError, TransientError
from cdi_cli.http import HttpLimits, RetryPolicy
from cdi_cli.sources import Page, SourceContext, Unreadable
from cdi_cli.sources.magento.source import MagentoSource

YEAR = Window(Instant("2026-01-01T00:00:00.000Z"), Instant("2027-01-01T00:00:00.000Z"))
MAINTENANCE = answer(503, b"<html>We'll be back soon</html>", content_type="text/html")
HTML = answer(200, b"<!doctype html><title>Sign in</title>", content_type="text/html")
BLOCKED = answer(403, b"<html>Attention Required! | Cloudflare</html>", content_type="text/html")
SERVER_FAULT = answer(500, json.dumps(FAULT).encode(), content_type="application/json")


@pytest.fixture(autouse=True)
def _secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stub knows one token."""
    for name, value in {"MAGENTO_TOKEN": TOKEN, "SECRET_A": "consumer-s3cret", "SECRET_B": "token-s3cret"}.items():
        monkeypatch.setenv(name, value)


def problem(status: int, message: str, **more: Any) -> Any:
    """An answer in Magento's error envelope."""
    return answer(status, json.dumps({"message": message, **more}).encode(), content_type="application/json")


def shop_of(count: int, **more: Any) -> StubShop:
    """A shop with so many orders, one a second."""
    rows = [order(number, f"2026-03-01 12:{number // 60:02d}:{number % 60:02d}") for number in range(1, count + 1)]
    return StubShop({"/orders": rows}, **more)


async def walked(source: MagentoSource, stream: str = "orders") -> list[Page]:
    """All pages of the year."""
    return [page async for page in source.pages(stream, YEAR, None)]


def ids(pages: list[Page]) -> list[int]:
    """The ids of all records, in order."""
    return [json.loads(record)["entity_id"] for page in pages for record in page.records]


# 401: three that look alike


async def test_a_missing_resource_is_named() -> None:
    """While other lists can be read, a 401 that names a resource is about that resource."""
    async with opened(shop_of(1, denied={"/orders"})) as source:
        with pytest.raises(ScopeError, match=r"lacks the resource `Magento_Sales::actions_view`"):
            await walked(source)


async def test_a_resource_is_named_even_if_the_first_thing_asked_for_lacks_it() -> None:
    """Before anything could be read, other lists are tried."""
    shop = shop_of(1, denied={"/store/storeViews", "/store/websites", "/store/storeConfigs"})
    async with opened(shop) as source:
        with pytest.raises(ScopeError, match="Magento_Backend::store"):
            await walked(source)


async def test_a_token_that_may_read_nothing_is_refused_as_such() -> None:
    """A bad token and tokens that are not accepted as bearer cannot be told apart: both are named, with the command."""
    async with opened(shop_of(1, token="another")) as source:
        with pytest.raises(AuthError, match="refused our credentials") as caught:
            await walked(source)
    assert type(caught.value) is AuthError
    assert "enable_integration_as_bearer 1" in (caught.value.hint or "")
    assert "access_token" in (caught.value.hint or "")
    assert TOKEN not in str(vars(caught.value))


OAUTH = {
    "auth": "oauth1",
    "consumer_key": "key-1",
    "consumer_secret": "${SECRET_A}",
    "access_token_secret": "${SECRET_B}",
}


async def test_a_used_nonce_is_signed_anew() -> None:
    """The request is sent once more under another nonce."""
    used = problem(401, "The nonce is already being used by the consumer with ID %1", parameters=[7])
    good = answer(200, json.dumps({"items": [], "total_count": 0}).encode())
    views = [answer(200, json.dumps(sample(name)).encode()) for name in ("store_views", "websites", "store_configs")]
    faults = dict(
        zip(("/store/storeViews", "/store/websites", "/store/storeConfigs"), ([view] for view in views), strict=True)
    )
    shop = StubShop({"/orders": []}, faults={**faults, "/orders": [used, good]})
    async with opened(shop, **OAUTH) as source:
        (page,) = await walked(source)
    sent = [request.headers["authorization"] for request in shop.requests if "/orders" in request.target]
    assert (list(page.records), len(sent), len(set(sent))) == ([], 2, 2)
    assert all('oauth_signature_method="HMAC-SHA256"' in header for header in sent)


async def test_every_attempt_is_signed_anew() -> None:
    """A transient failure is not repeated under a nonce that the shop has seen."""
    bad = [answer(502), answer(503, b"", retry_after="0"), problem(401, "The signature is invalid. Verify and try again.")]
    shop = StubShop({}, faults={"/store/storeViews": bad})
    async with opened(shop, **OAUTH, requests_at_once=1) as source:
        with pytest.raises(AuthError, match="The signature is invalid") as caught:
            await source.server_now()
    nonces = {request.headers["authorization"] for request in shop.requests}
    assert len(shop.requests) == len(nonces) == 3
    assert "consumer_secret" in (caught.value.hint or "")


ADMIN = {"auth": "admin", "access_token": None, "username": "reader", "password": "${SECRET_A}"}


async def test_an_admins_token_is_renewed_once() -> None:
    """An expired one is refused in the words of a missing permission; the login is sent once more, not for ever."""
    shop = shop_of(3)
    async with opened(shop, **ADMIN) as source:
        assert ids(await walked(source)) == [1, 2, 3]
        shop.token = "the-next-one"
        assert ids(await walked(source)) == [1, 2, 3]
        shop.denied = {"/orders"}
        with pytest.raises(ScopeError, match="role of admin `reader` lacks the resource `Magento_Sales::actions_view`"):
            await walked(source)
    logins = [request for request in shop.requests if request.method == "POST"]
    assert [login.json() for login in logins] == [{"username": "reader", "password": "consumer-s3cret"}] * 3


async def test_a_wrong_login_is_told() -> None:
    """In the shop's words, without the password."""
    text = "The account sign-in was incorrect or your account is disabled temporarily."
    shop = StubShop(faults={"/integration/admin/token": [problem(401, text)]})
    async with opened(shop, **ADMIN) as source:
        with pytest.raises(AuthError, match="account sign-in was incorrect") as caught:
            await walked(source)
    assert "two-factor" in (caught.value.hint or "")


async def test_the_cloud_service_is_asked_in_its_own_way() -> None:
    """A token of Adobe's service, who we are in headers, the tenant in the address, the store view in a header."""
    shop = StubShop({"/orders": [order(1)], "/customers/search": []})
    minted = answer(200, json.dumps({"access_token": TOKEN, "expires_in": 86_400}).encode())

    async def service(writer: Any, request: Any) -> bool:
        return await (minted if request.target == "/ims/token/v3" else shop)(writer, request)

    ims = {"auth": "ims", "access_token": None, "client_id": "client-1", "client_secret": "${SECRET_A}"}
    async with opened(service, **ims, organisation="0@AdobeOrg", tenant="tenant-1") as source:
        assert ids(await walked(source)) == [1]
        await walked(source, "customers")
    asked = {path: (code, request.headers) for (code, path, _), request in zip(shop.asked, shop.requests, strict=True)}
    assert (asked["/orders"][0], asked["/customers/search"][0]) == ("all", "default")
    assert asked["/orders"][1]["x-api-key"] == "client-1"
    assert asked["/orders"][1]["x-gw-ims-org-id"] == "0@AdobeOrg"


# Patience


async def test_maintenance_is_waited_for_with_growing_pauses() -> None:
    """A 503 that tells no time, as HTML: the pauses double; one that tells a time is done as it says."""
    waits: list[float] = []
    shop = shop_of(2, faults={"/orders": [MAINTENANCE, MAINTENANCE, MAINTENANCE]})
    async with opened(shop, context=SourceContext(on_retry=waits.append), maintenance_pause_seconds=0.004) as source:
        assert ids(await walked(source)) == [1, 2]
    assert waits == [0.004, 0.008, 0.016]


async def test_maintenance_pauses_are_half_a_minute_and_more() -> None:
    """By default: 30 s, doubled up to five minutes."""
    waits: list[float] = []
    shop = shop_of(1, faults={"/orders": [MAINTENANCE] * 7})
    retry = RetryPolicy(attempts=8, wait_initial_seconds=0.001)
    with stamina.set_testing(True, attempts=100, cap=True):
        context = SourceContext(on_retry=waits.append)
        async with opened(shop, context=context, retry=retry, maintenance_pause_seconds=30) as source:
            assert ids(await walked(source)) == [1]
    assert waits == [30, 60, 120, 240, 300, 300, 300]


async def test_maintenance_without_end_stops_the_run() -> None:
    """With what it is; a check does not wait for it at all."""
    shop = shop_of(1, faults={"/orders": [MAINTENANCE] * 20})
    async with opened(shop) as source:
        with pytest.raises(TransientError, match="maintenance mode"):
            await walked(source)
    waits: list[float] = []
    shop = shop_of(1, faults={"/store/storeViews": [MAINTENANCE] * 20})
    context = SourceContext(attempts_max=2, on_retry=waits.append)
    async with opened(shop, context=context, maintenance_pause_seconds=30) as source:
        (check,) = await source.check()
    assert (check.is_ok, waits) == (False, [])
    assert "maintenance mode" in check.detail


@pytest.mark.parametrize("fault", [answer(429, b"", retry_after="0"), answer(502), reset_after(b"HTTP/1.1 200"), HTML])
async def test_passing_troubles_are_waited_out(fault: Any) -> None:
    """Throttling, a gateway, a cut answer, a login page in place of JSON: asked again, nothing lost or repeated."""
    shop = shop_of(30, faults={"/orders": [fault, fault]})
    async with opened(shop, page_size=10) as source:
        assert ids(await walked(source)) == list(range(1, 31))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"message":"Could not load the list"}', "missing required field `items`"),
        (b'{"items":[{"entity_id":1', "truncated"),
        (b"<!doctype html>", "malformed"),
    ],
)
async def test_a_200_that_is_no_list_is_never_an_empty_one(body: bytes, message: str) -> None:
    """Old versions and proxies answer so; after all attempts the run stops."""
    shop = shop_of(3, faults={"/orders": [answer(200, body)] * 9})
    async with opened(shop) as source:
        with pytest.raises(ProtocolError, match=message):
            await walked(source)


@pytest.mark.parametrize("slow", [answer(504), answer(502), hang])
async def test_a_page_that_is_too_heavy_is_asked_for_in_parts(slow: Any) -> None:
    """A gateway's time-out or our own: half as many rows at once."""
    shop = shop_of(20, faults={"/orders": [slow, slow]})
    limits = HttpLimits(total_seconds=0.2)
    async with opened(shop, page_size=16, limits=limits) as source:
        assert ids(await walked(source)) == list(range(1, 21))
    assert [query["searchCriteria[pageSize]"] for query in shop.queries("/orders")][:3] == ["16", "8", "4"]


async def test_a_firewall_is_told_from_the_shop() -> None:
    """A 403 in HTML is no missing permission."""
    async with opened(shop_of(1, faults={"/orders": [BLOCKED]})) as source:
        with pytest.raises(RefusedError, match="in front of the shop answered 403") as caught:
            await walked(source)
    assert "allowed by the firewall" in (caught.value.hint or "")


# Poisoned records


@pytest.mark.parametrize("poisoned", [{7}, {1}, {30}, {1, 2, 3}, {9, 10}, {5, 21, 30}])
@pytest.mark.parametrize("page_size", [1, 10, 100])
async def test_a_poisoned_record_goes_to_the_dead_letters_alone(poisoned: set[int], page_size: int) -> None:
    """The shop answers 500 for any page that holds it: all others are read once, it is told by its id and report."""
    shop = shop_of(30, poisoned={"/orders": poisoned})
    async with opened(shop, page_size=page_size) as source:
        pages = await walked(source)
        readings = [reading for page in pages for (reading,) in await source.read("orders", page.records)]
    assert sorted(ids(pages)) == list(range(1, 31))
    bad = [reading for reading in readings if isinstance(reading, Unreadable)]
    assert {reading.record_id for reading in bad} == {str(number) for number in poisoned}
    assert {reading.reason for reading in bad} == {"source_error"}
    assert all("webapi-5f3c" in reading.detail for reading in bad)
    assert sum(isinstance(reading, Order) for reading in readings) == 30 - len(poisoned)
    assert pages[-1].is_last


async def test_a_poisoned_record_is_found_whatever_the_order_of_ids() -> None:
    """Imported orders have old times and new ids: the id is searched for, not guessed."""
    rows = [order(number, f"2026-03-01 12:00:{60 - number:02d}") for number in range(1, 60)]
    rows.append(order(4_000_000_000, "2026-03-01 11:00:00"))
    shop = StubShop({"/orders": rows}, poisoned={"/orders": {17, 4_000_000_000}})
    async with opened(shop, page_size=25) as source:
        pages = await walked(source)
    assert sorted(ids(pages)) == [*range(1, 60), 4_000_000_000]
    markers = [record for page in pages for record in page.records if b"cdi_unreadable" in record]
    assert len(markers) == 2


async def test_no_cursor_leads_back_to_a_poisoned_record() -> None:
    """From any saved cursor exactly the rest is read, markers included."""
    shop = shop_of(30, poisoned={"/orders": {7, 20}})
    async with opened(shop, page_size=10) as source:
        pages = await walked(source)
        for number, page in enumerate(pages[:-1]):
            rest = [one async for one in source.pages("orders", YEAR, page.cursor)]
            assert ids(rest) == ids(pages[number + 1 :])


async def test_a_marker_has_no_other_fields_to_map() -> None:
    """It survives scrubbing, so that the dead letter shows what is known."""
    shop = shop_of(1, poisoned={"/orders": {1}})
    async with opened(shop) as source:
        (page,) = await walked(source)
        (record,) = page.records
        assert json.loads(source.scrub("orders", record) or b"") == {"cdi_unreadable": "webapi-5f3c", "entity_id": 1}


async def test_a_shop_that_fails_on_everything_stops_the_run() -> None:
    """It is not emptied into the dead letters; the Report ID is told."""
    shop = shop_of(30, faults={"/orders": [SERVER_FAULT] * 1000})
    async with opened(shop, page_size=10) as source:
        with pytest.raises(RefusedError, match=r"fails every time \(Report ID webapi-5f3c\)"):
            await walked(source)


async def test_more_poisoned_records_in_a_row_than_can_be_chance_stop_the_run() -> None:
    """Then the shop is broken for orders of that time."""
    shop = shop_of(30, poisoned={"/orders": set(range(5, 25))})
    async with opened(shop, page_size=10) as source:
        with pytest.raises(RefusedError, match="fails every time"):
            await walked(source)


async def test_a_fault_that_passes_leaves_nothing_out() -> None:
    """Twice 500 and then well again: every record is read."""
    shop = shop_of(30, faults={"/orders": [SERVER_FAULT] * 5})
    async with opened(shop, page_size=10) as source:
        assert ids(await walked(source)) == list(range(1, 31))


async def test_an_order_whose_credit_memos_poison_the_list_fails_alone() -> None:
    """The look-up is halved down to it; the other orders keep their refunds."""
    memo = sample("creditmemos")["items"][1]
    records = [sample("order_refunded_partial") | {"entity_id": number} for number in range(1, 9)]
    memos = [memo | {"entity_id": 100 + number, "order_id": number} for number in range(1, 9)]
    shop = StubShop({"/creditmemos": memos, "/shipments": []}, poisoned={"/creditmemos": {105}})
    async with opened(shop) as source:
        found = [reading for (reading,) in await source.read("orders", [json.dumps(one).encode() for one in records])]
    assert [reading.record_id for reading in found if isinstance(reading, Unreadable)] == ["5"]
    assert [[refund.id for refund in one.refunds] for one in found if isinstance(one, Order)] == [
        [str(100 + number)] for number in range(1, 9) if number != 5
    ]


async def test_counting_a_window_with_a_poisoned_record_is_left_undone() -> None:
    """No count is better than a stopped run."""
    async with opened(shop_of(3, poisoned={"/orders": {1}})) as source:
        assert await source.count("orders", YEAR) is None


# `cdi check`


async def test_a_check_of_a_good_shop_passes() -> None:
    """Each list was asked for one record; what the shop lacks is said."""
    paths = ("/orders", "/customers/search", "/products", "/creditmemos", "/shipments")
    shop = StubShop({path: [] for path in paths})
    async with opened(shop) as source:
        checks = {check.name: check for check in await source.check()}
    assert all(check.is_ok for check in checks.values())
    assert checks["store views"].detail == "`default`, `eu_de`, `eu_fr`; base currency USD"
    assert checks["stream carts"].detail == "the shop does not offer it"
    assert all(query.get("searchCriteria[pageSize]", "1") == "1" for query in shop.queries("/orders"))


async def test_a_check_names_each_missing_resource() -> None:
    """What only a stream needs that is not read by default is a note."""
    shop = StubShop(
        {"/orders": [], "/carts/search": []}, denied={"/customers/search", "/products", "/shipments", "/creditmemos"}
    )
    async with opened(shop) as source:
        checks = {check.name: check for check in await source.check()}
    failed = {name: check.detail for name, check in checks.items() if not check.is_ok}
    assert {name: detail.partition("`")[2].partition("`")[0] for name, detail in failed.items()} == {
        "stream customers": "Magento_Customer::customer",
        "stream creditmemos": "Magento_Sales::sales_creditmemo",
        "look-up shipments": "Magento_Sales::shipment",
    }
    assert checks["stream products"].hint == "needed only to read the stream `products`"
    assert "Magento_Catalog::products" in checks["stream products"].detail


@pytest.mark.parametrize(
    ("fault", "named"), [(BLOCKED, "403"), (problem(500, "Internal Error"), "fails every time"), (HTML, "cannot be read")]
)
async def test_a_check_of_a_shop_that_cannot_be_spoken_to_is_one_line(fault: Any, named: str) -> None:
    """It never raises."""
    shop = StubShop(faults={path: [fault] * 9 for path in ("/store/storeViews", "/store/websites", "/store/storeConfigs")})
    async with opened(shop, retry=QUICK) as source:
        (check,) = await source.check()
    assert (check.name, check.is_ok) == ("credentials", False)
    assert named in check.detail
    assert check.hint
