"""Customers: names in many scripts, addresses, consents (given, refused, absent), loyalty tiers, anonymised ones."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Any

import msgspec

from cdi_cli.sandbox.commercetools.records import Document, reference
from cdi_cli.sandbox.seed.catalogue import Catalogue
from cdi_cli.sandbox.seed.dice import DAY_MS, Dice, instant
from cdi_cli.sandbox.seed.money import MARKETS, Market
from cdi_cli.sandbox.seed.words import CITIES, NAMES, STREETS

TIERS = ("bronze", "silver", "gold", "platinum")
TYPE_ID = "5d3c0a94-3f0e-4b5e-9d7c-0c9b7d1e2f3a"
"""The custom type that `custom.type` of customers and orders points to."""


@dataclass(frozen=True, slots=True)
class Person:
    """What orders and carts need to know about a customer."""

    id: str
    created_ms: int
    market: Market
    email: str
    address: msgspec.Raw
    custom: dict[str, Any]
    group_id: str | None


def email_of(dice: Dice, first: str, last: str, number: int) -> str:
    """An address that only ever leads to example.com."""
    folded = unicodedata.normalize("NFKD", f"{first}.{last}".lower()).encode("ascii", "ignore").decode()
    local = "".join(letter for letter in folded if letter.isalnum() or letter == ".").strip(".") or "kunde"
    return f"{local}{number}@{dice.pick(('example.com', 'mail.example.com', 'Example.COM'))}"


def address_of(dice: Dice, market: Market, first: str, last: str, email: str) -> dict[str, Any]:
    """A postal address in the market's country."""
    city, postal_code, state = dice.pick(CITIES[market.country])
    address: dict[str, Any] = {
        "id": dice.uuid()[:8],
        "firstName": first,
        "lastName": last,
        "streetName": dice.pick(STREETS),
        "streetNumber": str(dice.between(1, 240)),
        "postalCode": postal_code,
        "city": city,
        "country": market.country,
        "email": email,
    }
    if state:
        address["state"] = state
    if dice.chance(0.6):
        address[dice.pick(("phone", "mobile"))] = f"+{dice.between(1, 99)}{dice.between(10**8, 10**9 - 1)}"
    if dice.chance(0.05):
        address["company"] = f"{last} & Söhne GmbH"
    return address


def custom_of(dice: Dice) -> dict[str, Any]:
    """`custom` with loyalty tier and consents; each may be absent, and so may the whole object."""
    fields: dict[str, Any] = {}
    if dice.chance(0.8):
        fields["loyaltyTier"] = dice.pick(TIERS)
    if dice.chance(0.85):
        fields["marketingConsent"] = dice.chance(0.6)
    if dice.chance(0.9):
        fields["analyticsConsent"] = dice.chance(0.8)
    return {"type": reference("type", TYPE_ID), "fields": fields} if dice.chance(0.95) else {}


def build_customer(dice: Dice, catalogue: Catalogue, number: int, created_ms: int, now_ms: int) -> tuple[Person, Document]:
    """A customer who registered at `created_ms`."""
    market = dice.weighted(MARKETS)
    first_names, last_names = NAMES[dice.pick(("en", "de")) if dice.chance(0.1) else market.language]
    first, last = dice.pick(first_names), dice.pick(last_names)
    email = email_of(dice, first, last, number)
    address = address_of(dice, market, first, last, email)
    custom = custom_of(dice)
    group_id = dice.pick(list(catalogue.groups.values())) if dice.chance(0.15) else None
    changed_ms = created_ms if dice.chance(0.4) else min(now_ms, created_ms + dice.below(400 * DAY_MS))
    document: Document = {
        "id": dice.uuid(),
        "version": 1 if changed_ms == created_ms else dice.between(2, 40),
        "createdAt": instant(created_ms),
        "lastModifiedAt": instant(changed_ms),
        "customerNumber": f"C-{100_000 + number}",
        "email": email,
        "firstName": first,
        "lastName": last,
        "password": "****aGg=",
        "addresses": [address],
        "defaultShippingAddressId": address["id"],
        "shippingAddressIds": [address["id"]],
        "billingAddressIds": [],
        "isEmailVerified": dice.chance(0.7),
        "locale": market.locale,
        "stores": [{"typeId": "store", "key": market.store}] if dice.chance(0.3) else [],
        "authenticationMode": "Password",
        "customerGroupAssignments": [],
    }
    if dice.chance(0.3):
        document["externalId"] = f"crm-{dice.between(10**6, 10**7)}"
    if dice.chance(0.2):
        document["dateOfBirth"] = f"{dice.between(1945, 2006)}-{dice.between(1, 12):02d}-{dice.between(1, 28):02d}"
    if dice.chance(0.5):
        document |= {"defaultBillingAddressId": address["id"], "billingAddressIds": [address["id"]]}
    if group_id:
        document["customerGroup"] = reference("customer-group", group_id)
    if custom:
        document["custom"] = custom
    raw = msgspec.Raw(msgspec.json.encode(address))
    return Person(str(document["id"]), created_ms, market, email, raw, custom, group_id), document


_PERSONAL = ("firstName", "lastName", "dateOfBirth", "externalId", "custom", "defaultShippingAddressId",
             "defaultBillingAddressId")  # fmt: skip


def anonymise(document: Document) -> None:
    """Strip a customer of personal data the way shops do on request: the account stays, the person is gone."""
    for name in _PERSONAL:
        document.pop(name, None)
    document |= {
        "email": f"anonymised-{document['id']}@invalid.example",
        "addresses": [],
        "shippingAddressIds": [],
        "billingAddressIds": [],
        "isEmailVerified": False,
    }
