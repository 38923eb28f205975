"""The picture that the shop's own raw records give (commercetools' documents), and what each destination can hold of it.

What a destination cannot hold by its own rules:

Segment     nothing is left out; it keeps no catalogue
mParticle   a consent that was given or refused once cannot be un-said; it keeps no catalogue
Insider     the same of consents; a guest's orders are those of the customer with the same e-mail address; events older than
            it keeps them (a purchase 730 days, a sign-up 365, all else 90) by the time they were sent, less an hour of
            safety; what a guest without an e-mail address did; of the catalogue, variants without an image
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from life.facts import (
    amount,
    deliveries_of,
    has_begun_checkout,
    is_shipped_as_a_whole,
    number_of,
    payment_ids,
    refunds_of,
    total_of,
)

from proof.picture import Fact, Key, Money, Picture

Document = dict[str, Any]
Documents = Mapping[str, list[Document]]
READ = ("customers", "carts", "orders", "payments", "product-projections", "inventory", "standalone-prices")
FIELDS = {"Advertising": "marketingConsent", "Analytics": "analyticsConsent"}
LOCALES = {"en_US": "en", "de_DE": "de"}
RETENTION_DAYS = {"purchase": 730, "signed up": 365}
RETENTION_DAYS_OTHER = 90
SAFETY = timedelta(hours=1)
WITHHELD = "facts and profiles of people who did not consent to what it asks for"
UNSAID = "consents that the shop holds no longer (kept as they were said last)"


@dataclass
class Truth:
    """The whole picture; beside it, for every fact, its time, its record's id, and which consents the record holds.

    `nameless`: facts that name nobody; `guests`: the e-mail addresses of those that name a guest. `agreed`: which categories
    a customer grants; `said`: what each customer ever said of a consent, last. `withheld`: how much may not be said, for
    lack of a consent.
    """

    picture: Picture = field(default_factory=Picture)
    at: dict[Key, str] = field(default_factory=dict)
    record: dict[Key, str] = field(default_factory=dict)
    nameless: set[Key] = field(default_factory=set)
    guests: dict[Key, str] = field(default_factory=dict)
    granted: dict[Key, frozenset[str]] = field(default_factory=dict)
    agreed: dict[str, frozenset[str]] = field(default_factory=dict)
    said: dict[tuple[str, str], bool] = field(default_factory=dict)
    withheld: int = 0

    def note(self, kind: str, name: str, at: str, record: Document, money: Money | None, *, is_dated: bool = True) -> None:
        """Take in a fact of an order, cart or customer."""
        owner = record["id"] if kind == "signed up" else record.get("customerId")
        email = record.get("customerEmail") or record.get("email")
        key = (kind, name)
        self.picture.note(key, Fact(at[:10] if is_dated else "", money, owner))
        self.at[key] = at
        self.record[key] = record["id"]
        self.granted[key] = granted(record)
        if owner is None and email:
            self.guests[key] = email.strip().lower()
        elif owner is None:
            self.nameless.add(key)


def granted(record: Document) -> frozenset[str]:
    """The categories that a record says yes to."""
    fields = record.get("custom", {}).get("fields", {})
    return frozenset(category for category, name in FIELDS.items() if fields.get(name) is True)


def truth_of(documents: Documents, before: Truth | None = None) -> Truth:
    """What the records say; `before`: what they said when the destinations were last told."""
    truth = Truth()
    for customer in documents["customers"]:
        _customer(truth, customer)
    for cart in documents["carts"]:
        if has_begun_checkout(cart):
            truth.note("checkout", cart["id"], cart["createdAt"], cart, None)
    payments = {payment["id"]: payment for payment in documents["payments"]}
    for order in documents["orders"]:
        _order(truth, order, payments)
    _products(truth.picture, documents)
    truth.said = {**(before.said if before else {}), **truth.picture.consents}
    return truth


def _customer(truth: Truth, customer: Document) -> None:
    customer_id = customer["id"]
    truth.note("signed up", customer_id, customer["createdAt"], customer, None)
    addresses = {one["id"]: one for one in customer["addresses"]}
    named = [customer.get("defaultBillingAddressId"), customer.get("defaultShippingAddressId"), *addresses]
    address: Document = next((addresses[one] for one in named if one in addresses), {})
    email = customer["email"].strip().lower()
    texts = [customer.get("firstName"), customer.get("lastName"), *(address.get(one) for one in ("city", "country"))]
    truth.picture.profiles[customer_id] = (email, *(text or None for text in texts))
    truth.agreed[customer_id] = granted(customer)
    fields = customer.get("custom", {}).get("fields", {})
    for category, name in FIELDS.items():
        if isinstance(fields.get(name), bool):
            truth.picture.consents[customer_id, category] = fields[name]


def _order(truth: Truth, order: Document, payments: Mapping[str, Document]) -> None:
    number, changed_at = number_of(order), order["lastModifiedAt"]
    truth.note("purchase", number, order.get("completedAt") or order["createdAt"], order, total_of(order))
    truth.picture.goods[number] = _goods(order)
    if order["orderState"] == "Cancelled":
        truth.note("cancelled", number, changed_at, order, None, is_dated=False)
    for delivery, at in deliveries_of(order).items():
        truth.note("shipped", f"{number} {delivery}", at, order, None)
    if is_shipped_as_a_whole(order):
        truth.note("shipped", f"{number} ", changed_at, order, None, is_dated=False)
    for payment_id in payment_ids(order):
        for refund in refunds_of(payments[payment_id]).values() if payment_id in payments else ():
            money = (refund["amount"]["currencyCode"], amount(refund["amount"]))
            truth.note("refund", refund["id"], refund["timestamp"], order, money)


def _goods(order: Document) -> Money:
    """What the lines come to: the total without what shipping costs, before or after tax as the shop prices them."""
    infos = [order.get("shippingInfo"), *(one.get("shippingInfo") for one in order.get("shipping", []))]
    prices = [info.get("discountedPrice", {}).get("value") or info["price"] for info in infos if info]
    total = order["totalPrice"]
    return total["currencyCode"], amount(total) - sum((amount(price) for price in prices), Decimal(0))


def _products(picture: Picture, documents: Documents) -> None:
    stock = {entry["sku"]: entry["availableQuantity"] for entry in documents["inventory"] if "supplyChannel" not in entry}
    standalone: dict[str, list[Document]] = {}
    for price in documents["standalone-prices"]:
        if price.get("active", True):
            standalone.setdefault(price["sku"], []).append(price)
    for product in documents["product-projections"]:
        for variant in (product["masterVariant"], *product["variants"]):
            if not variant["images"]:
                continue
            prices = standalone.get(variant["sku"], []) if product["priceMode"] == "Standalone" else variant["prices"]
            by_currency = _prices(prices)
            for locale, language in LOCALES.items():
                name = product["name"].get(language) or product["name"]["en"]
                held = stock.get(variant["sku"])
                is_sold = None if held is None else int(held > 0)
                picture.products[variant["sku"], locale] = (name, by_currency, is_sold)


def _prices(prices: list[Document]) -> dict[str, Decimal]:
    """Currency -> price for everybody everywhere."""
    general = [one for one in prices if not {"country", "customerGroup", "channel", "validFrom", "validUntil"} & one.keys()]
    return {one["value"]["currencyCode"]: amount((one.get("discounted") or one)["value"]) for one in general}


Keeps = Callable[[Truth, datetime, datetime], "Holding"]


@dataclass(frozen=True)
class Holding:
    """What a destination must hold; `either`: what may have become too old while it was being sent; why the rest is not."""

    picture: Picture
    either: frozenset[Key] = frozenset()
    left_out: Mapping[str, int] = field(default_factory=dict)


def at_segment(truth: Truth, _began: datetime, _ended: datetime) -> Holding:
    """Everything but the catalogue, and no lines."""
    return Holding(replace(truth.picture, products={}), left_out=_no_catalogue(truth))


def at_mparticle(truth: Truth, _began: datetime, _ended: datetime) -> Holding:
    """The same, and consents as they were said last."""
    left_out = _no_catalogue(truth) | {UNSAID: len(truth.said) - len(truth.picture.consents)}
    return Holding(replace(truth.picture, products={}, consents=dict(truth.said)), left_out=left_out)


def at_insider(truth: Truth, began: datetime, ended: datetime) -> Holding:
    """What is young enough and names somebody, judged between the first and the last send."""
    limits = {
        key: datetime.fromisoformat(at) + timedelta(days=RETENTION_DAYS.get(key[0], RETENTION_DAYS_OTHER)) - SAFETY
        for key, at in truth.at.items()
    }
    young = {key for key, until in limits.items() if until > ended} - truth.nameless
    between = {key for key, until in limits.items() if began <= until <= ended} - truth.nameless
    kept = young | between
    by_email = {profile[0]: customer for customer, profile in truth.picture.profiles.items()}
    picture = replace(
        truth.picture,
        facts={
            key: replace(fact, owner=by_email.get(truth.guests[key])) if key in truth.guests else fact
            for key, fact in truth.picture.facts.items()
            if key in kept
        },
        goods={name: money for name, money in truth.picture.goods.items() if ("purchase", name) in kept},
        consents=dict(truth.said),
    )
    unsaid = len(truth.said) - len(truth.picture.consents)
    old = [key[0] for key in limits if key not in kept and key not in truth.nameless]
    left_out = {f"{kind} too old": old.count(kind) for kind in dict.fromkeys(old)}
    left_out |= {"of nobody that can be named": len(truth.nameless), UNSAID: unsaid, WITHHELD: truth.withheld}
    return Holding(picture, frozenset(between), left_out)


def _no_catalogue(truth: Truth) -> dict[str, int]:
    return {"product records (no catalogue there)": len(truth.picture.products), WITHHELD: truth.withheld}


KEEPS: dict[str, Keeps] = {"segment": at_segment, "mparticle": at_mparticle, "insider": at_insider}


def with_consent(truth: Truth, categories: frozenset[str]) -> Truth:
    """The part of the truth about people who agreed to all of these; products are about nobody."""
    facts = {key: fact for key, fact in truth.picture.facts.items() if categories <= truth.granted[key]}
    known = {customer for customer, given in truth.agreed.items() if categories <= given}
    picture = replace(
        truth.picture,
        facts=facts,
        goods={name: money for name, money in truth.picture.goods.items() if ("purchase", name) in facts},
        profiles={customer: one for customer, one in truth.picture.profiles.items() if customer in known},
        consents={key: yes for key, yes in truth.picture.consents.items() if key[0] in known},
    )
    return replace(
        truth,
        picture=picture,
        at={key: at for key, at in truth.at.items() if key in facts},
        nameless={key for key in truth.nameless if key in facts},
        said=dict(picture.consents),
        withheld=len(truth.picture.facts) - len(facts) + len(truth.picture.profiles) - len(picture.profiles),
    )
