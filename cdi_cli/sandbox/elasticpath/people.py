"""Customers: one name, an e-mail, flow fields at the top level; `**` where somebody was anonymised. No consent by itself.

A store keeps consent in flow fields (`marketing_consent`); some customers have none. Addresses are records of their own.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

from cdi_cli.sandbox.elasticpath.money import MARKET_OF, MARKETS, Document, Market
from cdi_cli.sandbox.elasticpath.times import DAY_MS, SECOND_MS, text_of
from cdi_cli.sandbox.seed.customers import email_of
from cdi_cli.sandbox.seed.dice import Dice
from cdi_cli.sandbox.seed.words import CITIES, NAMES, STREETS

STARS = "**"
"""What personal data becomes when somebody is anonymised."""
TIERS = ("bronze", "silver", "gold")
_SINGLE_NAME_SHARE = 0.03


def uuid_of(*parts: object) -> str:
    """A UUID of version 4 layout, the same for the same parts."""
    text = hashlib.blake2b(":".join(map(str, parts)).encode(), digest_size=16).hexdigest()
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"


@dataclass(frozen=True, slots=True)
class Address:
    """Where somebody lives."""

    first_name: str
    last_name: str
    line_1: str
    city: str
    postcode: str
    region: str
    country: str
    phone: str = ""
    company: str = ""
    line_2: str = ""

    def document(self, *, is_shipping: bool) -> Document:
        """As an order holds it: empty texts for what is unknown; phone and instructions only where goods go."""
        document: Document = {
            "first_name": self.first_name,
            "last_name": self.last_name,
            "company_name": self.company,
            "line_1": self.line_1,
            "line_2": self.line_2,
            "city": self.city,
            "postcode": self.postcode,
            "county": "" if self.region else self.city,
            "country": self.country,
            "region": self.region,
        }
        return document | ({"phone_number": self.phone, "instructions": ""} if is_shipping else {})


def starred(document: Document) -> Document:
    """An address after its order was anonymised; the country stays."""
    return {name: value if name == "country" else STARS for name, value in document.items()}


@dataclass(frozen=True, slots=True)
class Customer:
    """A registered customer."""

    id: str
    created: int
    updated: int
    name: str
    email: str
    country: str
    external_ref: str = ""
    has_password: bool = True
    flow: dict[str, Any] = field(default_factory=dict)
    address: Address | None = None
    is_anonymised: bool = False

    @property
    def market(self) -> Market:
        """Where they buy."""
        return MARKET_OF[self.country]

    def field(self, name: str) -> Any:
        """`name`, `email` and `external_ref`."""
        found = {"name": self.name, "email": self.email, "external_ref": self.external_ref or None}
        return found.get(name)

    def document(self) -> Document:
        """The customer as `/v2/customers` lists them."""
        document: Document = {
            "type": "customer",
            "id": self.id,
            "name": self.name,
            "email": self.email,
            "password": self.has_password,
            "links": {"self": f"/v2/customers/{self.id}"},
            "meta": {"timestamps": {"created_at": text_of(self.created), "updated_at": text_of(self.updated)}},
            **self.flow,
        }
        return document | ({"external_ref": self.external_ref} if self.external_ref else {})

    def addresses(self) -> list[Document]:
        """`/v2/customers/{id}/addresses`."""
        if self.address is None or self.is_anonymised:
            return []
        address = self.address.document(is_shipping=True)
        stamps = {"created_at": text_of(self.created), "updated_at": text_of(self.created)}
        return [
            {"type": "address", "id": uuid_of(self.id, "address"), "name": "Home", **address, "meta": {"timestamps": stamps}}
        ]


def name_of(dice: Dice, market: Market) -> tuple[str, str]:
    """A first and a last name of the region; now and then there is only one name."""
    first_names, last_names = NAMES[market.language]
    return dice.pick(first_names), "" if dice.chance(_SINGLE_NAME_SHARE) else dice.pick(last_names)


def whole_name(first: str, last: str) -> str:
    """The one name that the platform keeps."""
    return f"{first} {last}".strip()


def address_of(dice: Dice, market: Market, first: str, last: str) -> Address:
    """An address in a country."""
    city, postcode, region = dice.pick(CITIES[market.country])
    return Address(
        first_name=first,
        last_name=last,
        line_1=f"{dice.between(1, 240)} {dice.pick(STREETS)}",
        line_2=f"Apt {dice.between(1, 40)}" if dice.chance(0.2) else "",
        city=city,
        postcode=postcode,
        region=region,
        country=market.country,
        phone=f"+{dice.between(1, 99)}{dice.between(10**8, 10**9 - 1)}" if dice.chance(0.6) else "",
        company=f"{last or first} & Söhne GmbH" if dice.chance(0.05) else "",
    )


def consent_of(dice: Dice) -> dict[str, Any]:
    """Flow fields for consent; each may be absent or null."""
    flow: dict[str, Any] = {}
    if dice.chance(0.85):
        flow["marketing_consent"] = dice.chance(0.6)
    if dice.chance(0.8):
        flow["analytics_consent"] = dice.chance(0.8) if dice.chance(0.95) else None
    return flow


def build_customer(dice: Dice, seed: int, number: int, created: int, now: int) -> Customer:
    """Somebody who registered at a time."""
    market = dice.weighted(MARKETS)
    first, last = name_of(dice, market)
    changed = created if dice.chance(0.4) else min(now, created + dice.below(400 * DAY_MS))
    flow = consent_of(dice)
    if dice.chance(0.5):
        flow["loyalty_tier"] = dice.pick(TIERS)
    if dice.chance(0.3):
        flow["shoe_size"] = dice.between(35, 47)
    return Customer(
        id=uuid_of(seed, "customer", number),
        created=created,
        updated=changed - changed % SECOND_MS,
        name=whole_name(first, last),
        email=email_of(dice, first, last, number),
        country=market.country,
        external_ref=f"crm-{dice.between(10**6, 10**7)}" if dice.chance(0.3) else "",
        has_password=dice.chance(0.9),
        flow=flow,
        address=address_of(dice, market, first, last) if dice.chance(0.85) else None,
    )
