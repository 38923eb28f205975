"""The pictures that strangers get: one who reads Segment's messages, one mParticle's batches, one Insider's profiles.

Each knows its product's own language and the names of events that the account uses, nothing of the shop. Of an order that
was said anew, the last word counts. `held` are the sandbox's own lists of what took effect.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from proof.picture import Fact, Money, Picture

Document = dict[str, Any]
PURPOSES = {"advertising": "Advertising", "analytics": "Analytics"}
OPT_INS = {"email_optin": "Advertising", "whatsapp_optin": "Analytics"}
KIND = {
    "Order Completed": "purchase",
    "Order Refunded": "refund",
    "Order Cancelled": "cancelled",
    "Order Fulfilled": "shipped",
    "Signed Up": "signed up",
    "Checkout Started": "checkout",
}
UNDATED = frozenset({"cancelled"})
"""What the shop keeps no time of; so of shipments without a number."""
OF_INSIDER = {
    "purchase": "Order Completed",
    "order_refunded": "Order Refunded",
    "order_cancelled": "Order Cancelled",
    "order_fulfilled": "Order Fulfilled",
    "sign_up_confirmation": "Signed Up",
    "checkout_page_view": "Checkout Started",
    "order_updated": "Order Updated",
}
CENT = {"JPY": Decimal(1), "KWD": Decimal("0.001")}


def decimal(value: Any) -> Decimal:
    """A JSON number by the digits that it is written with."""
    return Decimal(str(value))


def take(picture: Picture, event: str, at: str, owner: str | None, said: Document) -> None:
    """Take in an event of the shop's plan that says `said`."""
    if event == "Order Updated":
        picture.worth[said["order_id"]] = (said["currency"], decimal(said["total"]))
        return
    kind = KIND[event]
    money: Money | None = None
    if kind in ("purchase", "refund"):
        money = (said["currency"], decimal(said["total"]))
    name = {
        "refund": said.get("refund_id"),
        "shipped": f"{said.get('order_id')} {said.get('shipment_id') or ''}",
        "signed up": owner,
        "checkout": said.get("checkout_id"),
    }.get(kind, said.get("order_id"))
    is_dated = kind not in UNDATED and not (kind == "shipped" and not said.get("shipment_id"))
    picture.note((kind, str(name)), Fact(at[:10] if is_dated else "", money, owner))


def of_segment(held: Iterable[Document]) -> Picture:
    """What Segment's messages say."""
    picture, ids = Picture(), set()
    for message in held:
        if message["messageId"] in ids:
            picture.doubled.append(message["messageId"])
        ids.add(message["messageId"])
        owner = message.get("userId")
        if message["type"] == "track":
            take(picture, message["event"], message["originalTimestamp"], owner, message["properties"])
        elif message["type"] == "identify":
            traits = message["traits"]
            address = traits.get("address", {})
            names = (traits.get("firstName"), traits.get("lastName"), address.get("city"), address.get("country"))
            picture.profiles[str(owner)] = (traits["email"].strip().lower(), *names)
            consent = message["context"].get("consent", {})
            for category, is_given in consent.get("categoryPreferences", {}).items():
                picture.consents.pop((str(owner), category), None)
                if is_given or category in consent.get("denied", ()):
                    picture.consents[str(owner), category] = is_given
    return picture


def of_mparticle(held: Iterable[Document]) -> Picture:
    """What mParticle's batches say: profiles by customer id, last word first."""
    picture, ids = Picture(), set()
    profiles: dict[str, Document] = {}
    for batch in held:
        if batch["source_request_id"] in ids:
            picture.doubled.append(batch["source_request_id"])
        ids.add(batch["source_request_id"])
        owner = batch["user_identities"].get("customer_id")
        if "events" not in batch and owner is not None:
            profiles.setdefault(owner, {}).update(batch.get("user_attributes", {}), email=batch["user_identities"]["email"])
            for purpose, said in batch.get("consent_state", {}).get("gdpr", {}).items():
                picture.consents[owner, PURPOSES[purpose]] = said["consented"]
        for event in batch.get("events", ()):
            _of_batch(picture, event, owner)
    for owner, known in profiles.items():
        names = ("$firstname", "$lastname", "$city", "$country")
        picture.profiles[owner] = (known["email"], *(known.get(name) for name in names))
    return picture


def _of_batch(picture: Picture, event: Document, owner: str | None) -> None:
    data = event["data"]
    at = datetime.fromtimestamp(data["timestamp_unixtime_ms"] / 1000, UTC).isoformat()
    said = dict(data.get("custom_attributes", {}))
    if event["event_type"] == "custom_event":
        take(picture, data["event_name"], at, owner, said)
        return
    action = data["product_action"]
    said |= {"currency": data.get("currency_code"), "order_id": action.get("transaction_id")}
    said |= {"total": action.get("total_amount")}
    events = {"purchase": "Order Completed", "refund": "Order Refunded", "checkout": "Checkout Started"}
    take(picture, events[action["action"]], at, owner, said)


def of_insider(profiles: Iterable[Any], catalogue: Iterable[Document]) -> Picture:
    """What Insider's profiles and its catalogue say: an order is the lines that share a group, each at its place."""
    picture = Picture()
    orders: dict[str, list[Document]] = {}
    owners: dict[str, str | None] = {}
    for profile in profiles:
        owner = profile.identifiers.get("uuid")
        if owner is not None and profile.attributes:
            known = profile.attributes
            email = profile.identifiers.get("email")
            picture.profiles[owner] = (email, *(known.get(name) for name in ("name", "surname", "city", "country")))
            for name, category in OPT_INS.items():
                if name in known:
                    picture.consents[owner, category] = known[name]
        for event in profile.events:
            params = event["event_params"]
            if event["event_name"] == "purchase":
                orders.setdefault(params["event_group_id"], []).append(event)
                owners[params["event_group_id"]] = owner
            else:
                said = {name.removeprefix("c_"): value for name, value in params.items()}
                take(picture, OF_INSIDER[event["event_name"]], event["timestamp"], owner, said)
    for number, lines in orders.items():
        _of_lines(picture, number, lines, owners[number])
    for record in catalogue:
        prices = {currency: decimal(price) for currency, price in record.get("price", {}).items()}
        place = (record["item_id"], record["locale"])
        if not record.get("is_status_passive"):
            picture.products[place] = (record["name"], prices, record.get("in_stock"))
    return picture


def _of_lines(picture: Picture, number: str, lines: list[Document], owner: str | None) -> None:
    """An order: every place once, the total on the first line."""
    places = [line["event_params"]["c_position"] for line in lines]
    picture.doubled += [f"purchase {number}, line {place}" for place in set(places) if places.count(place) > 1]
    picture.doubled += [f"purchase {number}: lines {sorted(places)}"] * (
        sorted(set(places)) != list(range(1, max(places) + 1))
    )
    params = [line["event_params"] for line in lines]
    first = next(each for each in params if each["c_position"] == 1)
    currency = first["currency"]
    at = lines[0]["timestamp"][:10]
    picture.note(("purchase", number), Fact(at, (currency, decimal(first["c_total"])), owner))
    whole = sum((decimal(each["unit_sale_price"]) * each["quantity"] for each in params), Decimal(0))
    picture.goods[number] = (currency, whole.quantize(CENT.get(currency, Decimal("0.01"))))
