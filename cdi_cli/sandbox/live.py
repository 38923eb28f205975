"""What happens in a living shop after it was seeded: orders are placed, paid, shipped, changed and returned, customers edit
their profiles. Each is one or two ordinary writes, stamped now by the shop's clock.

    {"do": "place",     "count": 1, "poisoned": false}     new orders with payment and cart; several share one timestamp
    {"do": "import",    "count": 500}                      orders of long ago (`completedAt`) at one timestamp
    {"do": "register"}                                     a new customer, who may order from now on
    {"do": "pay",       "order": "..."}                    the charge succeeds, the order is Paid
    {"do": "ship",      "order": "...", "lines": 1}        a delivery of so many lines (absent: of all that is left)
    {"do": "shipped",   "order": "..."}                    only the state says so, no delivery is recorded
    {"do": "quantity",  "order": "...", "quantity": 3}     of the first line that has no discount; the totals follow
    {"do": "address",   "order": "...", "city": "..."}     a correction that changes no amount
    {"do": "return",    "order": "..."}                    goods of the first line came back
    {"do": "mend",      "order": "..."}                    a poisoned order is stored anew, this time readable
    {"do": "profile",   "customer": "...", "changes": {...}, "custom": {...}}   fields, and fields below custom.fields
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cdi_cli.clock import to_datetime
from cdi_cli.sandbox.commercetools.mutate import MutationError
from cdi_cli.sandbox.commercetools.records import Document, Record
from cdi_cli.sandbox.commercetools.shop import Shop
from cdi_cli.sandbox.seed.carts import cart_of
from cdi_cli.sandbox.seed.customers import TYPE_ID, build_customer
from cdi_cli.sandbox.seed.shop import Seeder

POISON = "12.34"
"""A text where the API documents a number."""
SHIPPED = frozenset({"Shipped", "Delivered"})


def place(seeder: Seeder, count: int = 1, *, imported: bool = False, poisoned: bool = False) -> list[Document]:
    """Place orders now, all at one timestamp; returns them. Payments and carts become visible before their orders."""
    shop = seeder.shop
    now_ms = round(to_datetime(shop.clock.instant()).timestamp() * 1000)
    seeder.makers.now_ms = seeder.makers.payments.now_ms = now_ms
    orders = [seeder.makers.build(now_ms, imported=imported) for _ in range(count)]
    payments, seeder.makers.payments.documents = seeder.makers.payments.documents, []
    for payment in payments:
        shop.add("payments", payment)
    placed: list[Document] = []
    for order in orders:
        if poisoned:
            order["totalPrice"] = {**order["totalPrice"], "centAmount": POISON}
        # The builder shares parts between documents and keeps some as raw JSON; a stored order is one tree of its own.
        whole = Record(order).document()
        if "cart" in whole and not poisoned:
            shop.add("carts", cart_of(whole))
        placed.append(shop.add("orders", whole))
    return placed


def register(seeder: Seeder) -> Document:
    """A new customer account."""
    shop = seeder.shop
    now_ms = round(to_datetime(shop.clock.instant()).timestamp() * 1000)
    number = len(seeder.people)
    person, document = build_customer(seeder.dice, seeder.baskets.catalogue, number, now_ms, now_ms)
    seeder.people.append(person)
    return shop.add("customers", Record(document).document())


def pay(shop: Shop, order_id: str) -> Document:
    """The first payment's charge succeeds and the order says so; an order without a payment only says so."""
    order = shop.latest("orders", order_id)
    links = order.get("paymentInfo", {}).get("payments", [])
    if links:
        payment = shop.latest("payments", links[0]["id"])
        transactions = [{**one, "state": "Success"} if one["type"] == "Charge" else one for one in payment["transactions"]]
        shop.update("payments", payment["id"], {"transactions": transactions})
    return shop.update("orders", order_id, {"paymentState": "Paid", "orderState": "Confirmed"})


def ship(shop: Shop, order_id: str, lines: int | None = None) -> Document:
    """Record a delivery of lines that were not delivered yet; the shipment state follows."""
    order = shop.latest("orders", order_id)
    infos = [order["shippingInfo"]] if "shippingInfo" in order else [one["shippingInfo"] for one in order["shipping"]]
    sent = {item["id"] for info in infos for delivery in info["deliveries"] for item in delivery["items"]}
    left = [line for line in order["lineItems"] if line["id"] not in sent]
    chosen = left if lines is None else left[:lines]
    if not chosen:
        return order
    at = shop.clock.instant()
    delivery_id = f"delivery-{order_id[:8]}-{len(sent)}"
    items = [{"id": line["id"], "quantity": line["quantity"]} for line in chosen]
    infos[0]["deliveries"] = [
        *infos[0]["deliveries"],
        {"id": delivery_id, "createdAt": at, "items": items, "parcels": []},
    ]
    changes: Document = {"shipmentState": "Shipped" if len(chosen) == len(left) else "Partial"}
    changes |= {name: order[name] for name in ("shippingInfo", "shipping") if name in order}
    return shop.update("orders", order_id, changes)


def change_quantity(shop: Shop, order_id: str, quantity: int) -> Document:
    """Change how many of a line were ordered, at its unit price; the order's totals move by the difference, taxes do not.

    Raises MutationError where every line has a discount.
    """
    order = shop.latest("orders", order_id)
    lines = [line for line in order["lineItems"] if not line["discountedPricePerQuantity"] and line["quantity"] > 0]
    if not lines or quantity < 1:
        msg = "`quantity` needs a line without a discount and at least one unit"
        raise MutationError(msg)
    line = lines[0]
    unit = line["totalPrice"]["centAmount"] // line["quantity"]
    difference = unit * (quantity - line["quantity"])
    line["quantity"] = quantity
    amounts = [line["totalPrice"], order["totalPrice"]]
    amounts += [part[name] for part in _taxed(line, order) for name in ("totalNet", "totalGross")]
    for amount in amounts:
        amount["centAmount"] += difference
    changed: Document = {name: order[name] for name in ("lineItems", "totalPrice", "taxedPrice") if name in order}
    return shop.update("orders", order_id, changed)


def _taxed(*parts: Document) -> list[Document]:
    return [part["taxedPrice"] for part in parts if "taxedPrice" in part]


def take_back(shop: Shop, order_id: str) -> Document:
    """Goods of the first line came back: recorded on the order, no money moves."""
    order = shop.latest("orders", order_id)
    line, at = order["lineItems"][0], shop.clock.instant()
    item = {
        "type": "LineItemReturnItem",
        "id": f"return-{order_id[:8]}-{len(order['returnInfo'])}",
        "lineItemId": line["id"],
        "quantity": 1,
        "shipmentState": "Returned",
        "paymentState": "Initial",
        "createdAt": at,
        "lastModifiedAt": at,
    }
    return shop.update("orders", order_id, {"returnInfo": [*order["returnInfo"], {"items": [item], "returnDate": at}]})


def mend(shop: Shop, order_id: str) -> Document:
    """Store a poisoned order as it should have been; its total is what its taxed price, or its lines, say."""
    order = shop.latest("orders", order_id)
    gross = order.get("taxedPrice", {}).get("totalGross", {}).get("centAmount")
    total = sum(line["totalPrice"]["centAmount"] for line in order["lineItems"]) if gross is None else gross
    return shop.update("orders", order_id, {"totalPrice": {**order["totalPrice"], "centAmount": total}})


def edit_profile(shop: Shop, customer_id: str, changes: Document, custom: Document) -> Document:
    """Change fields of a customer, and fields below `custom.fields`."""
    if custom:
        customer = shop.latest("customers", customer_id)
        own = customer.get("custom") or {"type": {"typeId": "type", "id": TYPE_ID}, "fields": {}}
        fields = {name: value for name, value in {**own["fields"], **custom}.items() if value is not None}
        changes = {**changes, "custom": {**own, "fields": fields}}
    return shop.update("customers", customer_id, changes)


def move(shop: Shop, order_id: str, city: str) -> Document:
    """Correct the city of the shipping address."""
    order = shop.latest("orders", order_id)
    return shop.update("orders", order_id, {"shippingAddress": {**order["shippingAddress"], "city": city}})


_OF_ORDER: dict[str, Callable[[Shop, dict[str, Any]], Document]] = {
    "pay": lambda shop, change: pay(shop, change["order"]),
    "ship": lambda shop, change: ship(shop, change["order"], change.get("lines")),
    "shipped": lambda shop, change: shop.update("orders", change["order"], {"shipmentState": "Shipped"}),
    "quantity": lambda shop, change: change_quantity(shop, change["order"], int(change["quantity"])),
    "address": lambda shop, change: move(shop, change["order"], str(change["city"])),
    "return": lambda shop, change: take_back(shop, change["order"]),
    "mend": lambda shop, change: mend(shop, change["order"]),
    "profile": lambda shop, change: edit_profile(
        shop, change["customer"], change.get("changes", {}), change.get("custom", {})
    ),
}
CHANGES = frozenset({"place", "import", "register", *_OF_ORDER})
"""What `live` can do, by name."""


def live(seeder: Seeder, change: dict[str, Any]) -> list[Document]:
    """Carry out one of `CHANGES`; returns the records as they are now. Raises MutationError for one that cannot be."""
    action = change["do"]
    try:
        if action in ("place", "import"):
            return place(
                seeder, int(change.get("count", 1)), imported=action == "import", poisoned=bool(change.get("poisoned"))
            )
        return [register(seeder)] if action == "register" else [_OF_ORDER[action](seeder.shop, change)]
    except KeyError as error:
        raise MutationError(f"`{action}` needs an existing record and all of its fields: {error} is missing") from error
    except (ValueError, TypeError) as error:
        raise MutationError(f"`{action}` cannot be carried out: {error}") from error
