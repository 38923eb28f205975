"""What the Elastic Path source makes of its cassettes, compared with the recorded answers by plain JSON.

Nothing here depends on where they were recorded: a maintainer may record a real store and the tests still hold.
"""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from contract_bench import forms_of
from recording import recording_of
from recording.__main__ import record
from recording.cassette import CASSETTES, Answers, cassette
from recording.elasticpath import STRUCTURAL, Walked, time_of
from recording.scrub import Scrubber

from cdi_cli.clock import parse_instant
from cdi_cli.commerce import Customer, Order, Product
from cdi_cli.sandbox import SandboxOptions, SandboxThread
from cdi_cli.sandbox.elasticpath.options import ElasticPathOptions
from cdi_cli.sources import Nothing

FOLDER = CASSETTES / "elasticpath"
LISTS = {
    "customers": "/v2/customers", "account-members": "/v2/account-members", "orders": "/v2/orders",
    "orders-by-change": "/v2/orders", "products": "/pcm/products",
}  # fmt: skip
KINDS = {"customers": Customer, "account-members": Customer, "orders": Order, "orders-by-change": Order, "products": Product}


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """The placeholder account's secret."""
    for name, value in recording_of("elasticpath").replayed.environment.items():
        monkeypatch.setenv(name, value)


async def replayed(scenario: str) -> tuple[Any, Answers]:
    """What the source makes of a cassette, and the cassette."""
    found, path = recording_of("elasticpath"), FOLDER / f"{scenario}.yaml"
    answers = Answers(path)
    with cassette(path, found.replayed.scrubber.fresh()):
        return await found.scenarios[scenario].run(found.replayed, answers.window_start), answers


async def walked(scenario: str) -> tuple[Walked, list[dict[str, Any]], Answers]:
    """What the source read of a stream, the records of its pages, and the cassette."""
    result, answers = await replayed(scenario)
    assert isinstance(result, Walked)
    return result, [json.loads(each) for page in result.pages for each in page.records], answers


def served(answers: Answers, path: str) -> dict[str, dict[str, Any]]:
    """Every record that was served of a list, by its id."""
    bodies = answers.bodies(f"{path}?")
    return {row["id"]: row for body in bodies for row in body["data"]}


def currencies(answers: Answers) -> dict[str, int]:
    """Decimals by currency, as the recorded store says."""
    return {row["code"]: row["decimal_places"] for body in answers.bodies("/v2/currencies") for row in body["data"]}


@pytest.mark.parametrize("scenario", LISTS)
async def test_two_pages_are_read_in_order(scenario: str) -> None:
    """The records of both pages are recorded ones, in the order of their time; the cursor goes on."""
    result, rows, answers = await walked(scenario)
    known = served(answers, LISTS[scenario])
    field = "updated_at" if scenario in ("account-members", "orders-by-change") else "created_at"

    assert len(result.pages) == 2
    assert rows
    for row in rows:
        own = known[row["id"]]
        assert {name: value for name, value in row.items() if name != "included"}.items() <= own.items()
    times = [time_of(row, field) for row in rows]
    assert times == sorted(times)
    assert result.pages[0].cursor != result.pages[1].cursor


@pytest.mark.parametrize("scenario", ["customers", "orders", "products"])
async def test_the_count_is_the_stores_own(scenario: str) -> None:
    """It asks for one record and tells how many there are."""
    result, _rows, answers = await walked(scenario)

    counted = [uri for uri in answers.uris if parse_qs(urlsplit(uri).query).get("page[limit]") == ["1"]]
    totals = [body["meta"]["results"]["total"] for body in answers.bodies("page[limit]=1&")]
    assert counted
    assert result.count in totals


@pytest.mark.parametrize("scenario", LISTS)
async def test_every_recorded_record_can_be_read(scenario: str) -> None:
    """Each becomes an entity with the recorded id and times, or says nothing for a counted reason."""
    result, rows, _answers = await walked(scenario)
    readings = [found for page in result.readings for found in page]

    assert len(readings) == len(rows)
    for row, found in zip(rows, readings, strict=True):
        for reading in found:
            if isinstance(reading, Nothing):
                continue
            assert isinstance(reading, KINDS[scenario]), reading
            assert (reading.product_id if isinstance(reading, Product) else reading.id) == row["id"]
            assert (reading.created_at, reading.updated_at) == (time_of(row, "created_at"), time_of(row, "updated_at"))
    assert any(isinstance(reading, KINDS[scenario]) for found in readings for reading in found)


@pytest.mark.parametrize("scenario", ["orders", "orders-by-change"])
async def test_orders_keep_their_sums_and_get_their_refunds(scenario: str) -> None:
    """Total and tax are those displayed, in the currency's decimals; refunds are what the transactions say went back."""
    result, rows, answers = await walked(scenario)
    digits = currencies(answers)

    for row, found in zip(rows, [found for page in result.readings for found in page], strict=True):
        for order in (reading for reading in found if isinstance(reading, Order)):
            display = row["meta"]["display_price"]
            code = display["with_tax"]["currency"]
            assert order.currency == code
            assert order.total.decimal() == Decimal(display["with_tax"]["amount"]).scaleb(-digits[code])
            assert order.tax is not None
            assert order.tax.decimal() == Decimal(display["tax"]["amount"]).scaleb(-digits[code])
            transactions = [each for body in answers.bodies(f"/v2/orders/{row['id']}/transactions") for each in body["data"]]
            back = sum(each["refunded_amount"] for each in transactions)
            assert sum((each.amount.decimal() for each in order.refunds), Decimal(0)) == Decimal(back).scaleb(-digits[code])
            assert order.is_paid == (row["payment"] in ("paid", "refunded"))


async def test_items_are_joined_to_their_orders() -> None:
    """Each order has the lines that it names, of all that were served beside the page."""
    _result, rows, answers = await walked("orders")
    items = {
        item["id"]: item for body in answers.bodies("include=items") for item in body.get("included", {}).get("items", [])
    }

    assert items
    for row in rows:
        named = [each["id"] for each in row["relationships"]["items"]["data"] if each["id"] in items]
        assert [item["id"] for item in row["included"]["items"]] == named
        assert row["included"]["items"] == [items[identifier] for identifier in named]


async def test_customers_have_the_consent_of_their_record() -> None:
    """The flow field says it; nothing is asked for besides."""
    result, rows, answers = await walked("customers")
    states = {True: "granted", False: "denied"}

    for row, found in zip(rows, [found for page in result.readings for found in page], strict=True):
        for customer in (reading for reading in found if isinstance(reading, Customer)):
            assert customer.email == row["email"].lower()
            expected = states.get(row.get("marketing_consent"), "unknown")  # type: ignore[call-overload]
            assert customer.consent.categories == {"Advertising": expected}
    assert all("/v2/customers?" in uri or "/oauth/" in uri for uri in answers.uris)


async def test_changed_orders_are_asked_for_by_change() -> None:
    """The second way of reading filters and sorts by `updated_at` in every page, with whole timestamps in quotes."""
    _result, _rows, answers = await walked("orders-by-change")

    pages = [uri for uri in map(unquote, answers.uris) if "/v2/orders?" in uri]
    assert pages
    assert all('filter=ge(updated_at,"' in uri and "created_at" not in uri for uri in pages)
    assert all("sort=updated_at" in uri for uri in pages if "include=items" in uri)


async def test_the_check_asks_every_list() -> None:
    """Every line but the clock, which the recording is behind, is ok."""
    checks, answers = await replayed("check")

    assert [check for check in checks if not check.is_ok and check.name != "clock"] == []
    asked = " ".join(answers.uris)
    assert all(f"{path}?" in asked for path in [*LISTS.values(), "/v2/currencies", "/v2/accounts"])


def test_recording_a_real_store_leaves_nothing_of_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Of key, host, people, references and texts of the shop nothing is in the files, in any form."""
    key = ElasticPathOptions(client_id="acmePr0d-key-id", client_secret="acme Pr0d/secret+of")
    with SandboxThread(SandboxOptions(sources=("elasticpath",), orders=150, elasticpath=key)) as sandbox:
        monkeypatch.setenv("ELASTICPATH_BASE_URL", f"{sandbox.url}/elasticpath/")
        monkeypatch.setenv("ELASTICPATH_CLIENT_ID", key.client_id)
        monkeypatch.setenv("ELASTICPATH_CLIENT_SECRET", key.client_secret)
        files = record("elasticpath", tmp_path, from_sandbox=False)
        store = sandbox.elasticpath.store
        known = [*forms_of([key.client_secret]), key.client_id, sandbox.url.removeprefix("http://")]
        for kind in ("customers", "account-members"):
            for person in store.documents(kind):
                known += [person["email"], f'"{person["name"]}"', person.get("external_ref") or person["email"]]
        for order in store.documents("orders"):
            known += [order["id"], order["shipping_address"]["line_1"], order.get("external_ref") or order["id"]]
            known += [f'"{order["order_number"]}"'] if "order_number" in order else []
        known += [f'"{product["attributes"]["sku"]}"' for product in store.documents("products")]

    texts = [path.read_text(encoding="utf-8") for path in files]
    assert [text for text in known if text not in ("**", '"**"') and any(text in recorded for recorded in texts)] == []
    assert all(uri.startswith("https://api.example.com/") for path in files for uri in Answers(path).uris)


def test_recording_the_sandbox_again_gives_the_same_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Dates, ports and tokens leave no trace, so a re-recording shows only what really changed."""
    monkeypatch.setenv("ELASTICPATH_CLIENT_SECRET", "to be put back afterwards")
    files = record("elasticpath", tmp_path, from_sandbox=True)

    assert {path.name: path.read_text(encoding="utf-8") for path in files} == {
        path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.yaml")
    }


def test_the_scrubber_knows_the_fields_of_elastic_path() -> None:
    """Axes, types, times with offsets and small totals stay; names, references, addresses and the key's id go."""
    record = {
        "type": "order",
        "status": "complete",
        "payment": "paid",
        "order_number": "1234",
        "customer": {"name": "Ron Swanson", "email": "ron@swanson.com"},
        "meta": {"timestamps": {"updated_at": "2020-07-03T14:11:59-07:00"}, "display_price": {"formatted": "£1.00"}},
        "password": True,
    }
    page = {"data": [record], "meta": {"results": {"total": 5311}}}
    scrubber = Scrubber({}, {}, STRUCTURAL)

    scrubbed = scrubber.value(page)

    assert scrubbed["meta"]["results"] == {"total": 42}
    assert scrubber.value({"results": {"total": 7}}) == {"results": {"total": 7}}
    assert scrubbed["data"] == [
        {
            "type": "order",
            "status": "complete",
            "payment": "paid",
            "order_number": "text-1",
            "customer": {"name": "text-2", "email": "person-1@example.com"},
            "meta": {"timestamps": {"updated_at": "2020-07-03T14:11:59-07:00"}, "display_price": {"formatted": "text-3"}},
            "password": "****",
        }
    ]
    assert parse_instant("2020-07-03T14:11:59-07:00") == "2020-07-03T21:11:59.000Z"
