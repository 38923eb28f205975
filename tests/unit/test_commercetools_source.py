"""The commercetools source against a scripted project: paging, token, look-ups."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from commercetools_stub import StubProject, catalogue, opened, order, sample
from scripted_server import answer

from cdi_cli.clock import Clock, Instant, Window
from cdi_cli.commerce import Customer, Order, Product
from cdi_cli.errors import ProtocolError, ScopeError
from cdi_cli.sources import ConsentField, Cursor, Page, SourceContext, Unreadable
from cdi_cli.sources.commercetools.references import ReferenceCache
from cdi_cli.sources.commercetools.source import CommercetoolsSource

YEAR = Window(Instant("2026-01-01T00:00:00.000Z"), Instant("2027-01-01T00:00:00.000Z"))
NOON = "2026-03-01T12:00:00.000Z"


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stub knows one client."""
    monkeypatch.setenv("CT_SECRET", "s3cret-value")


async def walked(
    source: CommercetoolsSource, stream: str = "orders", cursor: Cursor | None = None, by: str = "created"
) -> list[Page]:
    return [page async for page in source.pages(stream, YEAR, cursor, by=by)]


def ids(pages: list[Page]) -> list[str]:
    return [json.loads(record)["id"] for page in pages for record in page.records]


def raw(*records: Any) -> list[bytes]:
    return [json.dumps(record).encode() for record in records]


async def test_equal_timestamps_over_page_edges_are_read_once_each() -> None:
    """A thousand rows of one millisecond, in an id order that is not that of text, come once each."""
    numbers = [(number * 7919) % 1009 for number in range(1009)]
    project = StubProject({"orders": [order(number, NOON) for number in numbers]})
    async with opened(project, page_size=100) as source:
        pages = await walked(source)
    assert ids(pages) == [row["id"] for row in project.records["orders"]]
    assert [page.is_last for page in pages] == [False] * 10 + [True]


async def test_reading_goes_on_after_a_saved_cursor() -> None:
    """From the cursor of any page the rest is read, neither more nor less."""
    project = StubProject({"orders": [order(number, NOON) for number in (5, 3, 9, 1, 7)]})
    async with opened(project, page_size=2) as source:
        pages = await walked(source)
        rest = await walked(source, cursor=pages[0].cursor)
        none = await walked(source, cursor=pages[-1].cursor)
    assert ids(pages) == [row["id"] for row in project.records["orders"]]
    assert ids(rest) == ids(pages)[2:]
    assert [(list(page.records), page.is_last) for page in none] == [([], True)]


async def test_empty_window_ends_with_one_page_whose_cursor_can_be_resumed() -> None:
    """An empty window is one last, empty page; what arrives late is still found from its cursor."""
    project = StubProject({"orders": []})
    async with opened(project) as source:
        (page,) = await walked(source)
        project.records["orders"].append(order(1, YEAR.since))
        late = await walked(source, cursor=page.cursor)
    assert (list(page.records), page.is_last) == ([], True)
    assert len(ids(late)) == 1


async def test_queries_are_as_the_platform_wants_them() -> None:
    """Half-open window with milliseconds, both sort keys, no total, payments expanded both ways."""
    project = StubProject({"orders": [order(1, NOON)]})
    async with opened(project) as source:
        await walked(source)
        await walked(source, by="modified")
    (path, created), (_, modified) = project.asked
    assert path == "/shop/orders"
    assert created == {
        "where": [f'createdAt >= "{YEAR.since}" and createdAt < "{YEAR.until}"'],
        "sort": ["createdAt asc", "id asc"],
        "limit": ["500"],
        "withTotal": ["false"],
        "expand": ["paymentInfo.payments[*]"],
    }
    assert modified["sort"] == ["lastModifiedAt asc", "id asc"]
    assert modified["expand"] == ["paymentInfo.payments[*]"]
    assert project.correlation_ids == ["cdi-r1-1", "cdi-r1-2"]


async def test_one_store_is_read_below_its_key() -> None:
    """With a store key orders come from that store; payments have none and come from the project."""
    project = StubProject({"orders": [order(1, NOON)], "payments": []})
    async with opened(project, store_key="berlin") as source:
        await walked(source)
        await walked(source, "payments")
    assert [path for path, _ in project.asked] == ["/shop/in-store/key=berlin/orders", "/shop/payments"]


async def test_server_that_lowers_the_limit_is_not_mistaken_for_the_end() -> None:
    """A page shorter than asked for is not the last when the server itself says it allowed fewer rows."""
    rows = [order(number, NOON) for number in range(5)]
    project = StubProject({"orders": rows})
    select = project._select
    project._select = lambda records, query: select(records, query)[:2]  # type: ignore[method-assign]
    reply = project._reply

    async def lowered(writer: Any, status: int, body: Any) -> bool:
        return await reply(writer, status, body | {"limit": 2} if "results" in body else body)

    project._reply = lowered  # type: ignore[method-assign]
    async with opened(project) as source:
        assert len(ids(await walked(source))) == 5


async def test_large_records_are_asked_for_in_fewer_rows() -> None:
    """After a page of large records the next one is sized for 4 MB."""
    rows = [order(number, NOON, custom={"fields": {"blob": "x" * 400_000}}) for number in range(60)]
    project = StubProject({"orders": rows})
    async with opened(project, page_size=50) as source:
        assert len(ids(await walked(source))) == 60
    limits = [int(query["limit"][0]) for _, query in project.asked]
    assert limits[0] == 50
    assert 8 <= limits[1] <= 10


async def test_cursor_cannot_smuggle_a_predicate() -> None:
    """An id with a quote in it is no cursor of ours."""
    cursor = Cursor(json.dumps({"at": NOON, "id": 'x") or (id <> "'}))
    async with opened(StubProject()) as source:
        with pytest.raises(ProtocolError):
            await walked(source, cursor=cursor)


async def test_cursor_of_another_window_is_refused() -> None:
    """A position before or after the window cannot be gone on from."""
    cursor = Cursor('{"at":"2020-01-01T00:00:00.000Z","id":"a"}')
    async with opened(StubProject()) as source:
        with pytest.raises(ProtocolError, match="outside its window"):
            await walked(source, cursor=cursor)


async def test_count_asks_for_no_rows() -> None:
    """The total of a window comes without records."""
    project = StubProject({"orders": [order(1, NOON), order(2, "2025-01-01T00:00:00.000Z")]})
    async with opened(project) as source:
        assert await source.count("orders", YEAR) == 1
    assert project.asked[0][1]["limit"] == ["0"]


async def test_token_is_minted_once_for_all_who_wait() -> None:
    """Twenty requests at once cost one token."""
    project = StubProject({"orders": [order(1, NOON)]}, token_delay_seconds=0.05)
    async with opened(project, concurrency=16) as source:
        await asyncio.gather(*(walked(source) for _ in range(20)))
    assert project.mints == 1


async def test_token_is_renewed_before_it_ends() -> None:
    """Five minutes before its end, or at half of a short life, the next request mints again."""
    elapsed = [0.0]
    clock = Clock(monotonic=lambda: elapsed[0])
    project = StubProject({"orders": []}, expires_in=3600)
    async with opened(project, clock=clock) as source:
        await walked(source)
        elapsed[0] = 3299.0
        await walked(source)
        assert project.mints == 1
        elapsed[0] = 3301.0
        project.expires_in = 100
        await walked(source)
        assert project.mints == 2
        elapsed[0] += 49.0
        await walked(source)
        assert project.mints == 2
        elapsed[0] += 2.0
        await walked(source)
    assert project.mints == 3


async def test_server_now_is_the_servers_clock_and_goes_on() -> None:
    """Time comes from the token answer's `Date` plus what has passed since, whatever this machine thinks."""
    elapsed = [100.0]
    clock = Clock(now=lambda: datetime(2020, 1, 1, tzinfo=UTC), monotonic=lambda: elapsed[0])
    async with opened(StubProject(date="Sun, 01 Mar 2026 12:00:00 GMT"), clock=clock) as source:
        assert await source.server_now() == "2026-03-01T12:00:00.000Z"
        elapsed[0] += 90.5
        assert await source.server_now() == "2026-03-01T12:01:30.500Z"


async def test_server_without_a_readable_date_is_taken_to_have_our_time() -> None:
    """A garbled `Date` falls back on this machine's clock."""
    now = datetime(2026, 3, 1, tzinfo=UTC)
    async with opened(StubProject(date="soon"), clock=Clock(now=lambda: now)) as source:
        assert await source.server_now() == "2026-03-01T00:00:00.000Z"


async def test_references_are_looked_up_in_one_request_each_and_remembered() -> None:
    """A group's codes, groups and products cost a request each; the next group costs none; deleted ones have no name."""
    project = StubProject(catalogue())
    async with opened(project) as source:
        first = await source.read("orders", raw(sample("order-rich"), sample("order-rich")))
        asked = len(project.asked)
        await source.read("orders", raw(sample("order-rich")))
        assert len(project.asked) == asked
    entity = first[0][0]
    assert isinstance(entity, Order)
    assert (entity.coupons, entity.customer_group) == (("SPRING",), "VIP")
    assert [line.category for line in entity.lines] == ["Clothes > Shirts", None, None]
    assert sorted(path for path, _ in project.asked) == [
        "/shop",
        "/shop/categories",
        "/shop/customer-groups",
        "/shop/discount-codes",
        "/shop/product-projections",
    ]


async def test_lookups_that_are_off_are_not_asked() -> None:
    """Each look-up can be switched off."""
    project = StubProject(catalogue())
    off = {"product_categories": False, "discount_codes": False, "customer_groups": False}
    async with opened(project, lookups=off) as source:
        ((entity,),) = await source.read("orders", raw(sample("order-rich")))
    assert isinstance(entity, Order)
    assert (entity.coupons, entity.customer_group, entity.lines[0].category) == ((), None, None)
    assert [path for path, _ in project.asked] == ["/shop"]


async def test_cache_is_bounded_and_asks_a_hundred_at_a_time() -> None:
    """The least recently used names go first, misses are remembered, batches hold at most a hundred ids."""
    batches: list[list[str]] = []

    async def fetch(wanted: Any) -> dict[str, str]:
        batches.append(list(wanted))
        return {identifier: f"name of {identifier}" for identifier in wanted if identifier != "gone"}

    cache = ReferenceCache(fetch, entries_max=3)
    assert len(await cache.names(str(number) for number in range(250))) == 250
    assert [len(batch) for batch in batches] == [100, 100, 50]
    batches.clear()
    assert await cache.names(["249", "gone"]) == {"249": "name of 249"}
    assert await cache.names(["gone"]) == {}
    assert batches == [["gone"]]


async def test_poison_record_fails_alone() -> None:
    """One unreadable record among good ones is the only one that is not an entity."""
    project = StubProject(catalogue())
    broken = sample("order-rich") | {"id": "o-2", "version": "seven"}
    twisted = sample("order-rich") | {"id": "o-3", "completedAt": "last week"}
    async with opened(project) as source:
        readings = await source.read("orders", raw(sample("order-rich"), broken, twisted, sample("order")))
    assert [type(reading[0]) for reading in readings] == [Order, Unreadable, Unreadable, Order]
    first, second = readings[1][0], readings[2][0]
    assert isinstance(first, Unreadable)
    assert isinstance(second, Unreadable)
    assert (first.record_id, first.detail) == ("o-2", "Expected `int`, got `str` - at `$.version`")
    assert (second.record_id, second.detail) == ("o-3", "Expected a date-time with a zone - at `$.completedAt`")


async def test_consent_and_locale_come_from_the_pipeline() -> None:
    """The pipeline's consent paths and language shape what is read."""
    context = SourceContext(consent={"email": ConsentField("custom.fields.consentEmail")}, locale="de")
    async with opened(StubProject(catalogue()), context=context) as source:
        ((entity,),) = await source.read("orders", raw(sample("order-rich")))
    assert isinstance(entity, Order)
    assert entity.consent.categories == {"email": "granted"}
    assert entity.lines[0].name == "Leinenhemd"


async def test_customers_and_products_are_read() -> None:
    """The other streams give their own entities; a product's categories are paths."""
    project = StubProject(catalogue())
    record = sample("product")
    record["masterData"]["current"]["categories"] = [{"typeId": "category", "id": "leaf"}]
    async with opened(project) as source:
        ((customer,),) = await source.read("customers", raw(sample("customer")))
        ((product, *_),) = await source.read("products", raw(record))
    assert isinstance(customer, Customer)
    assert isinstance(product, Product)
    assert product.categories == ("Clothes > Shirts",)


async def test_lookup_that_is_forbidden_names_scope_and_switch() -> None:
    """A look-up without permission stops with what to grant or to switch off."""
    body = (
        b'{"statusCode":403,"message":"Insufficient scope. One of the following scopes is missing: '
        b'view_discount_codes:shop, view_orders:shop.","errors":[{"code":"insufficient_scope","message":"x"}]}'
    )
    project = StubProject(catalogue(), faults={"discount-codes": [answer(403, body)]})
    async with opened(project) as source:
        with pytest.raises(ScopeError) as caught:
            await source.read("orders", raw(sample("order-rich")))
    assert "`view_discount_codes:shop` or `view_orders:shop`" in caught.value.message
    assert "lookups.discount_codes: false" in (caught.value.hint or "")


@pytest.mark.parametrize("cursor", ["", "{}", "[1]", "x", '{"at":"2026-02-01T00:00:00Z","id":"a"}', '{"at":1,"id":"a"}'])
async def test_foreign_cursor_is_refused(cursor: str) -> None:
    """A cursor that this source did not write stops the run before anything is asked."""
    project = StubProject()
    async with opened(project) as source:
        with pytest.raises(ProtocolError, match="not one of the commercetools source"):
            await walked(source, cursor=Cursor(cursor))
    assert project.asked == []
