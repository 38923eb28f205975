"""Settings, checks and look-ups of single records of Elastic Path."""

from __future__ import annotations

import json
from typing import Any

import pytest
from elasticpath_stub import SECRET, StubStore, customer, opened, order, product
from pydantic import ValidationError
from scripted_server import answer

from cdi_cli import sources
from cdi_cli.checks import Check
from cdi_cli.errors import CdiError, RefusedError
from cdi_cli.sources.elasticpath.offline import open_offline
from cdi_cli.sources.elasticpath.settings import ElasticPathSettings

BASE = {"region": "eu", "client_id": "key", "client_secret": "${EP_SECRET}"}
LISTS: dict[str, list[dict[str, Any]]] = {
    "/v2/customers": [customer("c1"), customer("c2", email="Mixed.Case@b.example")],
    "/v2/account-members": [customer("m1")],
    "/v2/orders": [order("o1", order_number="1234"), order("o2", anonymized=True)],
    "/pcm/products": [product("p1")],
    "/v2/currencies": [{"id": "1", "code": "GBP", "decimal_places": 2}],
    "/v2/accounts": [],
}


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stub knows one secret."""
    monkeypatch.setenv("EP_SECRET", SECRET)


def settings(**changes: Any) -> ElasticPathSettings:
    """Good settings, changed; None takes a field out."""
    values = {name: value for name, value in (BASE | changes).items() if value is not None}
    return ElasticPathSettings.model_validate(values)


async def checks_of(store: StubStore, **changes: Any) -> dict[str, Check]:
    """The checks of a store by their name."""
    async with opened(store, **changes) as source:
        return {check.name: check for check in await source.check()}


def test_a_store_is_named_by_its_region_or_its_address() -> None:
    """By one of them, and the address is that of the API."""
    assert settings().url == "https://euwest.api.elasticpath.com"
    assert settings(region="us").url == "https://useast.api.elasticpath.com"
    assert settings(region=None, base_url="https://ep.example/").url == "https://ep.example"
    assert (settings().page_size, settings().rate, settings().lookups.transactions) == (100, 8.0, "all")
    assert ElasticPathSettings.needed({}) == ("region",)
    assert ElasticPathSettings.needed({"base_url": "https://ep.example"}) == ()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"region": None}, "give either `region` or `base_url`"),
        ({"base_url": "https://ep.example"}, "give either `region` or `base_url`"),
        ({"region": None, "base_url": "http://ep.example"}, "is not allowed"),
        ({"region": None, "base_url": "https://ep.example/v2"}, "without `/v2`"),
        ({"region": None, "base_url": "https://ep.example?x=1"}, "without `\\?`"),
        ({"page_size": 101}, "less than or equal to 100"),
        ({"rate": 0}, "greater than 0"),
        ({"rate": 101}, "`rate` must be 100 or less"),
        ({"region": None, "base_url": "https://ep.example", "rate": 101}, "`rate` must be 100 or less"),
        ({"price_books": ["a/b"]}, "give the ids of price books"),
        ({"shipping_skus": [" "]}, "may not be empty"),
        ({"product_url_template": "https://shop.example/"}, "use at least one of"),
        ({"product_url_template": "https://shop.example/{slug"}, "braces do not match"),
        ({"client_secret": "plain"}, "must be a reference"),
    ],
)
def test_wrong_settings_say_what_is_wrong(changes: dict[str, Any], message: str) -> None:
    """Each mistake is told."""
    with pytest.raises(ValidationError, match=message):
        settings(**changes)


def test_a_simulator_on_this_machine_has_no_limit_of_a_store() -> None:
    """Only there may the pace be faster than any store allows."""
    assert settings(region=None, base_url="http://127.0.0.1:8137/elasticpath", rate=5000).rate == 5000


def test_lines_are_named_by_patterns_of_skus() -> None:
    """Shipping goes before fees; case counts, and so do signs that patterns are made of elsewhere."""
    chosen = settings(shipping_skus=["*-DELIVERY", "SHIP"], fee_skus=["FEE-?", "*"])
    assert [chosen.kind_of(sku) for sku in ("STANDARD-DELIVERY", "SHIP", "FEE-1", "ship")] == [
        "shipping", "shipping", "fee", "fee",
    ]  # fmt: skip
    assert settings().kind_of("SHIP") is None


def test_orders_and_products_can_change_in_silence() -> None:
    """Refunds may not move an order, prices never move a product: both can be reconciled. Carts cannot be read at all."""
    spec = sources.load("elasticpath")
    assert [stream.name for stream in spec.streams if stream.by_reconcile] == ["orders", "products"]
    assert spec.names == ["customers", "account_members", "orders", "products"]
    assert [stream.name for stream in spec.streams if stream.is_default] == ["customers", "orders"]
    assert (spec.settle_seconds, spec.overlap_seconds) == (120, 300)


async def test_a_good_store_is_told_as_it_is() -> None:
    """How each list can be read is part of what is said."""
    found = await checks_of(StubStore(LISTS))
    assert all(check.is_ok for check in found.values())
    assert "filters by time are exact" in found["stream orders"].detail
    assert "read whole" in found["stream account_members"].detail
    assert found["currencies"].detail == "GBP (2 decimals)"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"dialects": ("epoch",)}, "as milliseconds"),
        ({"dialects": ("day",)}, "whole days only"),
        ({"sorts": False}, "not sorted as it is asked"),
    ],
)
async def test_a_store_that_does_otherwise_is_no_mistake(changes: dict[str, Any], told: str) -> None:
    """There is another way to read, which is said."""
    lists = {**LISTS, "/v2/orders": [order(f"o{n}", f"2026-03-01T12:00:{n:02d}Z") for n in range(5)]}
    found = await checks_of(StubStore(lists, **changes))
    assert told in found["stream orders"].detail
    assert all(check.is_ok for check in found.values())


async def test_a_missing_permission_fails_where_it_is_needed() -> None:
    """The default streams must be readable; others are noted."""
    found = await checks_of(
        StubStore(LISTS, denied={"/v2/orders", "/v2/account-members", "/pcm/products", "/v2/currencies"})
    )
    assert [name for name, check in found.items() if not check.is_ok] == ["stream orders"]
    assert found["stream orders"].hint
    assert "account_members" in (found["stream account_members"].hint or "")
    assert "ISO 4217" in found["currencies"].detail


async def test_refused_credentials_are_the_only_thing_told() -> None:
    """Nothing else can be tried."""
    store = StubStore(LISTS, faults={"/oauth/access_token": [answer(401, b'{"errors":{"title":"Unauthorized"}}')] * 9})
    found = await checks_of(store)
    assert [(name, check.is_ok) for name, check in found.items()] == [("credentials", False)]
    assert "`key-1`" in found["credentials"].detail
    assert "`client_secret`" in (found["credentials"].hint or "")


@pytest.mark.parametrize(
    ("stream", "by", "value", "expected"),
    [
        ("orders", "id", "o1", ["o1"]),
        ("orders", "id", "o2", ["o2"]),
        ("orders", "id", "../customers/c1", []),
        ("orders", "number", "1234", ["o1"]),
        ("orders", "number", "9", []),
        ("orders", "customer_id", "customer-1", ["o1"]),
        ("orders", "email", "Ron.Swanson@moltin.com", ["o1"]),
        ("orders", "email", "nobody@b.example", []),
        ("customers", "id", "c1", ["c1"]),
        ("customers", "customer_id", "c1", ["c1"]),
        ("customers", "email", "c1@swanson.com", ["c1"]),
        ("customers", "email", "Mixed.Case@b.example", ["c2"]),
        ("customers", "number", "1", []),
        ("account_members", "id", "m1", ["m1"]),
        ("products", "id", "p1", ["p1"]),
        ("products", "email", "a@b.example", []),
    ],
)
async def test_records_are_looked_up(stream: str, by: Any, value: str, expected: list[str]) -> None:
    """By what they are known by, and only those that really are; the anonymised only by their very id."""
    async with opened(StubStore(LISTS)) as source:
        found = await source.find(stream, by, value)
    assert [json.loads(record)["id"] for record in found] == expected


async def test_a_refused_look_up_shows_nobody() -> None:
    """What the store says may repeat the address that was looked for."""
    body = b'{"errors":[{"title":"No","detail":"canary-person@b.example is not here"}]}'
    store = StubStore(LISTS, faults={"/v2/customers": [answer(422, body)] * 9})
    async with opened(store) as source:
        with pytest.raises(RefusedError) as caught:
            await source.find("customers", "email", "canary-person@b.example")
    error: CdiError = caught.value
    assert "canary" not in f"{error.message} {error.where} {error.hint}"


def test_what_points_to_a_payment_is_never_kept() -> None:
    """Secrets and tokens of the provider, at any depth."""
    record = order("o1", payment_intent_id="pi_1", password=True, custom={"client_parameters": {"secret": "s"}, "kept": 1})
    source = open_offline(None, sources.SourceContext(), {})
    scrubbed = source.scrub("orders", json.dumps(record).encode())
    found = json.loads(scrubbed or b"")
    assert "payment_intent_id" not in found
    assert "password" not in found
    assert found["custom"] == {"kept": 1}
