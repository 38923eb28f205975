"""What Elastic Path's records only refer to: transactions, accounts, currencies, the customers' consent, prices, images."""

from __future__ import annotations

import json
from typing import Any

import pytest
from elasticpath_stub import NOON, SECRET, StubStore, customer, opened, order, product, record_of, transaction

from cdi_cli.clock import Instant, Window
from cdi_cli.commerce import Consent, Order, Product
from cdi_cli.errors import RefusedError, ScopeError
from cdi_cli.sources import ConsentField, SourceContext
from cdi_cli.sources.elasticpath.source import ElasticPathSource

YEAR = Window(Instant("2026-01-01T00:00:00.000Z"), Instant("2027-01-01T00:00:00.000Z"))
CONSENT = SourceContext(run_id="r", consent={"Ads": ConsentField("marketing_consent")})
EMPTY: dict[str, list[dict[str, Any]]] = {"/v2/currencies": [], "/v2/accounts": [], "/v2/customers": []}


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stub knows one secret."""
    monkeypatch.setenv("EP_SECRET", SECRET)


async def orders_of(source: ElasticPathSource, *served: dict[str, Any]) -> list[Order]:
    """The orders that records are."""
    readings = await source.read("orders", [record_of(one) for one in served])
    return [reading for (reading,) in readings if isinstance(reading, Order)]


def asked_for(store: StubStore, part: str) -> list[str]:
    """The orders whose transactions (or items) were asked for."""
    return sorted(path.split("/")[3] for path, _ in store.asked if path.endswith(f"/{part}"))


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("all", ["cancelled", "changed", "paid", "partly", "refunded", "unclear"]),
        ("changed", ["cancelled", "changed", "partly", "refunded", "unclear"]),
        ("none", []),
    ],
)
async def test_transactions_are_asked_for_where_money_may_have_gone_back(mode: str, expected: list[str]) -> None:
    """Never for orders that nobody paid; on request only where something happened after that."""
    changed = order("changed")
    changed["meta"]["timestamps"]["updated_at"] = "2026-03-05T00:00:00Z"
    unclear = order("unclear")
    del unclear["meta"]["timestamps"]["fully_paid_at"]
    served = [
        order("paid"), changed, unclear, order("partly", payment="partially_paid"), order("refunded", payment="refunded"),
        order("cancelled", status="cancelled"), order("open", payment="unpaid"), order("promised", payment="authorized"),
        order("never", status="cancelled", payment="unpaid"),
    ]  # fmt: skip
    answers = {f"/v2/orders/{name}/transactions": {"data": [transaction("t1", refunded=10)]} for name in expected}
    store = StubStore(dict(EMPTY), answers=answers)
    async with opened(store, lookups={"transactions": mode}) as source:
        found = {one.id: one for one in await orders_of(source, *served)}
    assert asked_for(store, "transactions") == expected
    assert [name for name, one in sorted(found.items()) if one.refunds] == (expected or ["refunded"])
    assert {one.payment_method for name, one in found.items() if name in expected} <= {"stripe" if mode == "all" else None}


async def test_an_order_whose_transactions_are_gone_is_read_without() -> None:
    """404: the order was deleted between two requests."""
    async with opened(StubStore(dict(EMPTY))) as source:
        (found,) = await orders_of(source, order("o1"))
    assert found.refunds == ()


async def test_a_missing_permission_names_the_setting_that_switches_it_off() -> None:
    """Leaving out what was asked for would not be noticed."""
    store = StubStore(dict(EMPTY), denied={"/v2/orders/o1/transactions"})
    async with opened(store) as source:
        with pytest.raises(ScopeError) as caught:
            await orders_of(source, order("o1"))
    assert "lookups.transactions" in (caught.value.hint or "")


async def test_accounts_are_named_once_each() -> None:
    """In batches, each only once in a run; an account without a name, or none any more, is its id."""
    accounts: list[dict[str, Any]] = [{"id": f"a{number}", "name": f"Account {number}"} for number in range(60)]
    accounts.append({"id": "nameless"})
    store = StubStore({**EMPTY, "/v2/accounts": accounts})

    def by(account: str) -> dict[str, Any]:
        relations = {"account": {"data": {"id": account}}, "account_member": {"data": {"id": "m1"}}}
        return order(f"o-{account}", payment="unpaid", relationships=relations, customer=None, contact={"email": "a@b.ex"})

    names = [*(f"a{number}" for number in range(60)), "nameless", "gone"]
    async with opened(store) as source:
        found = await orders_of(source, *map(by, names))
        again = await orders_of(source, *map(by, names))
    assert found == again
    assert [one.business_unit_name for one in found[:2]] == ["Account 0", "Account 1"]
    assert [one.business_unit_name for one in found[-2:]] == [None, None]
    assert len(store.queries("/v2/accounts")) == 2
    off = StubStore(dict(EMPTY))
    async with opened(off, lookups={"accounts": False}) as source:
        await orders_of(source, by("a1"))
    assert off.queries("/v2/accounts") == []


async def test_decimals_come_of_the_store_and_are_asked_for_once() -> None:
    """A list that ignores `page` is read to its end all the same."""
    currencies: list[dict[str, Any]] = [
        {"id": "1", "code": "GBP", "decimal_places": 3},
        {"id": "2", "code": "EUR"},
        {"id": "3", "code": 5},
    ]
    store = StubStore({**EMPTY, "/v2/currencies": currencies}, pages=False, totals=False)
    async with opened(store) as source:
        (found,) = await orders_of(source, order("o1"))
        await orders_of(source, order("o2"))
    assert (found.total.minor, found.total.digits) == (1000, 3)
    assert len(store.queries("/v2/currencies")) == 1


@pytest.mark.parametrize("status", [403, 404])
async def test_without_the_store_s_currencies_iso_says_the_decimals(status: int) -> None:
    """A key that may not read them is no reason to stop."""
    lists = {name: rows for name, rows in EMPTY.items() if name != "/v2/currencies"}
    store = StubStore(lists, denied={"/v2/currencies"} if status == 403 else set())
    async with opened(store) as source:
        (found,) = await orders_of(source, order("o1"))
    assert found.total.digits == 2


async def test_orders_have_the_consent_of_their_customers_as_it_is_now() -> None:
    """Asked for together; what the order says itself counts first; guests and the deleted said nothing."""
    people = [customer("customer-1", marketing_consent=True), customer("customer-2", marketing_consent=False)]
    store = StubStore({**EMPTY, "/v2/customers": people, "/v2/account-members": [customer("m1", marketing_consent=True)]})

    def of(name: str, person: str | None, **changes: Any) -> dict[str, Any]:
        relations = {"customer": {"data": {"id": person}}} if person else {}
        return order(name, payment="unpaid", customer={"email": "a@b.example"}, relationships=relations, **changes)

    member = {"account_member": {"data": {"id": "m1"}}}
    served = [
        of("yes", "customer-1"), of("no", "customer-2"), of("gone", "customer-9"), of("guest", None),
        of("own", "customer-1", marketing_consent=False),
        order("b2b", payment="unpaid", customer=None, contact={"email": "a@b.example"}, relationships=member),
    ]  # fmt: skip
    async with opened(store, CONSENT) as source:
        found = {one.id: one.consent for one in await orders_of(source, *served)}
        ((profile,),) = await source.read("customers", [json.dumps(people[0]).encode()])
    assert {name: one.categories["Ads"] for name, one in found.items()} == {
        "yes": "granted", "no": "denied", "gone": "unknown", "guest": "unknown", "own": "denied", "b2b": "granted",
    }  # fmt: skip
    assert (found["yes"].as_of_now, found["own"].as_of_now) == (("Ads",), ())
    assert [query["filter"] for query in store.queries("/v2/customers")] == ["in(id,customer-1,customer-2,customer-9)"]
    assert profile.consent == Consent({"Ads": "granted"})  # type: ignore[union-attr]


async def test_customers_are_asked_for_one_by_one_where_there_is_no_other_way() -> None:
    """A list whose filter does not know `in` says 400; nothing is asked where no consent is needed or it is switched off."""
    person = {"data": customer("customer-1", marketing_consent=True)}
    store = StubStore(dict(EMPTY), answers={"/v2/customers/customer-1": person})
    original = store._list

    async def without_in(writer: Any, path: str, query: dict[str, str]) -> bool:
        if query.get("filter", "").startswith("in("):
            return await store.reply(writer, 400, {"errors": [{"title": "Bad Request", "detail": "unsupported operator"}]})
        return await original(writer, path, query)

    store._list = without_in  # type: ignore[method-assign]
    async with opened(store, CONSENT) as source:
        (found,) = await orders_of(source, order("o1", payment="unpaid"))
    assert found.consent.categories == {"Ads": "granted"}
    for context, lookups in ((SourceContext(run_id="r"), {}), (CONSENT, {"customer_consent": False})):
        quiet = StubStore(dict(EMPTY))
        async with opened(quiet, context, lookups=lookups) as source:
            await orders_of(source, order("o1", payment="unpaid"))
        assert [path for path, _ in quiet.asked if "customer" in path] == []


async def test_fields_that_consent_is_read_from_are_kept() -> None:
    """They need not be named a second time."""
    store = StubStore({"/v2/customers": [customer("c1", marketing_consent=True, other="x")]})
    async with opened(store, CONSENT) as source:
        pages = [page async for page in source.pages("customers", YEAR, None)]
    record = json.loads(pages[0].records[0])
    assert record["marketing_consent"] is True
    assert "other" not in record


def priced(sku: str, amount: int, **changes: Any) -> dict[str, Any]:
    """An entry of a price book."""
    currencies = {"GBP": {"amount": amount, "includes_tax": False}}
    return {"id": f"price-{sku}", "type": "product-price", "attributes": {"sku": sku, "currencies": currencies} | changes}


def sale(amount: int, **changes: Any) -> dict[str, Any]:
    """A sale price."""
    return {"currencies": {"GBP": {"amount": amount}}} | changes


@pytest.mark.parametrize("knows_in", [True, False])
async def test_prices_are_those_of_the_first_book_that_has_one(knows_in: bool) -> None:
    """By SKU in few requests, or of the whole book; sales that hold now go before, those inside bundles do not."""
    past, coming = {"valid_to": "2020-01-01T00:00:00Z"}, {"valid_from": "2999-01-01T00:00:00Z"}
    first = [
        priced("sku-p1", 900, sales={"now": sale(700), "past": sale(1, schedule=past), "set": sale(2, bundle_ids=["b"])})
    ]
    second = [priced("sku-p1", 1000, currencies={"GBP": {"amount": 1000}, "EUR": {"amount": 1100}}), priced("sku-p2", 500)]
    second[1]["attributes"]["sales"] = {"later": sale(3, schedule=coming)}
    lists = {**EMPTY, "/pcm/pricebooks/a/prices": first, "/pcm/pricebooks/b/prices": second}
    store = StubStore(lists)
    original = store._list

    async def without_in(writer: Any, path: str, query: dict[str, str]) -> bool:
        if "in(sku" in query.get("filter", "") and not knows_in:
            return await store.reply(writer, 400, {"errors": {"detail": "no"}})
        return await original(writer, path, query)

    store._list = without_in  # type: ignore[method-assign]
    records = [json.dumps(product(name)).encode() for name in ("p1", "p2", "p3")]
    async with opened(store, price_books=["a", "b"]) as source:
        found = [reading for (reading,) in await source.read("products", records) if isinstance(reading, Product)]
        await source.read("products", records)
    told = [{code: amount.minor for code, amount in one.prices.items()} for one in found]
    original_prices = [{code: amount.minor for code, amount in one.original_prices.items()} for one in found]
    assert told == [{"EUR": 1100, "GBP": 700}, {"GBP": 500}, {}]
    assert original_prices == [{"EUR": 1100, "GBP": 900}, {"GBP": 500}, {}]
    assert len(store.queries("/pcm/pricebooks/a/prices")) == 2  # twice by SKU, or once in vain and once the whole book


async def test_a_price_book_that_there_is_not_stops_the_run() -> None:
    """A wrong id in the settings is not read as "no prices"."""
    async with opened(StubStore(dict(EMPTY)), price_books=["nowhere"]) as source:
        with pytest.raises(RefusedError, match="price book `nowhere`"):
            await source.read("products", [json.dumps(product("p1")).encode()])


async def test_products_are_one_sku_each() -> None:
    """Texts, images, templates' attributes, what variations have in common, and whether it is shown."""
    record = product(
        "p1",
        description="Canned",
        slug="spam-1",
        extensions={"products(size)": {"litres": 2, "note": "", "parts": [1]}, "products(info)": {"brand": "Spam Ltd"}},
    )
    record["relationships"] = {
        "main_image": {"data": {"type": "main_image", "id": "i1"}},
        "files": {"data": [{"type": "file", "id": "i2"}, {"type": "file", "id": "i1"}, {"type": "file", "id": "i3"}]},
        "base_product": {"data": {"type": "product", "id": "p0"}},
    }
    files = [{"id": f"i{n}", "link": {"href": f"https://files.example/{n}.png"}, "mime_type": "image/png"} for n in (1, 2)]
    files.append({"id": "i3", "link": {"href": "https://files.example/3.pdf"}, "mime_type": "application/pdf"})
    record["_images"] = files
    draft = product("p2", status="draft", sku=None)
    store = StubStore({**EMPTY, "/pcm/products": [record, draft]})
    template = "https://shop.example/{slug}?sku={sku}"
    async with opened(store, brand_attribute="info.brand", product_url_template=template) as source:
        records = [record async for page in source.pages("products", YEAR, None) for record in page.records]
        first, second = [reading for (reading,) in await source.read("products", records) if isinstance(reading, Product)]
    assert (first.id, first.product_id, first.group, first.brand) == ("sku-p1", "p1", "p0", "Spam Ltd")
    assert first.images == ("https://files.example/1.png", "https://files.example/2.png")
    assert first.image_url == first.images[0]
    assert (first.attributes, first.url) == ({"size.litres": 2}, "https://shop.example/spam-1?sku=sku-p1")
    assert (first.is_published, second.is_published) == (True, False)
    assert (second.id, second.sku, second.url, second.group) == ("p2", None, None, "p2")
    assert (first.created_at, first.name) == (Instant(NOON.replace("Z", ".000Z")), "Spam")
