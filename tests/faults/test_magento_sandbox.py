"""The Magento source against the sandbox: an independent judge of signing, paging, faults, permissions and normalisation."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest

from cdi_cli.clock import Instant, Window
from cdi_cli.commerce import Customer, Order, Product
from cdi_cli.errors import AuthError, ScopeError
from cdi_cli.http import RetryPolicy
from cdi_cli.sandbox.faults import Fault
from cdi_cli.sandbox.options import SandboxOptions
from cdi_cli.sandbox.thread import SandboxThread
from cdi_cli.sources import ConsentField, Nothing, Reading, SourceContext, Unreadable
from cdi_cli.sources.magento import MagentoSettings
from cdi_cli.sources.magento.source import MagentoSource

NOW = Instant("2026-06-01T00:00:00.000Z")
ALL = Window(Instant("2020-01-01T00:00:00.000Z"), Instant("2026-12-31T00:00:00.000Z"))
QUICK = RetryPolicy(attempts=5, wait_initial_seconds=0.001, wait_max_seconds=0.005, retry_after_max_seconds=0.01)
STREAMS = ("customers", "orders", "creditmemos", "carts", "products")


@pytest.fixture
def sandbox(request: pytest.FixtureRequest) -> Iterator[SandboxThread]:
    """A shop of 300 orders; options by indirect parameter."""
    options = {"sources": ("magento",), "orders": 300, "now": NOW} | getattr(request, "param", {})
    with SandboxThread(SandboxOptions(**options)) as running:
        yield running


def auth_of(sandbox: SandboxThread, auth: str) -> tuple[dict[str, Any], dict[str, str]]:
    """Settings and environment for each way to prove who we are."""
    shop = sandbox.options.magento
    environment = {
        "M_TOKEN": shop.access_token,
        "M_TOKEN_SECRET": shop.access_token_secret,
        "M_CONSUMER": shop.consumer_secret,
        "M_PASSWORD": shop.password,
        "M_CLIENT": shop.client_secret,
    }
    settings: dict[str, dict[str, Any]] = {
        "integration": {"access_token": "${M_TOKEN}"},
        "oauth1": {
            "access_token": "${M_TOKEN}",
            "access_token_secret": "${M_TOKEN_SECRET}",
            "consumer_key": shop.consumer_key,
            "consumer_secret": "${M_CONSUMER}",
        },
        "admin": {"username": shop.username, "password": "${M_PASSWORD}"},
        "ims": {
            "client_id": shop.client_id,
            "client_secret": "${M_CLIENT}",
            "organisation": shop.organisation,
            "tenant": shop.tenant,
            "ims_url": f"{sandbox.url}/magento",
        },
    }
    return {"auth": auth, **settings[auth]}, environment


@asynccontextmanager
async def opened(
    sandbox: SandboxThread, monkeypatch: pytest.MonkeyPatch, auth: str = "integration", **changes: Any
) -> AsyncIterator[MagentoSource]:
    """A source that reads the sandbox."""
    settings, environment = auth_of(sandbox, auth)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    values = {"base_url": f"{sandbox.url}/magento", "maintenance_pause_seconds": 0.001, **settings, **changes}
    context = SourceContext(run_id="r", consent={"email": ConsentField("extension_attributes.is_subscribed")})
    source = MagentoSource(MagentoSettings.model_validate(values), context, retry=QUICK)
    try:
        yield source
    finally:
        await source.close()


async def ids_of(source: MagentoSource, stream: str = "orders", by: str = "created") -> list[int]:
    """The ids of a stream, in reading order."""
    rows = [json.loads(record) async for page in source.pages(stream, ALL, None, by=by) for record in page.records]
    return [row.get("entity_id", row.get("id")) for row in rows]


async def readings_of(source: MagentoSource, stream: str = "orders") -> list[Reading]:
    """All readings of a stream."""
    return [
        reading
        async for page in source.pages(stream, ALL, None)
        for start in range(0, len(page.records), 50)
        for found in await source.read(stream, page.records[start : start + 50])
        for reading in found
    ]


@pytest.mark.parametrize("by", ["created", "modified"])
@pytest.mark.parametrize("auth", ["integration", "oauth1", "admin", "ims"])
async def test_every_record_is_read_once_in_each_way_to_prove_who_we_are(
    sandbox: SandboxThread, monkeypatch: pytest.MonkeyPatch, auth: str, by: str
) -> None:
    """Signatures that another hand verifies, logins, tokens of the cloud: nothing is skipped or served twice."""
    async with opened(sandbox, monkeypatch, auth, page_size=37) as source:
        for stream in STREAMS:
            found = await ids_of(source, stream, by)
            assert len(found) == len(set(found)) == sandbox.magento.shop.count(stream)
            assert await source.count(stream, ALL) == len(found)


@pytest.mark.parametrize("bundles", ["parent", "children"])
@pytest.mark.parametrize("sandbox", [{"orders": 800}], indirect=True)
async def test_every_order_reconciles_to_the_cent(
    sandbox: SandboxThread, monkeypatch: pytest.MonkeyPatch, bundles: str
) -> None:
    """Products less discount, with shipping and tax, are the grand total; one edited order for each that was replaced."""
    async with opened(sandbox, monkeypatch, bundles=bundles) as source:
        readings = await readings_of(source)
    orders = [reading for reading in readings if isinstance(reading, Order)]
    replaced = [reading for reading in readings if reading == Nothing("replaced_by_edit")]
    assert len(orders) + len(replaced) == len(readings) == 800
    assert len({order.id for order in orders}) == len(orders)
    assert replaced
    for order in orders:
        products = sum((line.price.decimal() * line.quantity for line in order.lines), Decimal(0))
        discount = order.discount.decimal() if order.discount is not None else Decimal(0)
        assert order.shipping is not None
        assert order.tax is not None
        total = products - discount + order.shipping.decimal() + order.tax.decimal()
        assert total == order.total.decimal(), order.id
    assert {order.currency for order in orders} == {"USD", "EUR"}
    assert {order.state for order in orders} >= {"complete", "closed", "canceled", "holded"}
    assert any(order.customer_id is None for order in orders)
    assert any(order.shipping_address is None for order in orders)
    assert any(refund.is_full for order in orders for refund in order.refunds)
    assert any(order.refunds and not order.refunds[-1].is_full for order in orders)


async def test_refunds_are_the_same_by_order_and_by_credit_memo(
    sandbox: SandboxThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each refund of the orders is in the stream of credit memos, in an equal order."""
    async with opened(sandbox, monkeypatch) as source:
        by_order = {reading.id: reading for reading in await readings_of(source) if isinstance(reading, Order)}
        by_memo = [reading for reading in await readings_of(source, "creditmemos") if isinstance(reading, Order)]
    assert by_memo
    assert all(by_order[order.id] == order for order in by_memo)
    assert {order.id for order in by_memo} == {order.id for order in by_order.values() if order.refunds}


@pytest.mark.parametrize("sandbox", [{"poison": 4}], indirect=True)
async def test_poisoned_orders_are_told_one_by_one(sandbox: SandboxThread, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every page that holds one fails with a 500: all others are read."""
    async with opened(sandbox, monkeypatch) as source:
        readings = await readings_of(source)
    bad = [reading for reading in readings if isinstance(reading, Unreadable)]
    assert len(readings) == 300
    assert len({reading.record_id for reading in bad}) == 4
    assert {reading.reason for reading in bad} == {"source_error"}


@pytest.mark.parametrize(
    "fault",
    [
        Fault(kind="status", status=503, match="/orders", times=3),
        Fault(kind="status", status=500, match="/orders", times=2),
        Fault(kind="status", status=429, match="/orders", times=2, headers={"Retry-After": "1"}),
        Fault(kind="status", status=504, match="/orders", times=2),
        Fault(kind="reset_before_body", match="/orders", times=2),
        Fault(kind="reset_mid_body", match="/orders", times=2),
        Fault(kind="truncate", match="/orders", times=2),
        Fault(kind="html200", match="/orders", times=2),
        Fault(kind="broken_json", match="/orders", times=2),
        Fault(kind="html200", match="/storeViews", times=2),
    ],
    ids=lambda fault: f"{fault.kind}-{fault.status}-{fault.match.strip('/')}",
)
@pytest.mark.parametrize("auth", ["integration", "oauth1"])
async def test_no_fault_loses_or_repeats_a_row(
    sandbox: SandboxThread, monkeypatch: pytest.MonkeyPatch, fault: Fault, auth: str
) -> None:
    """Whatever happens to an answer on its way, every order arrives once; no nonce is used twice."""
    sandbox.faults.add(fault)
    fault.seen = fault.fired = 0
    async with opened(sandbox, monkeypatch, auth, page_size=100) as source:
        found = await ids_of(source)
    assert len(found) == len(set(found)) == 300
    assert fault.fired == fault.times


async def test_old_versions_and_input_limits(sandbox: SandboxThread, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shop of 2.3 that repeats its last page, and one that allows 50 rows a page: every order once, and an end."""
    sandbox.magento.switch(old_core=True, input_limits=True, page_size_max=50)
    async with opened(sandbox, monkeypatch, page_size=300) as source:
        for stream in STREAMS:
            found = await ids_of(source, stream)
            assert len(found) == len(set(found)) == sandbox.magento.shop.count(stream)
        customers = [reading for reading in await readings_of(source, "customers") if isinstance(reading, Customer)]
    assert {customer.consent.categories["email"] for customer in customers} == {"unknown"}


async def test_tokens_that_end_in_the_middle_of_a_walk_lose_no_row(
    sandbox: SandboxThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An admin's token, by revocation and by age: a new login each, and no row is lost."""
    found: list[int] = []
    async with opened(sandbox, monkeypatch, "admin", page_size=100) as source:
        async for page in source.pages("orders", ALL, None):
            found += [json.loads(record)["entity_id"] for record in page.records]
            if len(found) == 100:
                sandbox.magento.gatekeeper.revoke_all()
            if len(found) == 200:
                sandbox.clock.advance(4000)
    assert len(found) == len(set(found)) == 300
    assert sum(request.path.endswith("/admin/token") for request in sandbox.requests) == 3


async def test_orders_that_change_while_they_are_read_are_not_lost(
    sandbox: SandboxThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Page numbers lose rows here; by keyset every order is met at least once by its time of change."""
    everyone = sorted(document["entity_id"] for document in sandbox.magento.shop.documents("orders"))
    found: list[int] = []
    async with opened(sandbox, monkeypatch, page_size=20) as source:
        async for page in source.pages("orders", ALL, None, by="modified"):
            found += [json.loads(record)["entity_id"] for record in page.records]
            if len(found) < 200:
                for key in found[-20:-15]:
                    sandbox.magento.mutate({"do": "touch", "order": key})
    assert sorted(set(found)) == everyone


async def test_the_kinds_of_401_are_told_apart(sandbox: SandboxThread, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bearer switched off refuses everything; a missing resource is named, and its stream alone is lost."""
    sandbox.magento.switch(bearer=False)
    async with opened(sandbox, monkeypatch) as source:
        with pytest.raises(AuthError, match="refused our credentials") as caught:
            await ids_of(source)
        assert type(caught.value) is AuthError
        assert "enable_integration_as_bearer" in (caught.value.hint or "")
        (check,) = await source.check()
        assert not check.is_ok
    async with opened(sandbox, monkeypatch, "oauth1") as source:
        assert len(await ids_of(source)) == 300

    acl = ("Magento_Backend::store", "Magento_Customer::customer", "Magento_Customer::group", "Magento_Catalog::products")
    sandbox.magento.switch(bearer=True, acl=acl)
    async with opened(sandbox, monkeypatch) as source:
        assert len(await ids_of(source, "customers")) == sandbox.magento.shop.count("customers")
        with pytest.raises(ScopeError, match="Magento_Sales::actions_view"):
            await ids_of(source)
        failed = {check.name: check.detail for check in await source.check() if not check.is_ok}
    assert failed.keys() == {"stream orders", "stream creditmemos", "stream carts", "look-up shipments"}
    assert "Magento_Sales::sales_creditmemo" in failed["stream creditmemos"]


@pytest.mark.parametrize(
    ("auth", "changes", "named"),
    [
        ("oauth1", {"consumer_key": "unknown"}, "A consumer having the specified key does not exist"),
        ("oauth1", {"consumer_secret": "${M_PASSWORD}"}, "The signature is invalid"),
        ("oauth1", {"access_token": "${M_PASSWORD}"}, "token does not exist"),
        ("admin", {"password": "${M_TOKEN}"}, "sign-in was incorrect"),
        ("ims", {"client_secret": "${M_TOKEN}"}, "refused"),
        ("ims", {"organisation": "other@AdobeOrg"}, "organisation is not entitled"),
        ("integration", {"access_token": "${M_PASSWORD}"}, "refused our credentials"),
    ],
)
async def test_wrong_credentials_are_told_in_the_shops_words(
    sandbox: SandboxThread, monkeypatch: pytest.MonkeyPatch, auth: str, changes: dict[str, Any], named: str
) -> None:
    """With what to check; a check says the same in one line."""
    async with opened(sandbox, monkeypatch, auth, **changes) as source:
        with pytest.raises(AuthError, match=named) as caught:
            await ids_of(source)
        (check,) = await source.check()
    assert caught.value.hint
    assert (check.name, check.is_ok) == ("credentials", False)
    assert named in check.detail


async def test_an_edit_becomes_an_update_of_the_first_order(sandbox: SandboxThread, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often it is edited: one order, under the first one's identity, and no cancellation."""
    async with opened(sandbox, monkeypatch) as source:
        before = {reading.id: reading for reading in await readings_of(source) if isinstance(reading, Order)}
        chosen = next(order for order in before.values() if order.state == "holded")
        first = sandbox.magento.mutate({"do": "unhold", "order": int(chosen.id)})
        sandbox.magento.mutate({"do": "edit", "order": first["entity_id"]})
        newest = max(document["entity_id"] for document in sandbox.magento.shop.documents("orders"))
        sandbox.magento.mutate({"do": "edit", "order": newest})
        after = [reading for reading in await readings_of(source) if isinstance(reading, Order)]
    assert len(after) == len(before)
    (edited,) = (order for order in after if order.id == chosen.id)
    assert (edited.number, edited.created_at, edited.placed_at) == (chosen.number, chosen.created_at, chosen.placed_at)
    assert not edited.is_cancelled
    assert edited.updated_at > chosen.updated_at


async def test_what_no_time_of_change_tells_is_found_by_reconciling(
    sandbox: SandboxThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A subscription and a price change without a trace in `updated_at`: reading by it misses them, reconciling does not."""
    since = sandbox.clock.instant()
    later = Window(since, Instant("2026-12-31T00:00:00.000Z"))
    sandbox.clock.advance(60)
    async with opened(sandbox, monkeypatch, store_views=["default"]) as source:
        customers = [reading for reading in await readings_of(source, "customers") if isinstance(reading, Customer)]
        person = next(one for one in customers if one.store == "default" and one.consent.categories["email"] == "granted")
        sandbox.magento.mutate({"do": "unsubscribe", "customer": int(person.id)})
        product = next(one for one in await readings_of(source, "products") if isinstance(one, Product) and one.prices)
        sandbox.magento.mutate({"do": "base_price", "product": int(product.product_id or 0), "changes": {"price": 123_45}})

        for stream in ("customers", "products"):
            missed = [page async for page in source.pages(stream, later, None, by="modified")]
            assert [list(page.records) for page in missed] == [[]]
        records = {
            stream: [record async for page in source.pages(stream, ALL, None, by="reconcile") for record in page.records]
            for stream in ("customers", "products")
        }
        people = [reading for (reading,) in await source.read("customers", records["customers"][:100])]
        people += [reading for (reading,) in await source.read("customers", records["customers"][100:])]
        goods = [reading for found in await source.read("products", records["products"][:100]) for reading in found]
        goods += [reading for found in await source.read("products", records["products"][100:]) for reading in found]
    (now,) = (one for one in people if isinstance(one, Customer) and one.id == person.id)
    assert now.consent.categories == {"email": "denied"}
    assert now.updated_at == person.updated_at
    assert now.version == person.version
    (changed,) = (one for one in goods if isinstance(one, Product) and one.id == product.id)
    assert changed.version == product.version
    assert {currency: price.number() for currency, price in changed.prices.items()} == {"USD": 123.45}
