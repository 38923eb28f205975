"""How lists of Elastic Path are read: keyset, ties, slices, dialects of filters, lists without filters, and guards."""

from __future__ import annotations

import json
from typing import Any

import pytest
from elasticpath_stub import NOON, SECRET, StubStore, customer, opened, order, product

from cdi_cli.clock import Instant, Window
from cdi_cli.errors import ProtocolError, RefusedError
from cdi_cli.sources import Cursor, Page
from cdi_cli.sources.elasticpath.source import ElasticPathSource

YEAR = Window(Instant("2026-01-01T00:00:00.000Z"), Instant("2027-01-01T00:00:00.000Z"))


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stub knows one secret."""
    monkeypatch.setenv("EP_SECRET", SECRET)


async def walked(
    source: ElasticPathSource,
    stream: str = "customers",
    cursor: Cursor | None = None,
    by: str = "created",
    window: Window = YEAR,
) -> list[Page]:
    """All pages of a window."""
    return [page async for page in source.pages(stream, window, cursor, by=by)]


def ids(pages: list[Page]) -> list[str]:
    """The ids of all records, in order."""
    return [json.loads(record)["id"] for page in pages for record in page.records]


def many(count: int, at: str = "2026-03-01T12:{minute:02d}:{second:02d}Z") -> list[dict[str, Any]]:
    """Customers a second apart."""
    return [customer(f"c{number:04d}", at.format(minute=number // 60, second=number % 60)) for number in range(count)]


async def test_queries_are_as_the_vendor_recommends_them() -> None:
    """Quoted times, half-open, ascending, from offset 0: the next page begins at the last time of the one before."""
    store = StubStore({"/v2/customers": many(25)})
    async with opened(store, page_size=10) as source:
        pages = await walked(source)
    probes, (first, second, *_) = store.queries("/v2/customers")[:3], store.queries("/v2/customers")[3:]
    assert [(query.get("sort"), query["page[limit]"]) for query in probes] == [
        (None, "1"),
        ("created_at", "1"),
        ("-created_at", "1"),
    ]
    assert first == {
        "filter": 'ge(created_at,"2026-01-01T00:00:00.000Z"):lt(created_at,"2027-01-01T00:00:00.000Z")',
        "sort": "created_at",
        "page[limit]": "10",
        "page[offset]": "0",
    }
    assert second["filter"].startswith('ge(created_at,"2026-03-01T12:00:09.000Z")')
    assert second["page[offset]"] == "0"
    assert ids(pages) == [f"c{number:04d}" for number in range(25)]
    assert [page.is_last for page in pages] == [False] * (len(pages) - 1) + [True]


@pytest.mark.parametrize("totals", [True, False])
@pytest.mark.parametrize("by", ["created", "modified"])
async def test_a_crowded_instant_is_read_once_each(by: str, totals: bool) -> None:
    """Hundreds of rows of one time, more than any page holds, come once each by their ids, between their neighbours."""
    rows = [customer(f"c{number:04d}", NOON) for number in range(350, 0, -1)]
    rows += [customer("first", "2026-02-01T00:00:00Z"), customer("last", "2026-04-01T00:00:00Z")]
    store = StubStore({"/v2/customers": rows}, totals=totals)
    async with opened(store) as source:
        pages = await walked(source, by=by)
        rests = [ids(await walked(source, cursor=page.cursor, by=by)) for page in pages]
    assert ids(pages) == ["first", *(f"c{number:04d}" for number in range(1, 351)), "last"]
    assert rests == [ids(pages[number + 1 :]) for number in range(len(pages))]
    crowded = [query for query in store.queries("/v2/customers") if query["page[offset]"] != "0"]
    assert crowded
    assert all("lt(" in query["filter"] and "12:00:00.001Z" in query["filter"] for query in crowded)


async def test_rows_that_change_meanwhile_are_not_lost() -> None:
    """A row that moves to the end of the order of change between two pages takes none of the others with it."""
    store = StubStore({"/v2/customers": many(30)})
    async with opened(store, page_size=10) as source:
        seen: list[str] = []
        async for page in source.pages("customers", YEAR, None, by="modified"):
            seen += ids([page])
            if len(seen) < 10:
                for row in store.lists["/v2/customers"][:4]:
                    row["meta"]["timestamps"]["updated_at"] = "2026-03-02T00:00:00Z"
    assert sorted(set(seen)) == [f"c{number:04d}" for number in range(30)]
    assert seen[-4:] == [f"c{number:04d}" for number in range(4)]


async def test_a_row_that_leaves_a_crowd_takes_no_other_with_it() -> None:
    """The rows of one time are counted: where one left while they were read by offset, they are read again."""
    rows = [customer(f"c{number:04d}", NOON) for number in range(250)]
    store = StubStore({"/v2/customers": rows})
    original = store._list
    left: list[dict[str, Any]] = []

    async def leaving(writer: Any, path: str, query: dict[str, str]) -> bool:
        if query["page[offset]"] == "100" and not left:
            left.append(rows[0])
            rows[0]["meta"]["timestamps"]["updated_at"] = "2026-05-01T00:00:00Z"
        return await original(writer, path, query)

    store._list = leaving  # type: ignore[method-assign]
    async with opened(store) as source:
        found = ids(await walked(source, by="modified"))
    assert left
    assert sorted(found) == [f"c{number:04d}" for number in range(250)]


@pytest.mark.parametrize("is_sorted", [True, False])
async def test_a_store_that_does_not_sort_is_read_in_slices(is_sorted: bool) -> None:
    """Its default order, latest first, is noticed; everything comes once, in order, and can be gone on with."""
    store = StubStore({"/v2/customers": many(2500)}, sorts=is_sorted)
    async with opened(store) as source:
        pages = await walked(source, by="modified")
        rest = ids(await walked(source, cursor=pages[7].cursor, by="modified"))
    assert ids(pages) == [f"c{number:04d}" for number in range(2500)]
    assert rest == ids(pages[8:])
    assert [page.is_last for page in pages] == [False] * (len(pages) - 1) + [True]
    assert max(int(query["page[offset]"]) for query in store.queries("/v2/customers")) < 1000


async def test_a_crowd_at_the_end_does_not_hide_a_wrong_order() -> None:
    """The default order may begin with a whole page of one time, which is in any order one likes."""
    rows = many(50) + [customer(f"z{number:04d}", "2026-05-01T00:00:00Z") for number in range(150)]
    async with opened(StubStore({"/v2/customers": rows}, sorts=False)) as source:
        assert ids(await walked(source, by="modified")) == [row["id"] for row in rows]


async def test_a_list_that_cannot_be_sorted_by_a_field_is_read_in_slices() -> None:
    """A 400 for `sort` is no reason to stop."""
    store = StubStore({"/v2/customers": many(30)})
    original = store._list

    async def without_sort(writer: Any, path: str, query: dict[str, str]) -> bool:
        if "sort" in query:
            return await store.reply(writer, 400, {"errors": [{"title": "Bad Request", "detail": "unsupported sort"}]})
        return await original(writer, path, query)

    store._list = without_sort  # type: ignore[method-assign]
    async with opened(store, page_size=10) as source:
        assert ids(await walked(source)) == [f"c{number:04d}" for number in range(30)]


async def test_an_order_that_turns_is_noticed_between_two_pages() -> None:
    """Pages that were given before the store's order turned out to be another stay good: nothing is lost or repeated."""
    store = StubStore({"/v2/customers": many(200)})
    async with opened(store, page_size=10) as source:
        seen: list[str] = []
        async for page in source.pages("customers", YEAR, None):
            seen += ids([page])
            store.sorts = False
    assert seen == [f"c{number:04d}" for number in range(200)]


@pytest.mark.parametrize(
    ("dialects", "written"),
    [
        (("quoted",), 'ge(created_at,"2026-01-01T00:00:00.000Z")'),
        (("epoch", "day"), "ge(created_at,1767225600000)"),
        (("day",), "ge(created_at,2026-01-01)"),
    ],
)
async def test_a_dialect_that_is_not_read_is_replaced_by_the_next(dialects: tuple[str, ...], written: str) -> None:
    """Each dialect reads the same; the one that was found stays, and is not looked for again."""
    rows = [customer(f"c{number:04d}", f"2026-03-{1 + number // 20:02d}T{number % 20:02d}:00:00Z") for number in range(90)]
    store = StubStore({"/v2/customers": rows}, dialects=dialects)
    window = Window(Instant("2026-03-01T05:30:00.000Z"), Instant("2026-03-04T12:00:00.000Z"))
    async with opened(store, page_size=7) as source:
        assert ids(await walked(source)) == [row["id"] for row in rows]
        inside = await walked(source, window=window)
        rest = ids(await walked(source, window=window, cursor=inside[1].cursor))
        before = len(store.asked)
        await walked(source, window=Window(YEAR.since, Instant("2026-01-02T00:00:00.000Z")))
    assert ids(inside) == [f"c{number:04d}" for number in range(6, 72)]
    assert rest == ids(inside[2:])
    assert len(store.asked) == before + 1
    assert store.queries("/v2/customers")[-1]["filter"].startswith(written)


async def test_a_store_that_reads_no_dialect_says_so() -> None:
    """The run stops with what the store said and what to do."""
    store = StubStore({"/v2/customers": []}, dialects=())
    async with opened(store) as source:
        with pytest.raises(RefusedError, match="Could not parse") as caught:
            await walked(source)
    assert caught.value.hint


async def test_counts_go_by_creation_and_are_exact_or_none() -> None:
    """Whole days cannot be counted; a list without filters cannot either."""
    store = StubStore({"/v2/customers": many(30), "/v2/account-members": many(3)})
    window = Window(YEAR.since, Instant("2026-03-01T12:00:10.000Z"))
    async with opened(store) as source:
        assert (await source.count("customers", YEAR), await source.count("customers", window)) == (30, 10)
        assert await source.count("account_members", YEAR) is None
    async with opened(StubStore({"/v2/customers": many(3)}, dialects=("day",))) as source:
        assert await source.count("customers", YEAR) is None


async def test_a_list_that_ignores_the_filter_is_found_out() -> None:
    """The whole table in place of a window stops the run."""
    store = StubStore({"/v2/customers": many(300)}, filters=False)
    window = Window(Instant("2026-06-01T00:00:00.000Z"), YEAR.until)
    async with opened(store) as source:
        with pytest.raises(ProtocolError, match="outside"):
            await walked(source, window=window)


@pytest.mark.parametrize("stream", ["customers", "account_members"])
async def test_a_list_that_ignores_the_page_is_found_out(stream: str) -> None:
    """The same rows whatever the offset: no endless reading, and nothing passed over."""
    rows = [customer(f"c{number:04d}", NOON) for number in range(300)]
    store = StubStore({"/v2/customers": rows, "/v2/account-members": rows}, pages=False)
    async with opened(store) as source:
        with pytest.raises(ProtocolError, match="the same page twice"):
            await walked(source, stream)


async def test_more_rows_of_one_instant_than_can_be_read_stop_the_run() -> None:
    """The wall at offset 10,000 is never run into."""
    rows = [{"id": f"c{n:05d}", "meta": {"timestamps": {"created_at": NOON, "updated_at": NOON}}} for n in range(10_050)]
    store = StubStore({"/v2/customers": rows})
    async with opened(store) as source:
        with pytest.raises(ProtocolError, match="more than 10000 records have the same time"):
            await walked(source)
    assert max(int(query["page[offset]"]) for query in store.queries("/v2/customers")) < 10_000


async def test_rows_without_time_or_id_stop_the_run() -> None:
    """Reading could not go on after them."""
    for row in ({"id": "c1", "meta": {"timestamps": {"created_at": "soon"}}}, customer("")):
        store = StubStore({"/v2/customers": []}, answers={"/v2/customers": {"data": [row]}})
        async with opened(store) as source:
            with pytest.raises(ProtocolError, match="without a readable `created_at` and `id`"):
                await walked(source)


async def test_a_page_with_half_a_character_is_read_around_it() -> None:
    """A text that is no Unicode does not lose the other records of its page."""
    rows = [customer("c1"), customer("c2", name="CUT"), customer("c3")]
    body = json.dumps({"data": rows, "meta": {"results": {"total": 3}}}).replace("CUT", "\\ud83d")
    store = StubStore({"/v2/customers": []})

    async def broken(writer: Any, path: str, query: dict[str, str]) -> bool:
        from scripted_server import head

        writer.write(head(200, {"content-length": str(len(body)), "content-type": "application/json"}) + body.encode())
        await writer.drain()
        return True

    store._list = broken  # type: ignore[method-assign]
    async with opened(store) as source:
        (page,) = await walked(source)
        readings = await source.read("customers", page.records)
    assert [type(one).__name__ for (one,) in readings] == ["Customer", "Unreadable", "Customer"]


async def test_account_members_are_walked_down_to_the_window() -> None:
    """By change only as far as needed, by creation whole; given in the order of time, each once."""
    rows = [customer(f"m{number:04d}", f"2026-03-{1 + number // 20:02d}T{number % 20:02d}:00:00Z") for number in range(400)]
    store = StubStore({"/v2/account-members": rows})
    window = Window(Instant("2026-03-19T00:00:00.000Z"), YEAR.until)
    async with opened(store, page_size=20) as source:
        recent = ids(await walked(source, "account_members", by="modified", window=window))
        asked = len(store.queries("/v2/account-members"))
        created = ids(await walked(source, "account_members"))
    assert recent == [f"m{number:04d}" for number in range(360, 400)]
    assert asked == 3
    assert created == [row["id"] for row in rows]
    assert {query.get("filter") for query in store.queries("/v2/account-members")} == {None}


async def test_orders_carry_their_lines_in_their_own_order() -> None:
    """What was served beside a page is joined by id, whatever types say; flow fields are kept only where they are named."""
    from elasticpath_stub import item

    orders = [
        order(f"o{number}", lines=[item(f"o{number}-b"), item(f"o{number}-a")], gift="yes", secret_note="no")
        for number in range(3)
    ]
    store = StubStore({"/v2/orders": orders})
    async with opened(store, flow_fields=["gift"]) as source:
        records = [json.loads(record) for page in await walked(source, "orders") for record in page.records]
        (found,) = await source.find("orders", "id", "o1")
    assert [[line["id"] for line in one["included"]["items"]] for one in records] == [
        [f"o{number}-b", f"o{number}-a"] for number in range(3)
    ]
    assert {one["gift"] for one in records} == {"yes"}
    assert not any("secret_note" in one for one in records)
    assert json.loads(found) == records[1]
    assert {query.get("include") for query in store.queries("/v2/orders") if query["page[limit]"] != "1"} == {"items"}


async def test_products_are_read_in_slices_and_by_unquoted_times_where_need_be() -> None:
    """The catalogue has no sort parameter: none is sent, and everything comes once in order."""
    rows = [product(f"p{number:04d}", f"2026-03-01T12:{number // 60:02d}:{number % 60:02d}Z") for number in range(250)]
    for dialects in (("quoted",), ("plain",), ("day",)):
        store = StubStore({"/pcm/products": rows}, dialects=dialects)
        async with opened(store) as source:
            assert ids(await walked(source, "products", by="modified")) == [row["id"] for row in rows]
        assert {query.get("sort") for query in store.queries("/pcm/products")} == {None}
        assert store.queries("/pcm/products")[-1]["include"] == "main_image,files"
