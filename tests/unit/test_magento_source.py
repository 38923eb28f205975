"""The Magento source against a stub shop: keyset, windows, store views, look-ups, counts."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from magento_stub import StubShop, opened, order, sample
from scripted_server import answer

from cdi_cli.clock import Clock, Instant, Window
from cdi_cli.commerce import Customer, Order
from cdi_cli.errors import ProtocolError, RefusedError
from cdi_cli.sources import ConsentField, Cursor, Page, SourceContext
from cdi_cli.sources.magento.source import MagentoSource

YEAR = Window(Instant("2026-01-01T00:00:00.000Z"), Instant("2027-01-01T00:00:00.000Z"))
NOON = "2026-03-01 12:00:00"


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stub knows one token."""
    monkeypatch.setenv("MAGENTO_TOKEN", StubShop().token)


async def walked(
    source: MagentoSource,
    stream: str = "orders",
    cursor: Cursor | None = None,
    by: str = "created",
    window: Window = YEAR,
) -> list[Page]:
    """All pages of a window."""
    return [page async for page in source.pages(stream, window, cursor, by=by)]


def ids(pages: list[Page]) -> list[int]:
    """The ids of all records, in order."""
    rows = [json.loads(record) for page in pages for record in page.records]
    return [row.get("entity_id", row.get("id")) for row in rows]


def raw(*records: Any) -> list[bytes]:
    """Records as they are served."""
    return [json.dumps(record).encode() for record in records]


@pytest.mark.parametrize("by", ["created", "modified"])
async def test_a_crowded_second_is_read_once_each(by: str) -> None:
    """Hundreds of rows of one second, more than any page holds, come once each, between their neighbours."""
    rows = [order(number, NOON) for number in range(1000, 500, -1)]
    rows += [order(2000, "2026-02-01 00:00:00"), order(1, "2026-04-01 00:00:00")]
    async with opened(StubShop({"/orders": rows}), page_size=100) as source:
        pages = await walked(source, by=by)
    assert ids(pages) == [2000, *range(501, 1001), 1]
    assert [page.is_last for page in pages] == [False] * (len(pages) - 1) + [True]


async def test_rows_that_change_meanwhile_are_not_lost() -> None:
    """A row that moves to the end of the order of change between two pages takes none of the others with it."""
    shop = StubShop({"/orders": [order(number, f"2026-03-01 12:00:{number:02d}") for number in range(1, 31)]})
    async with opened(shop, page_size=10) as source:
        seen: list[int] = []
        async for page in source.pages("orders", YEAR, None, by="modified"):
            seen += ids([page])
            if len(seen) == 10:
                for row in shop.lists["/orders"][:4]:
                    row["updated_at"] = "2026-03-02 00:00:00"
    assert sorted(set(seen)) == list(range(1, 31))
    assert seen[-4:] == [1, 2, 3, 4]


async def test_reading_goes_on_after_a_saved_cursor() -> None:
    """From the cursor of any page the rest is read, neither more nor less."""
    shop = StubShop({"/orders": [order(number, NOON) for number in (5, 3, 9, 1, 7)]})
    async with opened(shop, page_size=2) as source:
        pages = await walked(source)
        rests = [ids(await walked(source, cursor=page.cursor)) for page in pages]
    assert ids(pages) == [1, 3, 5, 7, 9]
    assert rests == [[5, 7, 9], [9], []]


async def test_queries_are_as_the_sheet_verified_them() -> None:
    """Seconds in UTC without a zone, half-open, both sort fields ascending, always the first page, under `all`."""
    shop = StubShop({"/orders": [order(number, NOON) for number in (1, 2)]})
    window = Window(Instant("2026-01-01T00:00:00.500Z"), Instant("2026-12-31T23:59:59.001Z"))
    async with opened(shop, page_size=1) as source:
        await walked(source, window=window)
    first, second, *_ = shop.queries("/orders")
    start = "searchCriteria[filter_groups]"
    assert first == {
        f"{start}[0][filters][0][field]": "created_at",
        f"{start}[0][filters][0][value]": "2026-01-01 00:00:01",
        f"{start}[0][filters][0][condition_type]": "gteq",
        f"{start}[1][filters][0][field]": "created_at",
        f"{start}[1][filters][0][value]": "2027-01-01 00:00:00",
        f"{start}[1][filters][0][condition_type]": "lt",
        "searchCriteria[sortOrders][0][field]": "created_at",
        "searchCriteria[sortOrders][0][direction]": "ASC",
        "searchCriteria[sortOrders][1][field]": "entity_id",
        "searchCriteria[sortOrders][1][direction]": "ASC",
        "searchCriteria[pageSize]": "1",
        "searchCriteria[currentPage]": "1",
    }
    assert second[f"{start}[0][filters][0][value]"] == NOON
    assert second[f"{start}[2][filters][0][field]"] == "created_at"
    assert second[f"{start}[2][filters][0][condition_type]"] == "gt"
    assert second[f"{start}[2][filters][1][field]"] == "entity_id"
    assert second[f"{start}[2][filters][1][value]"] == "1"
    assert {code for code, path, _ in shop.asked if path == "/orders"} == {"all"}


async def test_a_window_between_two_seconds_asks_nobody() -> None:
    """Magento's times are whole seconds: such a window is one empty last page, and its count 0."""
    shop = StubShop({"/orders": [order(1, NOON)]})
    window = Window(Instant("2026-03-01T12:00:00.001Z"), Instant("2026-03-01T12:00:00.999Z"))
    async with opened(shop) as source:
        (page,) = await walked(source, window=window)
        count = await source.count("orders", window)
    assert (list(page.records), page.is_last, count) == ([], True, 0)
    assert shop.queries("/orders") == []


async def test_an_empty_page_may_hold_null() -> None:
    """With a projection an empty page has `items: null`."""
    async with opened(StubShop({"/orders": []}, null_items=True)) as source:
        (page,) = await walked(source)
        assert (list(page.records), page.is_last) == ([], True)
        assert await source.count("orders", YEAR) == 0


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([order(1, "2025-03-01 12:00:00")], "outside"),
        ([order(2, NOON), order(1, NOON)], "again, or out of order"),
        ([order(1, NOON), order(1, NOON)], "again, or out of order"),
        ([order(1, "soon")], "without a readable `created_at`"),
        ([order(0, NOON)], "without a readable `created_at` and `entity_id`"),
    ],
)
async def test_a_server_that_ignores_the_query_is_found_out(rows: list[Any], message: str) -> None:
    """Every row is looked at: the whole table in place of a window stops the run."""
    async with opened(StubShop({"/orders": rows}, is_blind=True)) as source:
        with pytest.raises(ProtocolError, match=message):
            await walked(source)


async def test_a_server_that_repeats_a_page_is_found_out() -> None:
    """An answer from a cache is no next page."""
    rows = [order(number, NOON) for number in (1, 2, 3)]
    async with opened(StubShop({"/orders": rows}, is_blind=True), page_size=2) as source:
        with pytest.raises(ProtocolError, match="again, or out of order"):
            await walked(source)


@pytest.mark.parametrize("cursor", ["", "{}", "[1]", '{"at":"2026-03-01T12:00:00Z","id":1}', '{"at":1,"id":1}', "\ud800"])
async def test_a_foreign_cursor_is_refused(cursor: str) -> None:
    """A cursor that this source did not write stops the run before anything is asked."""
    shop = StubShop()
    async with opened(shop) as source:
        with pytest.raises(ProtocolError, match="not one of the Magento source"):
            await walked(source, cursor=Cursor(cursor))
    assert shop.asked == []


async def test_a_lower_limit_of_the_server_is_kept_to() -> None:
    """Its input limits make it refuse large pages: from then on pages are as large as it allows."""
    shop = StubShop({"/orders": [order(number, NOON) for number in range(1, 51)]}, rows_max=20)
    async with opened(shop, page_size=100) as source:
        assert ids(await walked(source)) == list(range(1, 51))
    assert [int(query["searchCriteria[pageSize]"]) for query in shop.queries("/orders")] == [100, 20, 20, 20]


async def test_large_records_are_asked_for_in_fewer_rows() -> None:
    """After a page of large records the next one is sized for 4 MB."""
    rows = [order(number, NOON, customer_note="x" * 400_000) for number in range(1, 61)]
    shop = StubShop({"/orders": rows})
    async with opened(shop, page_size=50) as source:
        assert len(ids(await walked(source))) == 60
    sizes = [int(query["searchCriteria[pageSize]"]) for query in shop.queries("/orders")]
    assert sizes[0] == 50
    assert 8 <= sizes[1] <= 10


async def test_only_the_chosen_store_views_are_read() -> None:
    """Orders by store view, customers by its website; a code that the shop does not have is told."""
    shop = StubShop({"/orders": [order(1), order(2, store_id=2)], "/customers/search": []})
    async with opened(shop, store_views=["eu_de"]) as source:
        assert ids(await walked(source)) == [2]
        assert await source.count("orders", YEAR) == 1
        await walked(source, "customers")
    (query,) = shop.queries("/customers/search")
    groups = [value for name, value in query.items() if name.startswith("searchCriteria[filter_groups][2]")]
    assert groups == ["website_id", "2", "in"]

    async with opened(shop, store_views=["us"]) as source:
        with pytest.raises(RefusedError, match="no store view `us`") as caught:
            await walked(source)
    assert "`default`, `eu_de`, `eu_fr`" in (caught.value.hint or "")


async def test_consent_is_that_of_the_customers_own_store_view() -> None:
    """`is_subscribed` differs by the view that is asked: each customer is read under its own, one request per view."""
    rows = sample("customers_search")["items"]
    for row in rows:
        row["extension_attributes"] = {"is_subscribed": True}
    moved = rows[2] | {"store_id": 0, "website_id": 2}
    own = {2: {"extension_attributes": {"is_subscribed": False}}, 3: {"extension_attributes": {"is_subscribed": False}}}
    shop = StubShop({"/customers/search": [*rows[:2], moved]}, by_store={"eu_de": own})
    context = SourceContext(consent={"email": ConsentField("extension_attributes.is_subscribed")})
    async with opened(shop, context=context) as source:
        (page,) = await walked(source, "customers")
        readings = await source.read("customers", page.records)
    assert ids([page]) == [1, 2, 3]
    customers = [reading for (reading,) in readings if isinstance(reading, Customer)]
    assert [customer.consent.categories["email"] for customer in customers] == ["granted", "denied", "denied"]
    assert [(customer.store, customer.customer_group) for customer in customers][:2] == [
        ("default", "Wholesale"),
        ("eu_de", "General"),
    ]
    assert [code for code, path, _ in shop.asked if path == "/customers/search"] == ["default", "eu_de"]


async def test_a_subscription_that_is_not_told_is_unknown() -> None:
    """Old versions leave it out: that is not a no."""
    row = sample("customers_search")["items"][2]
    del row["extension_attributes"]
    context = SourceContext(consent={"email": ConsentField("extension_attributes.is_subscribed")})
    async with opened(StubShop({"/customers/search": [row]}), context=context) as source:
        ((customer,),) = await source.read("customers", raw(row))
    assert isinstance(customer, Customer)
    assert customer.consent.categories == {"email": "unknown"}


async def test_orders_look_up_only_what_they_say_they_have() -> None:
    """A group costs a request for its credit memos and one for its shipments, and none where no order has any."""
    lists = {"/orders": [], "/creditmemos": sample("creditmemos")["items"], "/shipments": sample("shipments")["items"]}
    shop = StubShop(lists)
    async with opened(shop) as source:
        await source.read("orders", raw(*(order(number) for number in range(1, 51))))
        assert (shop.queries("/creditmemos"), shop.queries("/shipments")) == ([], [])
        found = await source.read("orders", raw(sample("order_refunded_partial"), sample("order_eur"), order(7)))
    assert (len(shop.queries("/creditmemos")), len(shop.queries("/shipments"))) == (1, 1)
    first, second, _ = (reading for (reading,) in found if isinstance(reading, Order))
    assert ([refund.id for refund in first.refunds], [shipment.id for shipment in second.shipments]) == (["2"], ["4"])


async def test_look_ups_are_paged_by_id() -> None:
    """More credit memos than fit a page are read to the last."""
    memo = sample("creditmemos")["items"][1]
    memos = [memo | {"entity_id": number, "grand_total": 0.01} for number in range(1, 26)]
    shop = StubShop({"/creditmemos": memos, "/shipments": []})
    async with opened(shop, page_size=10) as source:
        ((found,),) = await source.read("orders", raw(sample("order_refunded_partial")))
    assert isinstance(found, Order)
    assert len(found.refunds) == 25
    assert len(shop.queries("/creditmemos")) == 3


async def test_counting_asks_for_the_number_alone() -> None:
    """The total of a window comes by projection."""
    shop = StubShop({"/orders": [order(1, NOON), order(2, NOON), order(3, "2025-01-01 00:00:00")]})
    async with opened(shop) as source:
        assert await source.count("orders", YEAR) == 2
    assert shop.queries("/orders")[0]["fields"] == "total_count"


async def test_a_module_that_the_shop_lacks_is_an_empty_stream() -> None:
    """Carts without the module for carts: one empty last page, none counted."""
    async with opened(StubShop({})) as source:
        (page,) = await walked(source, "carts")
        assert (list(page.records), page.is_last) == ([], True)
        assert await source.count("carts", YEAR) == 0


async def test_an_address_that_is_no_shops_is_told() -> None:
    """Where even the store views are no route, the address is wrong."""
    message = b'{"message":"Request does not match any route."}'
    shop = StubShop({"/orders": []}, faults={"/store/storeViews": [answer(404, message)]})
    async with opened(shop) as source:
        with pytest.raises(RefusedError, match="does not offer it") as caught:
            await walked(source)
    assert "base_url" in (caught.value.hint or "")


async def test_reconciling_reads_whole_records_in_the_order_of_creation() -> None:
    """What `updated_at` does not tell is found by reading again; the cursor is that of a backfill."""
    shop = StubShop({"/customers/search": sample("customers_search")["items"]})
    async with opened(shop, page_size=2) as source:
        pages = await walked(source, "customers", by="reconcile")
        assert pages == await walked(source, "customers", by="created")
    assert ids(pages) == [1, 2, 3]
    assert all("fields" not in query for query in shop.queries("/customers/search"))


async def test_server_now_is_the_shops_clock_and_goes_on() -> None:
    """Time comes from an answer's `Date` plus what has passed since, whatever this machine thinks."""
    elapsed = [100.0]
    clock = Clock(now=lambda: datetime(2020, 1, 1, tzinfo=UTC), monotonic=lambda: elapsed[0])
    async with opened(StubShop(date="Sun, 01 Mar 2026 12:00:00 GMT"), clock=clock) as source:
        assert await source.server_now() == "2026-03-01T12:00:00.000Z"
        elapsed[0] += timedelta(seconds=90.5).total_seconds()
        assert await source.server_now() == "2026-03-01T12:01:30.500Z"


async def test_a_shop_without_a_readable_date_is_taken_to_have_our_time() -> None:
    """A garbled `Date` falls back on this machine's clock."""
    now = datetime(2026, 3, 1, tzinfo=UTC)
    async with opened(StubShop(date="soon"), clock=Clock(now=lambda: now)) as source:
        assert await source.server_now() == "2026-03-01T00:00:00.000Z"


async def test_half_a_surrogate_pair_spoils_its_own_record_only() -> None:
    """The page that holds it is split all the same."""
    rows = [order(1, NOON), order(2, NOON, customer_firstname="\ud83d"), order(3, NOON)]
    async with opened(StubShop({"/orders": rows})) as source:
        (page,) = await walked(source)
        readings = await source.read("orders", page.records)
    assert ids([page]) == [1, 2, 3]
    assert isinstance(readings[0][0], Order)
    assert isinstance(readings[2][0], Order)
