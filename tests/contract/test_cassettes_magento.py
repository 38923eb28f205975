"""What the Magento source makes of its cassettes, compared with the recorded answers by plain JSON.

Nothing here depends on where they were recorded: a maintainer may record a real shop and the tests still hold.
"""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from contract_bench import forms_of
from recording import recording_of
from recording.__main__ import record
from recording.cassette import CASSETTES, Answers, cassette
from recording.magento import Walked
from recording.scrub import Scrubber

from cdi_cli.commerce import Cart, Customer, Order, Product
from cdi_cli.sandbox import SandboxOptions, SandboxThread
from cdi_cli.sandbox.magento.options import MagentoOptions
from cdi_cli.sources import Joined, Nothing

FOLDER = CASSETTES / "magento"
LISTS = {
    "customers": "/customers/search", "carts": "/carts/search", "orders": "/orders", "creditmemos": "/creditmemos",
    "products": "/products",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """The placeholder account's secret."""
    for name, value in recording_of("magento").replayed.environment.items():
        monkeypatch.setenv(name, value)


async def replayed(scenario: str) -> tuple[Any, Answers]:
    """What the source makes of a cassette, and the cassette."""
    found, path = recording_of("magento"), FOLDER / f"{scenario}.yaml"
    answers = Answers(path)
    with cassette(path, found.replayed.scrubber.fresh()):
        return await found.scenarios[scenario].run(found.replayed, answers.window_start), answers


async def walked(scenario: str) -> tuple[Walked, list[dict[str, Any]], Answers]:
    """What the source read of a stream, the rows of its pages, and the cassette."""
    result, answers = await replayed(scenario)
    assert isinstance(result, Walked)
    return result, [json.loads(record) for page in result.pages for record in page.records], answers


def rows_of(answers: Answers, path: str) -> list[dict[str, Any]]:
    """Every row that was served of a list."""
    return [row for body in answers.bodies(f"/V1{path}?") for row in body.get("items") or []]


@pytest.mark.parametrize("stream", LISTS)
async def test_two_pages_are_read_in_order_with_a_count(stream: str) -> None:
    """The rows of both pages are recorded ones, in the order of their creation; the cursor goes on; the count is told."""
    result, rows, answers = await walked(stream)
    served = rows_of(answers, LISTS[stream])

    assert len(result.pages) == 2
    assert len(rows) >= 3
    assert all(row in served for row in rows)
    assert [row["created_at"] for row in rows] == sorted(row["created_at"] for row in rows)
    assert result.pages[0].cursor != result.pages[1].cursor
    assert result.count == answers.bodies("fields=total_count")[0]["total_count"]


@pytest.mark.parametrize("stream", ["customers", "carts", "orders", "products"])
async def test_every_recorded_record_can_be_read(stream: str) -> None:
    """Each becomes an entity with the recorded id and times, or says nothing for a counted reason."""
    result, rows, _ = await walked(stream)
    readings = [found for page in result.readings for found in page]
    kind = {"customers": Customer, "carts": Cart, "orders": Order, "products": Product}[stream]

    assert len(readings) == len(rows)
    for row, found in zip(rows, readings, strict=True):
        for reading in found:
            if isinstance(reading, Nothing):
                continue
            assert isinstance(reading, kind)
            if not isinstance(found, Joined):
                own = reading.product_id if isinstance(reading, Product) else reading.id
                assert own == str(row.get("entity_id", row.get("id")))
                assert reading.created_at == f"{row['created_at'].replace(' ', 'T')}.000Z"
    assert any(isinstance(reading, kind) for found in readings for reading in found)


async def test_customers_have_the_consent_of_their_own_store_view() -> None:
    """A customer of another view than the first is asked for once more under that view, whose answer is what counts."""
    result, rows, answers = await walked("customers")
    customers = [reading for page in result.readings for (reading,) in page]
    views = {view["id"]: view["code"] for body in answers.bodies("/store/storeViews") for view in body}

    assert len({row["store_id"] for row in rows}) > 1
    for row, customer in zip(rows, customers, strict=True):
        assert isinstance(customer, Customer)
        asked = answers.bodies(f"/rest/{views[row['store_id']]}/V1/customers/search?")
        told = [each for body in asked for each in body.get("items") or [] if each["id"] == row["id"]]
        assert row in told
        assert customer.email == row["email"]
        given = "granted" if row["extension_attributes"]["is_subscribed"] else "denied"
        assert customer.consent.categories == {"Advertising": given}


async def test_orders_keep_their_sums_and_get_their_refunds() -> None:
    """Total, tax and shipping are the header's; refunds are the credit memos that one look-up found, with their amounts."""
    result, rows, answers = await walked("orders")
    memos = rows_of(answers, "/creditmemos")

    assert memos
    for row, found in zip(rows, [found for page in result.readings for found in page], strict=True):
        for order in (reading for reading in found if isinstance(reading, Order)):
            assert order.total.decimal() == Decimal(str(row["grand_total"]))
            assert order.currency == row["order_currency_code"]
            own = {str(memo["entity_id"]): memo["grand_total"] for memo in memos if memo["order_id"] == row["entity_id"]}
            assert {refund.id: refund.amount.decimal() for refund in order.refunds} == {
                identifier: Decimal(str(amount)) for identifier, amount in own.items()
            }
    asked = [uri for uri in map(unquote, answers.uris) if "/creditmemos?" in uri]
    assert len(asked) <= len(result.pages)


async def test_credit_memos_become_their_orders() -> None:
    """Each memo gives the order that it names, with itself among the refunds, or another memo of the group already did."""
    result, rows, answers = await walked("creditmemos")
    orders = {row["entity_id"]: row for row in rows_of(answers, "/orders")}

    given = 0
    for memo, found in zip(rows, [found for page in result.readings for found in page], strict=True):
        for reading in found:
            if isinstance(reading, Order):
                given += 1
                assert memo["order_id"] in orders
                assert str(memo["entity_id"]) in {refund.id for refund in reading.refunds}
    assert given


async def test_changed_orders_are_asked_for_by_change() -> None:
    """The second way of reading windows and sorts by `updated_at`, in every page, ascending and said so."""
    result, rows, answers = await walked("orders-by-change")

    pages = [uri for uri in map(unquote, answers.uris) if "/V1/orders?" in uri]
    assert len(result.pages) == 2
    assert all("[field]=updated_at" in uri and "[direction]=ASC" in uri and "created_at" not in uri for uri in pages)
    assert [row["updated_at"] for row in rows] == sorted(row["updated_at"] for row in rows)


async def test_the_check_asks_every_list() -> None:
    """Every line but the clock, which the recording is behind, is ok."""
    checks, answers = await replayed("check")

    assert [check for check in checks if not check.is_ok and check.name != "clock"] == []
    asked = " ".join(answers.uris)
    assert all(f"/V1{path}?" in asked for path in [*LISTS.values(), "/shipments", "/customerGroups/search"])


def test_recording_a_real_shop_leaves_nothing_of_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Of token, host, people, order numbers and store codes nothing is in the files, in any form."""
    token = "acme Pr0d/access+token"
    options = SandboxOptions(sources=("magento",), orders=150, magento=MagentoOptions(access_token=token))
    with SandboxThread(options) as sandbox:
        monkeypatch.setenv("MAGENTO_BASE_URL", f"{sandbox.url}/magento/")
        monkeypatch.setenv("MAGENTO_ACCESS_TOKEN", token)
        files = record("magento", tmp_path, from_sandbox=False)
        shop = sandbox.magento.shop
        known = [*forms_of([token]), sandbox.url.removeprefix("http://"), "eu_de", "eu_fr"]
        for customer in shop.documents("customers"):
            known += [customer["email"], *[each["telephone"] for each in customer["addresses"]], *_birthdays(customer)]
        for order in shop.documents("orders"):
            known += [order["increment_id"], order["customer_email"], order["protect_code"]]
        known += [f'"{product["sku"]}"' for product in shop.documents("products")]

    texts = [path.read_text(encoding="utf-8") for path in files]
    assert [text for text in known if any(text in recorded for recorded in texts)] == []
    assert all(uri.startswith("https://shop.example.com/rest/") for path in files for uri in Answers(path).uris)


def _birthdays(customer: dict[str, Any]) -> list[str]:
    return [customer["dob"]] if "dob" in customer else []


def test_recording_the_sandbox_again_gives_the_same_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Dates, ports and report ids leave no trace, so a re-recording shows only what really changed."""
    monkeypatch.setenv("MAGENTO_ACCESS_TOKEN", "to be put back afterwards")
    files = record("magento", tmp_path, from_sandbox=True)

    assert {path.name: path.read_text(encoding="utf-8") for path in files} == {
        path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.yaml")
    }


def test_the_scrubber_knows_the_fields_of_magento() -> None:
    """Birthdays, phone numbers and SKUs go; states, times, joins by numbers in texts stay; a price is no longer one."""
    served = {
        "state": "processing",
        "created_at": "2026-01-02 03:04:05",
        "customer_dob": "1973-12-15 00:00:00",
        "relation_parent_id": "17",
        "sku": "24-MB01",
        "billing_address": {"telephone": "17", "street": ["6146 Honey Bluff"], "country_id": "US"},
        "custom_attributes": [
            {"attribute_code": "special_price", "value": "28.990000"},
            {"attribute_code": "category_ids", "value": ["5"]},
            {"attribute_code": "colour", "value": "5"},
        ],
    }
    page = {"items": [served], "total_count": 5311}

    scrubbed = Scrubber().value(page)

    assert scrubbed["total_count"] == 42
    assert Scrubber().value({"items": [], "total_count": 0})["total_count"] == 0
    assert scrubbed["items"] == [
        {
            "state": "processing",
            "created_at": "2026-01-02 03:04:05",
            "customer_dob": "text-1",
            "relation_parent_id": "17",
            "sku": "text-2",
            "billing_address": {"telephone": "text-3", "street": ["text-4"], "country_id": "US"},
            "custom_attributes": [
                {"attribute_code": "special_price", "value": "1.00"},
                {"attribute_code": "category_ids", "value": ["5"]},
                {"attribute_code": "colour", "value": "text-5"},
            ],
        }
    ]
