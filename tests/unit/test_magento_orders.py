"""Every recorded order of a real shop becomes an order whose amounts reconcile to the cent; and what was not recorded."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from magento_stub import sample

from cdi_cli import sources
from cdi_cli.commerce import Order
from cdi_cli.sources import Joined, Nothing, Reading, SourceContext, Unreadable
from cdi_cli.sources.magento import MagentoSettings

ORDERS = (
    "order_config_bundle",
    "order_eur",
    "order_guest",
    "order_guest_virtual",
    "order_refunded_partial",
    "order_canceled",
)
SHOP = {
    "/store/storeViews": "store_views",
    "/store/websites": "websites",
    "/store/storeConfigs": "store_configs",
    "/creditmemos": "creditmemos",
    "/shipments": "shipments",
    "/customerGroups/search": "customer_groups",
}


async def read(
    *records: Mapping[str, Any], stream: str = "orders", answers: Mapping[str, Any] | None = None, **settings: Any
) -> list[list[Reading]]:
    """What becomes of records, with the look-ups answered by the recorded shop."""
    spec = sources.load("magento")
    recorded = {path: sample(name) for path, name in SHOP.items()} | dict(answers or {})
    chosen = {"base_url": "https://shop.example", "access_token": "${TOKEN}", **settings}
    assert spec.open_offline is not None
    source = spec.open_offline(MagentoSettings.model_validate(chosen), SourceContext(), recorded)
    return await source.read(stream, [json.dumps(record).encode() for record in records])


async def read_order(record: Mapping[str, Any], answers: Mapping[str, Any] | None = None, **settings: Any) -> Order:
    """The order that a record becomes."""
    ((order,),) = await read(record, answers=answers, **settings)
    assert isinstance(order, Order)
    return order


def amount(money: Any) -> Decimal:
    """An amount, 0 for none."""
    return Decimal(0) if money is None else money.decimal()


@pytest.mark.parametrize("bundles", ["parent", "children"])
@pytest.mark.parametrize("name", ORDERS)
async def test_every_recorded_order_reconciles_to_the_cent(name: str, bundles: str) -> None:
    """Products less discount, with shipping and tax, are the grand total; so are revenue, shipping and tax."""
    record = sample(name)
    order = await read_order(record, bundles=bundles)

    products = sum((line.price.decimal() * line.quantity for line in order.lines), Decimal(0))
    total = Decimal(str(record["grand_total"]))
    assert products - amount(order.discount) + amount(order.shipping) + amount(order.tax) == total
    assert products == Decimal(str(record["subtotal"]))
    assert sum((amount(line.discount) for line in order.lines), Decimal(0)) == amount(order.discount)
    assert sum((line.total.decimal() for line in order.lines), Decimal(0)) == amount(order.revenue)
    assert amount(order.revenue) + amount(order.shipping) + amount(order.tax) == amount(order.total) == total
    assert {order.currency, order.total.currency, *(line.price.currency for line in order.lines)} == {
        record["order_currency_code"]
    }


async def test_configurable_and_bundle_lines_count_once() -> None:
    """A configurable is one line with the parent's money and the child's variant; a bundle has its children's discounts."""
    order = await read_order(sample("order_config_bundle"))

    shown = [(line.sku, line.quantity, str(line.price.decimal()), str(amount(line.discount))) for line in order.lines]
    assert shown == [
        ("24-UG06", 1, "7.00", "1.40"),
        ("24-MB01", 2, "29.99", "12.00"),
        ("MT12-M-Blue", 1, "18.00", "3.60"),
        ("24-WG085-bundle", 1, "35.00", "7.00"),
    ]
    assert [(line.product_id, line.variant) for line in order.lines][2] == ("9", "5")
    assert [line.position for line in order.lines] == [1, 2, 3, 4]


async def test_a_bundle_may_be_its_parts() -> None:
    """With `bundles: children` its parts are lines in its place; one with a price of its own stays one line."""
    record = sample("order_config_bundle")
    parts = await read_order(record, bundles="children")
    fixed = copy.deepcopy(record)
    for item in fixed["items"]:
        if item.get("parent_item_id") == 26:
            item["price"] = 0
    whole = await read_order(fixed, bundles="children")

    assert [line.sku for line in parts.lines] == ["24-UG06", "24-MB01", "MT12-M-Blue", "24-UG06", "24 WG/080 ü"]
    assert [line.sku for line in whole.lines][-1] == "24-WG085-bundle"


async def test_a_child_that_repeats_its_parents_price_is_dropped_all_the_same() -> None:
    """Older versions price the child of a configurable like its parent."""
    record = sample("order_eur")
    record["items"][2]["price"] = record["items"][1]["price"]
    assert [line.id for line in (await read_order(record)).lines] == ["33", "34"]


async def test_amounts_are_those_of_the_orders_currency() -> None:
    """100.23 EUR, not the base amount of 111.37 USD."""
    order = await read_order(sample("order_eur"))
    assert (order.total.number(), order.currency) == (100.23, "EUR")
    assert (order.store, order.channel, order.locale, order.country) == ("eu_de", "eu", "en-US", "DE")


async def test_guests_and_virtual_orders() -> None:
    """A guest has an e-mail and no id; a virtual order no shipping address, but a country."""
    guest, virtual = await read_order(sample("order_guest")), await read_order(sample("order_guest_virtual"))
    assert (guest.customer_id, guest.email, guest.customer_group) == (None, "guest1@example.com", None)
    assert virtual.shipping_address is None
    assert (virtual.country, virtual.shipping and virtual.shipping.number()) == ("US", 0.0)


async def test_an_order_whose_customer_was_deleted_is_a_guests() -> None:
    """The customer's id is gone while `customer_is_guest` stays 0."""
    record = sample("order_config_bundle")
    del record["customer_id"]
    assert (await read_order(record)).customer_id is None


async def test_a_partial_refund_has_its_adjustment_and_its_lines() -> None:
    """The memo's grand total counts, 2.50 of adjustment included; the order stays `processing`."""
    order = await read_order(sample("order_refunded_partial"))
    (refund,) = order.refunds
    assert (refund.id, refund.amount.number(), refund.at, refund.is_full) == ("2", 21.99, "2026-11-22T07:20:13.000Z", False)
    assert [(line.sku, line.quantity, line.total.number()) for line in refund.lines] == [("MT12-L-Blue", 1, 18.0)]
    assert (order.state, order.is_paid) == ("processing", True)


async def test_the_refund_that_reaches_the_total_is_full() -> None:
    """Memos add up in the order of their time; open and cancelled ones, and those of nothing, moved no money."""
    memo = sample("creditmemos")["items"][1]
    memos = [
        memo | {"entity_id": 9, "grand_total": 64.04, "created_at": "2026-11-23 00:00:00"},
        memo,
        memo | {"entity_id": 10, "state": 1},
        memo | {"entity_id": 11, "state": 3},
        memo | {"entity_id": 12, "grand_total": 0},
    ]
    order = await read_order(sample("order_refunded_partial"), {"/creditmemos": {"items": memos}})
    assert [(refund.id, refund.is_full) for refund in order.refunds] == [("2", False), ("9", True)]


async def test_shipments_come_with_their_tracks_and_lines() -> None:
    """One per shipment, at its own time."""
    order = await read_order(sample("order_eur"))
    (shipment,) = order.shipments
    assert (shipment.id, shipment.at) == ("4", "2026-11-22T07:20:11.000Z")
    assert (shipment.carrier, shipment.tracking_number) == ("UPS", "1Z999")
    assert [(line.sku, line.quantity) for line in shipment.lines] == [("24-MB01", 2), ("MT12-L-Orange", 2)]
    assert order.is_fulfilled


async def test_shipments_can_be_left_out() -> None:
    """Without the permission for shipments the look-up is switched off."""
    order = await read_order(sample("order_eur"), lookups={"shipments": False})
    assert order.shipments == ()


async def test_a_shipped_order_stays_fulfilled_when_it_is_refunded() -> None:
    """`closed` is also the state of an order that never left: the lines tell it."""
    record = sample("order_eur")
    shipped = await read_order(record | {"state": "closed"})
    for item in record["items"]:
        item["qty_shipped"] = 0
    never = await read_order(record | {"state": "closed"})
    assert (shipped.is_fulfilled, never.is_fulfilled) == (True, False)


async def test_the_time_of_a_cancellation_does_not_move() -> None:
    """It is the first time that the history has the status of now; without a history the last change."""
    record = sample("order_canceled")
    entry = {"status": "canceled", "created_at": "2026-11-22 07:20:09"}
    before = {"status": "pending", "created_at": "2026-11-22 07:20:01"}
    later = {"status": "canceled", "created_at": "2026-12-01 00:00:00"}
    told = await read_order(record | {"status_histories": [later, entry, before], "updated_at": "2026-12-02 00:00:00"})
    untold = await read_order(record)
    assert (told.is_cancelled, told.cancelled_at) == (True, "2026-11-22T07:20:09.000Z")
    assert untold.cancelled_at == "2026-11-22T07:20:14.000Z"


@pytest.mark.parametrize("state", ["holded", "pending_payment", "payment_review", "a_new_state", None])
async def test_other_states_are_passed_on(state: str | None) -> None:
    """A state that means nothing here is no error; without one the status stands in."""
    order = await read_order(sample("order_guest") | {"state": state})
    assert (order.state, order.is_cancelled) == (state or "pending", False)


async def test_an_edited_order_is_the_order_that_it_edits() -> None:
    """The cancelled first order says nothing; the new one has its identity, number and time, and its own content."""
    first = sample("order_canceled")
    replaced = first | {"relation_child_id": "30", "relation_child_real_id": "000000013-1"}
    edit = sample("order_guest") | {
        "entity_id": 30,
        "increment_id": "000000013-1",
        "original_increment_id": "000000013",
        "relation_parent_id": "17",
        "created_at": "2026-11-25 10:00:00",
        "updated_at": "2026-11-25 10:00:01",
    }
    found = await read(replaced, edit, answers={"/orders": {"items": [replaced]}})

    assert found[0] == [Nothing("replaced_by_edit")]
    assert isinstance(found[1], Joined)
    ((order,), (record,)) = found[1], found[1].records
    assert isinstance(order, Order)
    assert (order.id, order.number, order.total.number()) == ("17", "000000013", 57.62)
    assert (order.created_at, order.placed_at) == ("2026-11-22T07:20:00.000Z", "2026-11-22T07:20:00.000Z")
    assert order.updated_at == "2026-11-25T10:00:01.000Z"
    shown = json.loads(record)
    assert (shown["entity_id"], shown["created_at"]) == (17, "2026-11-22 07:20:00")
    assert shown["increment_id"] == "000000013-1"


async def test_an_edit_of_an_order_that_is_gone_is_an_order_of_its_own() -> None:
    """Nor is the same number in another store view its first order."""
    edit = sample("order_guest") | {"increment_id": "000000013-1", "original_increment_id": "000000013"}
    elsewhere = sample("order_canceled") | {"store_id": 2}
    for answers in ({}, {"/orders": {"items": [elsewhere]}}):
        order = await read_order(edit, answers)
        assert (order.id, order.number) == ("13", "000000013-1")


async def test_what_is_sold_by_weight_counts_as_one_unit() -> None:
    """1.5 kg at 14 are one line of 21: nothing downstream knows parts of a unit."""
    record = sample("order_guest")
    record["items"][1] |= {"qty_ordered": 1.5, "is_qty_decimal": 1}
    line = (await read_order(record)).lines[1]
    assert (line.quantity, line.price.number(), line.total.number()) == (1, 21.0, 21.0)


@pytest.mark.parametrize(
    ("currency", "amount", "shown"), [("JPY", 4200, 4200), ("KWD", 1.234, 1.234), ("USD", 29.995, 29.995)]
)
async def test_amounts_have_the_decimals_of_their_currency(currency: str, amount: float, shown: float) -> None:
    """None for yen, three for dinars; more where the shop keeps more."""
    order = await read_order(sample("order_guest") | {"order_currency_code": currency, "grand_total": amount})
    assert order.total.number() == shown


@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        ({"grand_total": "much"}, "Invalid decimal string - at `$.grand_total`"),
        ({"created_at": "last week"}, "Expected a date and time - at `$.created_at`"),
        ({"items": None}, "Expected `array`, got `null` - at `$.items`"),
    ],
)
async def test_a_record_that_contradicts_itself_fails_alone(changes: dict[str, Any], detail: str) -> None:
    """It is told by field and type, never by value; its neighbour is read."""
    broken, good = await read(sample("order_guest") | changes, sample("order_eur"))
    assert broken == [Unreadable("unreadable_record", detail, "13")]
    assert isinstance(good[0], Order)


async def test_a_credit_memo_that_cannot_be_read_spoils_its_own_order_only() -> None:
    """The other orders of the group keep their refunds."""
    memos = sample("creditmemos")["items"]
    memos[1]["grand_total"] = []
    found = await read(sample("order_refunded_partial"), sample("order_guest"), answers={"/creditmemos": {"items": memos}})
    assert isinstance(found[0][0], Unreadable)
    assert isinstance(found[1][0], Order)


async def test_a_refund_is_the_same_whether_read_by_its_order_or_by_its_memo() -> None:
    """Same id, amount, time and fullness; the second memo of an order adds nothing."""
    record, memo = sample("order_refunded_partial"), sample("creditmemos")["items"][1]
    answers = {"/orders": {"items": [record]}}
    by_order = await read_order(record)
    found = await read(memo, memo | {"entity_id": 99}, memo | {"state": 1}, stream="creditmemos", answers=answers)

    assert isinstance(found[0], Joined)
    assert list(found[0]) == [by_order]
    assert [json.loads(origin)["entity_id"] for origin in found[0].records] == [19]
    assert found[1:] == [[Nothing("order_read_with_other_credit_memo")], [Nothing("no_refund")]]


async def test_a_memo_without_its_order_goes_to_the_dead_letters() -> None:
    """It is money that went back and that nobody would be told of."""
    ((reading,),) = await read(sample("creditmemos")["items"][1], stream="creditmemos")
    assert isinstance(reading, Unreadable)
    assert (reading.reason, reading.record_id) == ("refund_without_order", "2")
