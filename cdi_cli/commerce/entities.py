"""The entities; see the package docstring for their rules."""

from __future__ import annotations

from typing import Literal

import msgspec

from cdi_cli.clock import Instant
from cdi_cli.commerce.money import Money

ConsentState = Literal["granted", "denied", "unknown"]


class Consent(msgspec.Struct, frozen=True, gc=False):
    """What a person agreed to, by configured category; a category without a value in the record is "unknown"."""

    categories: dict[str, ConsentState] = {}


class Address(msgspec.Struct, frozen=True, gc=False):
    """A postal address; `country` is ISO 3166 alpha-2, `street` includes the house number."""

    street: str | None = None
    city: str | None = None
    state: str | None = None
    postal_code: str | None = None
    country: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    company: str | None = None
    phone: str | None = None
    email: str | None = None


class LineItem(msgspec.Struct, frozen=True, gc=False):
    """One line of an order or cart; `price` is what the customer pays for one unit before cart discounts.

    `total` is the line after line-level cart discounts, `discount` (positive) what these took off. `position` counts
    from 1. `kind`: a product, a gift (price 0 by promotion) or a fee (service, surcharge; may be negative).
    """

    id: str
    product_id: str | None
    name: str | None
    price: Money
    quantity: int
    total: Money
    position: int
    kind: Literal["product", "gift", "fee"] = "product"
    sku: str | None = None
    brand: str | None = None
    category: str | None = None
    variant: str | None = None
    discount: Money | None = None
    coupon: str | None = None
    url: str | None = None
    image_url: str | None = None


class Refund(msgspec.Struct, frozen=True, gc=False):
    """Money that went back: one successful refund transaction; `amount` is positive.

    `is_full`: all successful refunds of the order up to this one reach its total. `lines` names what was returned where
    the platform says so (all lines for a single full refund), else it is empty.
    """

    id: str
    amount: Money
    at: Instant
    payment_id: str | None = None
    kind: Literal["refund", "chargeback"] = "refund"
    is_full: bool = False
    lines: tuple[LineItem, ...] = ()


class Shipment(msgspec.Struct, frozen=True, gc=False):
    """Goods that left: one delivery, or the whole order where the platform records only a state (`id` is then None)."""

    id: str | None
    at: Instant
    carrier: str | None = None
    tracking_number: str | None = None
    lines: tuple[LineItem, ...] = ()


class Order(msgspec.Struct, frozen=True, gc=False):
    """An order as it stands now.

    `created_at` is the platform's immutable creation time (windows and ledger use it); `placed_at` is business time and
    differs for imported orders. Amounts: `total` is the grand total; `revenue` = `total` - `shipping` - `tax`, that is
    merchandise and fees after all discounts, without tax and shipping; `discount` is positive. `store`, `channel`: keys.
    """

    id: str
    version: int
    created_at: Instant
    placed_at: Instant
    updated_at: Instant
    state: str
    currency: str
    total: Money
    revenue: Money
    lines: tuple[LineItem, ...]
    number: str | None = None
    customer_id: str | None = None
    anonymous_id: str | None = None
    email: str | None = None
    phone: str | None = None
    tax: Money | None = None
    shipping: Money | None = None
    discount: Money | None = None
    coupons: tuple[str, ...] = ()
    checkout_id: str | None = None
    payment_state: str | None = None
    paid_at: Instant | None = None
    is_paid: bool = False
    shipment_state: str | None = None
    is_fulfilled: bool = False
    is_cancelled: bool = False
    cancelled_at: Instant | None = None
    payment_method: str | None = None
    shipping_method: str | None = None
    shipping_address: Address | None = None
    billing_address: Address | None = None
    country: str | None = None
    locale: str | None = None
    store: str | None = None
    channel: str | None = None
    origin: str | None = None
    business_unit: str | None = None
    customer_group: str | None = None
    consent: Consent = Consent()
    refunds: tuple[Refund, ...] = ()
    shipments: tuple[Shipment, ...] = ()


class Customer(msgspec.Struct, frozen=True, gc=False):
    """A customer profile as it stands now; `address` is the default billing, else the default shipping, else the first."""

    id: str
    version: int
    created_at: Instant
    updated_at: Instant
    email: str | None = None
    anonymous_id: str | None = None
    number: str | None = None
    external_id: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    title: str | None = None
    phone: str | None = None
    company: str | None = None
    is_email_verified: bool | None = None
    customer_group: str | None = None
    locale: str | None = None
    store: str | None = None
    stores: tuple[str, ...] = ()
    country: str | None = None
    address: Address | None = None
    consent: Consent = Consent()


class Cart(msgspec.Struct, frozen=True, gc=False):
    """A cart as it stands now; `is_checkout` tells that an address or e-mail was entered, so that checkout had begun."""

    id: str
    version: int
    created_at: Instant
    updated_at: Instant
    state: str
    currency: str
    total: Money
    revenue: Money
    lines: tuple[LineItem, ...]
    is_checkout: bool = False
    customer_id: str | None = None
    anonymous_id: str | None = None
    email: str | None = None
    phone: str | None = None
    tax: Money | None = None
    shipping: Money | None = None
    discount: Money | None = None
    coupons: tuple[str, ...] = ()
    shipping_address: Address | None = None
    billing_address: Address | None = None
    country: str | None = None
    locale: str | None = None
    store: str | None = None
    channel: str | None = None
    business_unit: str | None = None
    customer_group: str | None = None
    consent: Consent = Consent()


class Product(msgspec.Struct, frozen=True, gc=False):
    """A product of the catalogue as published now; `categories` are names from root to leaf, joined by " > ".

    `store`: key of the store whose name, price and address these are, where a platform keeps them per store.
    """

    id: str
    version: int
    created_at: Instant
    updated_at: Instant
    name: str | None = None
    key: str | None = None
    sku: str | None = None
    brand: str | None = None
    categories: tuple[str, ...] = ()
    price: Money | None = None
    is_published: bool = True
    is_in_stock: bool | None = None
    url: str | None = None
    image_url: str | None = None
    store: str | None = None


Entity = Order | Customer | Cart | Product
