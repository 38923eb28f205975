"""The commercetools source against the test server of the `commercetools` SDK, which was written without us in mind.

It parses our predicates with a parser of its own and checks every record it serves with schemas that were generated from the
platform's API description. `sdk_judge.JudgeServer` says what it cannot do; here that means: records are stored in the order
in which a sorted query would give them, and neither scopes nor a store are asked about.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from sdk_judge import PROJECT, JudgeServer, is_known_to_the_sdk

from cdi_cli import sources
from cdi_cli.clock import Instant, Window
from cdi_cli.commerce import Customer, Order, Product
from cdi_cli.errors import RefusedError
from cdi_cli.sandbox import SandboxOptions, SandboxThread
from cdi_cli.sources import Cursor, Page, Source, SourceContext

ALL = Window(Instant("2020-01-01T00:00:00.000Z"), Instant("2027-01-01T00:00:00.000Z"))
STREAMS = ["customers", "carts", "orders", "payments", "products"]
NO_LOOKUPS = {"product_categories": False, "discount_codes": False, "customer_groups": False}
TIME = {"created": "createdAt", "modified": "lastModifiedAt"}


@pytest.fixture(scope="module")
def documents() -> dict[str, list[dict[str, Any]]]:
    """The sandbox's records that the SDK's schemas know, as plain data; many of them share one creation time."""
    shop = SandboxThread(SandboxOptions(orders=45, now=Instant("2026-06-01T00:00:00.000Z"))).shop
    kinds = [*STREAMS, "categories", "discount-codes", "customer-groups"]
    found = {kind: list(filter(is_known_to_the_sdk, shop.documents(kind))) for kind in kinds}
    found["products"] = found["products"][:25]  # its product projections are made of these
    return found


def served(documents: dict[str, list[dict[str, Any]]], by: str) -> Iterator[JudgeServer]:
    with JudgeServer() as judge:
        for kind, records in documents.items():
            judge.put(kind, sorted(records, key=lambda record: (record[TIME[by]], record["id"])))
        yield judge
        assert judge.errors == []


@pytest.fixture(scope="module")
def judges(documents: dict[str, list[dict[str, Any]]]) -> Iterator[dict[str, JudgeServer]]:
    """A server whose records are stored by creation, and one whose records are stored by change."""
    running = {by: served(documents, by) for by in TIME}
    yield {by: next(server) for by, server in running.items()}
    for server in running.values():
        assert next(server, None) is None


@asynccontextmanager
async def opened(judge: JudgeServer, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> AsyncIterator[Source]:
    monkeypatch.setenv("JUDGE_SECRET", "any-secret")
    spec = sources.load("commercetools")
    settings = {
        "project_key": PROJECT,
        "api_url": judge.url,
        "auth_url": judge.url,
        "client_id": "anyone",
        "client_secret": "${JUDGE_SECRET}",
        "page_size": 500,
    }
    source = spec.open(spec.settings.model_validate(settings | changes), SourceContext())
    try:
        yield source
    finally:
        await source.close()


async def walked(
    source: Source, stream: str, window: Window, cursor: Cursor | None = None, by: str = "created"
) -> list[Page]:
    return [page async for page in source.pages(stream, window, cursor, by=by)]


def ids(pages: list[Page]) -> list[str]:
    return [json.loads(record)["id"] for page in pages for record in page.records]


@pytest.mark.parametrize("by", TIME)
@pytest.mark.parametrize("stream", STREAMS)
async def test_every_record_is_read_once(
    judges: dict[str, JudgeServer],
    documents: dict[str, list[dict[str, Any]]],
    monkeypatch: pytest.MonkeyPatch,
    stream: str,
    by: str,
) -> None:
    """Their parser understands our keyset predicates as we mean them: nothing is skipped, nothing comes twice."""
    async with opened(judges[by], monkeypatch, page_size=max(1, len(documents[stream]) // 4)) as source:
        pages = await walked(source, stream, ALL, by=by)
        rest = await walked(source, stream, ALL, pages[1].cursor, by=by)

    assert len(pages) >= 3
    assert sorted(ids(pages)) == sorted(record["id"] for record in documents[stream])
    assert ids(rest) == ids(pages[2:])
    assert [page.is_last for page in pages] == [False] * (len(pages) - 1) + [True]


@pytest.mark.parametrize("stream", STREAMS)
async def test_half_open_windows_partition_the_whole(
    judges: dict[str, JudgeServer],
    documents: dict[str, list[dict[str, Any]]],
    monkeypatch: pytest.MonkeyPatch,
    stream: str,
) -> None:
    """They compare our instants as dates, and each record is in the one window that holds its time; counts agree."""
    times = sorted(record["createdAt"] for record in documents[stream])
    edges = sorted({times[len(times) * share // 4] for share in (1, 2, 3)})
    windows = [Window(since, until) for since, until in pairwise([ALL.since, *edges, ALL.until])]
    async with opened(judges["created"], monkeypatch) as source:
        parts = [ids(await walked(source, stream, window)) for window in windows]
        counts = [await source.count(stream, window) for window in windows]

    at = {record["id"]: record["createdAt"] for record in documents[stream]}
    assert len(windows) >= 3
    assert sorted(identifier for part in parts for identifier in part) == sorted(at)
    assert all(at[identifier] in window for window, part in zip(windows, parts, strict=True) for identifier in part)
    assert counts == [len(part) for part in parts]


async def test_refunds_come_with_the_payments_that_they_expand(
    judges: dict[str, JudgeServer], documents: dict[str, list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """They understand our `expand`: each order has exactly the successful refunds of its payments, in exact amounts."""
    payments = {payment["id"]: payment for payment in documents["payments"]}
    async with opened(judges["created"], monkeypatch) as source:
        records = [record for page in await walked(source, "orders", ALL) for record in page.records]
        orders = [found for (found,) in await source.read("orders", records)]

    refunded = 0
    for record, order in zip(map(json.loads, records), orders, strict=True):
        assert isinstance(order, Order)
        own = [payments[link["id"]] for link in record.get("paymentInfo", {}).get("payments", ())]
        expected = {
            each["id"]: Decimal(each["amount"]["centAmount"]).scaleb(-each["amount"]["fractionDigits"])
            for payment in own
            for each in payment["transactions"]
            if each["type"] in ("Refund", "Chargeback") and each["state"] == "Success"
        }
        assert {refund.id: refund.amount.decimal() for refund in order.refunds} == expected
        refunded += len(expected)
    assert refunded


async def test_payments_find_their_orders(
    documents: dict[str, list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """They understand `paymentInfo(payments(id in (...)))`: the orders of refunded payments, of those that were paid."""
    paid = [order for order in documents["orders"] if order.get("paymentInfo")]
    refunded = {
        payment["id"]
        for payment in documents["payments"]
        if any(each["type"] in ("Refund", "Chargeback") and each["state"] == "Success" for each in payment["transactions"])
    }
    expected = {order["id"] for order in paid if refunded & {link["id"] for link in order["paymentInfo"]["payments"]}}
    with JudgeServer() as judge:
        judge.put("orders", paid)
        judge.put("payments", sorted(documents["payments"], key=lambda payment: (payment["createdAt"], payment["id"])))
        async with opened(judge, monkeypatch, lookups=NO_LOOKUPS) as source:
            records = [record for page in await walked(source, "payments", ALL) for record in page.records]
            readings = [reading for found in await source.read("payments", records) for reading in found]

    found = {reading.id for reading in readings if isinstance(reading, Order) and reading.refunds}
    assert judge.errors == []
    assert 0 < len(expected) < len(paid)
    assert found == expected


async def test_look_ups_by_id_find_names(
    judges: dict[str, JudgeServer], documents: dict[str, list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """They understand our batched `id in (...)`: customers have the names of their groups, products their categories."""
    groups = {group["id"]: group["name"] for group in documents["customer-groups"]}
    lookups = {"standalone_prices": False, "inventory": False}  # their server has neither
    async with opened(judges["created"], monkeypatch, lookups=lookups) as source:
        records = [record for page in await walked(source, "customers", ALL) for record in page.records]
        customers = [found for (found,) in await source.read("customers", records)]
        rows = [record for page in await walked(source, "products", ALL) for record in page.records]
        products = [found for readings in await source.read("products", rows) for found in readings]

    expected = [groups.get(json.loads(record).get("customerGroup", {}).get("id")) for record in records]
    assert any(expected)
    assert [customer.customer_group for customer in customers if isinstance(customer, Customer)] == expected
    assert all(isinstance(product, Product) and (product.name or not product.is_published) for product in products)
    assert any(product.categories for product in products if isinstance(product, Product))


async def test_the_check_gets_a_token_and_reads_the_project(
    judges: dict[str, JudgeServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their token service takes our credentials, and their project has the languages that we say it has."""
    async with opened(judges["created"], monkeypatch) as source:
        checks = {check.name: check for check in await source.check()}

    assert checks["credentials"].is_ok
    assert checks["project"].is_ok
    assert "languages en, nl, de, nl-BE; currencies EUR" in checks["project"].detail
    assert checks["clock"].is_ok


async def test_what_does_not_exist_is_refused(judges: dict[str, JudgeServer], monkeypatch: pytest.MonkeyPatch) -> None:
    """Their 404 for what does not exist ends the reading with what to check."""
    async with opened(judges["created"], monkeypatch, store_key="nowhere") as source:
        with pytest.raises(RefusedError, match="404") as caught:
            await anext(source.pages("orders", ALL, None))

    assert "project_key" in (caught.value.hint or "")
