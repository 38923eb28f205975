"""The entities; see the package docstring for their rules."""

from __future__ import annotations

from typing import Literal

import msgspec

from cdi_cli.clock import Instant
from cdi_cli.commerce.money import Money

ConsentState = Literal["granted", "denied", "unknown"]


class Consent(msgspec.Struct, frozen=True, gc=False):
    """What a person agreed to, by configured category; a category without a value in the record is "unknown".

    `as_of_now`: categories that an order's or cart's own record does not hold, so that the customer's present one was asked.
    """

    categories: dict[str, ConsentState] = {}
    as_of_now: tuple[str, ...] = ()


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
    the platform says so (all lines for a single full refund), else it is empty. `so_far`: where the platform keeps no single
    refunds, all that went back of the payment `payment_id` by then; `amount` is then the same, less what was told before.
    """

    id: str
    amount: Money
    at: Instant
    payment_id: str | None = None
    kind: Literal["refund", "chargeback"] = "refund"
    is_full: bool = False
    lines: tuple[LineItem, ...] = ()
    so_far: Money | None = None


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
    `is_authorized`: payment was promised, at least; None where orders exist only once they were placed.
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
    is_authorized: bool | None = None
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
    business_unit_name: str | None = None
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


class Group(msgspec.Struct, frozen=True, gc=False):
    """What a person belongs to: a business unit they order for, a store, a company; `id` differs from kind to kind."""

    id: str
    kind: Literal["business_unit", "store", "company"]
    name: str


Simple = str | int | float | bool
"""The value of a product's attribute."""


class ProductTexts(msgspec.Struct, frozen=True, gc=False):
    """What a product is called in one locale, as far as the platform has it; `attributes` are all of them, in its words."""

    name: str | None = None
    description: str | None = None
    url: str | None = None
    categories: tuple[str, ...] = ()
    attributes: dict[str, Simple] = {}


class Product(msgspec.Struct, frozen=True, gc=False):
    """One sellable variant of the catalogue, as it is published now.

    `id` is the SKU, else made of the ids of product and variant; `product_id` is the id of the platform's record, as in an
    order's lines, and `group` is what the variants of one product have in common. `prices` by currency are those that
    everybody pays now, `original_prices` those before the discount that is in force (the same without one), for the same
    currencies. `categories` are names from root to leaf, joined by " > ". `is_in_stock`, `stock_count`: None where the shop
    keeps no stock. `locales` has the texts in other languages, by locale. A product that is not published is to be hidden.
    """

    id: str
    version: int
    created_at: Instant
    updated_at: Instant
    product_id: str | None = None
    group: str | None = None
    name: str | None = None
    description: str | None = None
    key: str | None = None
    sku: str | None = None
    brand: str | None = None
    categories: tuple[str, ...] = ()
    prices: dict[str, Money] = {}
    original_prices: dict[str, Money] = {}
    is_published: bool = True
    is_in_stock: bool | None = None
    stock_count: int | None = None
    url: str | None = None
    image_url: str | None = None
    images: tuple[str, ...] = ()
    attributes: dict[str, Simple] = {}
    locales: dict[str, ProductTexts] = {}


Entity = Order | Customer | Cart | Product
