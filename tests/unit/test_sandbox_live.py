"""A living sandbox: orders are placed, paid, shipped, changed; the journal holds every write, late ones are seen late."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sandbox_client import SandboxClient

from cdi_cli.clock import Instant
from cdi_cli.sandbox import SandboxOptions, SandboxThread
from cdi_cli.sandbox.clock import SandboxClock
from cdi_cli.sandbox.commercetools.mutate import MutationError
from cdi_cli.sandbox.commercetools.shop import Shop
from cdi_cli.sandbox.live import live

Document = dict[str, Any]


@pytest.fixture
def sandbox() -> Iterator[SandboxThread]:
    """A small sandbox."""
    with SandboxThread(SandboxOptions(orders=30, seed=3, now=Instant("2026-11-01T00:00:00.000Z"))) as sandbox:
        yield sandbox


def do(sandbox: SandboxThread, what: str, **more: Any) -> Document:
    """One change; the first record that it gives."""
    return live(sandbox.sandbox.seeder, {"do": what, **more})[0]


def open_order(sandbox: SandboxThread) -> Document:
    """A new order that is not cancelled, has a payment and a line without a discount."""
    while True:
        order = do(sandbox, "place")
        has_plain_line = any(not line["discountedPricePerQuantity"] for line in order["lineItems"])
        if order["orderState"] == "Open" and "paymentInfo" in order and has_plain_line:
            return order


def test_an_order_is_placed_now(sandbox: SandboxThread) -> None:
    """A new order is stamped by the sandbox's clock and brings its payment and its cart."""
    before = {kind: sandbox.shop.count(kind) for kind in ("orders", "payments", "carts")}
    sandbox.clock.advance(86_400)

    order = open_order(sandbox)

    assert order["createdAt"][:16] == sandbox.clock.instant()[:16]
    assert sandbox.shop.get("payments", order["paymentInfo"]["payments"][0]["id"]) is not None
    assert sandbox.shop.get("carts", order["cart"]["id"]) is not None
    assert all(sandbox.shop.count(kind) > number for kind, number in before.items())


def test_an_import_has_one_timestamp(sandbox: SandboxThread) -> None:
    """Imported orders share their creation time; their business time lies before it."""
    orders = live(sandbox.sandbox.seeder, {"do": "import", "count": 12})

    assert len({order["id"] for order in orders}) == 12
    assert len({order["createdAt"] for order in orders}) == 1
    assert all(order["completedAt"] < order["createdAt"] for order in orders)


def test_an_order_is_paid_and_shipped_in_parts(sandbox: SandboxThread) -> None:
    """The charge succeeds; each delivery takes lines that were not delivered before, until none is left."""
    order = open_order(sandbox)
    paid = do(sandbox, "pay", order=order["id"])
    payment = sandbox.shop.document("payments", order["paymentInfo"]["payments"][0]["id"])
    first = do(sandbox, "ship", order=order["id"], lines=1)
    last = do(sandbox, "ship", order=order["id"])
    again = do(sandbox, "ship", order=order["id"])

    assert (paid["paymentState"], paid["version"]) == ("Paid", order["version"] + 1)
    assert [one["state"] for one in payment["transactions"] if one["type"] == "Charge"] == ["Success"]
    assert first["shipmentState"] == ("Partial" if len(order["lineItems"]) > 1 else "Shipped")
    assert last["shipmentState"] == "Shipped"
    assert again["version"] == last["version"]


def test_a_quantity_moves_the_totals(sandbox: SandboxThread) -> None:
    """Line, order and tax totals move by the same amount, so that tax stays what it was."""
    order = open_order(sandbox)
    quantity = order["lineItems"][0]["quantity"] + 2

    changed = do(sandbox, "quantity", order=order["id"], quantity=quantity)

    moved = changed["totalPrice"]["centAmount"] - order["totalPrice"]["centAmount"]
    assert moved > 0
    if "taxedPrice" in order:
        taxed = [one["taxedPrice"] for one in (order, changed)]
        assert taxed[1]["totalGross"]["centAmount"] - taxed[0]["totalGross"]["centAmount"] == moved
        assert taxed[1]["totalNet"]["centAmount"] - taxed[0]["totalNet"]["centAmount"] == moved
    with pytest.raises(MutationError, match="at least one unit"):
        do(sandbox, "quantity", order=order["id"], quantity=0)


def test_a_poisoned_order_can_be_mended(sandbox: SandboxThread) -> None:
    """It carries a text where a number must be, until it is stored anew."""
    order = do(sandbox, "place", poisoned=True)
    mended = do(sandbox, "mend", order=order["id"])

    assert order["totalPrice"]["centAmount"] == "12.34"
    assert isinstance(mended["totalPrice"]["centAmount"], int)
    gross = mended.get("taxedPrice", mended)
    assert gross.get("totalGross", gross.get("totalPrice"))["centAmount"] == mended["totalPrice"]["centAmount"]


def test_small_changes_change_only_what_they_say(sandbox: SandboxThread) -> None:
    """An address, a return, the shipment state, and fields of a customer."""
    order = open_order(sandbox)
    customer = do(sandbox, "register")

    assert do(sandbox, "address", order=order["id"], city="Ulm")["shippingAddress"]["city"] == "Ulm"
    assert do(sandbox, "shipped", order=order["id"])["shipmentState"] == "Shipped"
    assert len(do(sandbox, "return", order=order["id"])["returnInfo"]) == 1
    edited = do(sandbox, "profile", customer=customer["id"], changes={"firstName": "Ada"}, custom={"loyaltyTier": "gold"})
    assert (edited["firstName"], edited["custom"]["fields"]["loyaltyTier"]) == ("Ada", "gold")
    cleared = do(sandbox, "profile", customer=customer["id"], custom={"loyaltyTier": None})
    assert "loyaltyTier" not in cleared["custom"]["fields"]


def test_two_late_writes_of_one_record_build_on_each_other(sandbox: SandboxThread) -> None:
    """A change is made of the newest state, also where that is not visible yet."""
    order = open_order(sandbox)
    sandbox.shop.lag_seconds = 100
    do(sandbox, "ship", order=order["id"], lines=1)
    sandbox.shop.lag_seconds = 10
    do(sandbox, "return", order=order["id"])

    seen = []
    for _ in range(3):
        visible = sandbox.shop.document("orders", order["id"])
        seen.append((visible["version"] - order["version"], len(visible["returnInfo"])))
        sandbox.clock.advance(60)
    assert seen == [(0, 0), (2, 1), (2, 1)]


def test_the_journal_holds_every_write(sandbox: SandboxThread) -> None:
    """Over the admin API, too: changes by name, and what they wrote, deletions included."""
    with SandboxClient(sandbox.url) as client:
        placed = client.admin("POST", "commercetools/mutate", {"do": "place", "count": 2})
        client.admin("POST", "commercetools/mutate", [{"do": "delete", "kind": "orders", "id": placed.json()[0]["id"]}])
        refused = client.admin("POST", "commercetools/mutate", {"do": "pay", "order": "nobody"})
        lines = client.admin("GET", "commercetools/journal?offset=0&limit=100")

    entries = [line for line in lines.body.decode().splitlines() if '"kind":"orders"' in line]
    assert refused.status == 400
    assert len(entries) == 3
    assert '"record":null' in entries[-1]
    assert placed.json()[0]["id"] in entries[-1]


def test_a_change_builds_on_the_newest_state_whether_held_or_not() -> None:
    """A write that is still held never hides a newer one that is visible already: no change is lost."""
    shop = Shop(clock=SandboxClock(), project={})
    order = shop.add("orders", {"orderState": "Open"})
    shop.update("orders", order["id"], {"a": 1}, hold=True)
    shop.update("orders", order["id"], {"b": 2})
    shop.update("orders", order["id"], {"orderState": "Cancelled"})
    shop.release()

    last = shop.document("orders", order["id"])

    assert (last["version"], last["orderState"], last["a"], last["b"]) == (4, "Cancelled", 1, 2)
