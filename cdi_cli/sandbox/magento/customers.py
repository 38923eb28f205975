"""Customers: an account per website, addresses, consent to the newsletter per store view, deleted and anonymised ones.

`extension_attributes.is_subscribed` answers for the store view of the address (`all` asks for the default one). Old cores do
not send it at all. The e-mail is unique per website: the same person may have two accounts.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from cdi_cli.sandbox.magento import times
from cdi_cli.sandbox.magento.stores import BY_ID, DEFAULT, FRENCH, GERMAN, SHARES, StoreView
from cdi_cli.sandbox.magento.table import Document, Kind, Scope
from cdi_cli.sandbox.seed.customers import email_of
from cdi_cli.sandbox.seed.dice import Dice
from cdi_cli.sandbox.seed.words import CITIES, NAMES, STREETS

CUSTOMERS = Kind(
    "customers",
    "entity_id",
    frozenset({
        "entity_id", "email", "firstname", "lastname", "middlename", "group_id", "created_at", "updated_at", "store_id",
        "website_id", "dob", "gender", "taxvat", "created_in", "default_billing", "default_shipping",
    }),
    is_eav=True,
)  # fmt: skip
GROUPS = (("NOT LOGGED IN", 0), ("General", 1), ("Wholesale", 2), ("Retailer", 3))
_LANGUAGES = {"default": ("en", "en", "es", "ja"), "eu_de": ("de", "de", "nl", "ar"), "eu_fr": ("fr",)}
_REGIONS = {
    "OR": ("Oregon", 49), "CO": ("Colorado", 13), "NY": ("New York", 43), "BE": ("Berlin", 82), "BY": ("Bayern", 81),
    "NW": ("Nordrhein-Westfalen", 88), "SN": ("Sachsen", 91),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Address:
    """Where somebody lives."""

    firstname: str
    lastname: str
    street: tuple[str, ...]
    city: str
    postcode: str
    country: str
    region: str = ""
    region_code: str = ""
    region_id: int = 0
    telephone: str = ""
    company: str = ""

    def document(self) -> Document:
        """The fields that all places share; what is empty is left out."""
        document: Document = {
            "city": self.city, "country_id": self.country, "firstname": self.firstname, "lastname": self.lastname,
            "postcode": self.postcode, "street": list(self.street), "telephone": self.telephone,
        }  # fmt: skip
        if self.region:
            document |= {"region": self.region, "region_code": self.region_code, "region_id": self.region_id}
        if self.company:
            document["company"] = self.company
        return document


@dataclass(frozen=True, slots=True)
class Customer:
    """An account as the tables hold it."""

    id: int
    created: str
    updated: str
    email: str
    firstname: str
    lastname: str
    store_id: int
    group_id: int = 1
    address: Address | None = None
    subscribed: frozenset[int] = frozenset()
    """The store views whose newsletter was ordered."""
    extra: dict[str, Any] = field(default_factory=dict)
    """`dob`, `gender`, `middlename`, `taxvat`, where they are known."""

    @property
    def owner(self) -> int:
        """Customers belong to no other record."""
        return 0

    @property
    def website_id(self) -> int:
        """The website that the account is of."""
        return BY_ID[self.store_id].website_id

    def column(self, name: str) -> Any:
        """The value of an attribute."""
        return self.document(Scope()).get(name)

    def document(self, scope: Scope) -> Document:
        """The customer as `/V1/customers/search` lists them from a store view."""
        document: Document = {
            "id": self.id,
            "group_id": self.group_id,
            "created_at": self.created,
            "updated_at": self.updated,
            "created_in": BY_ID[self.store_id].name,
            "email": self.email,
            "firstname": self.firstname,
            "lastname": self.lastname,
            "store_id": self.store_id,
            "website_id": self.website_id,
            **self.extra,
            "addresses": [],
            "disable_auto_group_change": 0,
        }
        if not scope.is_old_core:
            document["extension_attributes"] = {"is_subscribed": (scope.store_id or DEFAULT.id) in self.subscribed}
        if self.address is not None:
            document |= {"default_billing": str(self.id), "default_shipping": str(self.id)}
            document["addresses"] = [self._address(self.address)]
        return document

    def _address(self, address: Address) -> Document:
        document = address.document()
        code, region = document.pop("region_code", None), document.pop("region", None)
        document["region"] = {"region_code": code, "region": region, "region_id": address.region_id}
        defaults = {"default_shipping": True, "default_billing": True}
        return {"id": self.id, "customer_id": self.id, "region_id": address.region_id, **document, **defaults}


def address_of(dice: Dice, country: str, first: str, last: str) -> Address:
    """An address in a country."""
    city, postcode, code = dice.pick(CITIES[country])
    region, region_id = _REGIONS.get(code, ("", 0))
    street: tuple[str, ...] = (f"{dice.between(1, 240)} {dice.pick(STREETS)}",)
    if dice.chance(0.2):
        street += (f"Apt {dice.between(1, 40)}",)
    company = f"{last} & Söhne GmbH" if dice.chance(0.05) else ""
    telephone = f"+{dice.between(1, 99)} {dice.between(10**8, 10**9 - 1)}"
    code = code if region else ""
    return Address(first, last, street, city, postcode, country, region, code, region_id, telephone, company)


def name_of(dice: Dice, view: StoreView) -> tuple[str, str]:
    """A first and a last name of the region."""
    first_names, last_names = NAMES[dice.pick(_LANGUAGES[view.code])]
    return dice.pick(first_names), dice.pick(last_names)


def build_customer(dice: Dice, identifier: int, created: int, now: int) -> Customer:
    """The account of somebody who registered at a time, in seconds since 1970."""
    view = dice.weighted(SHARES)
    first, last = name_of(dice, view)
    changed = created if dice.chance(0.4) else min(now, created + dice.below(400 * times.DAY_SECONDS))
    others = {GERMAN.id: (GERMAN.id, FRENCH.id), FRENCH.id: (FRENCH.id, GERMAN.id)}.get(view.id, (view.id,))
    subscribed = frozenset(store for place, store in enumerate(others) if dice.chance(0.5 if place == 0 else 0.1))
    extra: dict[str, Any] = {}
    if dice.chance(0.2):
        extra["dob"] = f"{dice.between(1945, 2006)}-{dice.between(1, 12):02d}-{dice.between(1, 28):02d}"
    if dice.chance(0.4):
        extra["gender"] = dice.between(1, 3)
    if dice.chance(0.05):
        extra["middlename"] = "Q"
    if dice.chance(0.05):
        extra["taxvat"] = f"{view.country}{dice.between(10**8, 10**9 - 1)}"
    return Customer(
        id=identifier,
        created=times.text_of(created),
        updated=times.text_of(changed),
        email=email_of(dice, first, last, identifier),
        firstname=first,
        lastname=last,
        store_id=view.id,
        group_id=dice.pick((2, 3)) if dice.chance(0.1) else 1,
        address=address_of(dice, view.country, first, last) if dice.chance(0.85) else None,
        subscribed=subscribed,
        extra=extra,
    )


def twin_of(customer: Customer, identifier: int, created: str) -> Customer:
    """The account of the same person on the other website, with the same e-mail address."""
    store = DEFAULT if customer.website_id != DEFAULT.website_id else GERMAN
    return replace(customer, id=identifier, created=created, updated=created, store_id=store.id, subscribed=frozenset())


def anonymised(customer: Customer) -> Customer:
    """What is left of somebody who asked to be forgotten."""
    return replace(
        customer, email=f"{customer.id}@anonymous.example", firstname="Anonymous", lastname="Anonymous", address=None,
        subscribed=frozenset(), extra={},
    )  # fmt: skip


def group_documents() -> list[Document]:
    """`/V1/customerGroups/search`."""
    return [
        {"id": identifier, "code": code, "tax_class_id": 3, "tax_class_name": "Retail Customer"}
        for code, identifier in GROUPS
    ]
