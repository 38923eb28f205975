"""What we read of Magento's records: structs that name only the fields we use (sheet "magento", section 3).

Unknown fields are skipped undecoded: a line's `parent_item` and the copies of lines in `shipping_assignments` are most of an
order's bytes. Scalars without a value are left out by the server, or null in newer versions. Amounts are `Decimal` as
written. Whatever must never be kept (`denied.py`) has no field to land in. `row_total` is not read: what REST makes of it
is wrong. `decode(record)` raises msgspec.ValidationError, whose text names the field and the types but never the value.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

Flag = bool | int
"""Magento mixes true/false and 1/0."""
Number = int | str
"""Ids are numbers in some places and text in others."""


class Record(msgspec.Struct, gc=False):
    """The base of all records: no cycles, so nothing for the garbage collector."""


class Identified(Record):
    """The ids that a record may have, for one that cannot be read otherwise."""

    entity_id: int | None = None
    id: int | None = None


class Region(Record):
    """The region of a customer's address."""

    region_code: str | None = None
    region: str | None = None


class AddressRecord(Record):
    """An address of an order, a cart or a customer; `region` is text but for customers, where it is an object."""

    street: tuple[str, ...] | str | None = None
    city: str | None = None
    region: Region | str | None = None
    region_code: str | None = None
    postcode: str | None = None
    country_id: str | None = None
    firstname: str | None = None
    lastname: str | None = None
    company: str | None = None
    telephone: str | None = None
    email: str | None = None
    default_shipping: Flag | None = None
    default_billing: Flag | None = None


class OrderItem(Record):
    """A line of an order; one with a `parent_item_id` is a part of a configurable product or bundle."""

    item_id: int
    price: Decimal
    qty_ordered: Decimal
    parent_item_id: Number | None = None
    sku: str | None = None
    name: str | None = None
    product_id: int | None = None
    product_type: str | None = None
    is_virtual: Flag | None = None
    discount_amount: Decimal | None = None
    discount_tax_compensation_amount: Decimal | None = None
    qty_shipped: Decimal | None = None
    qty_canceled: Decimal | None = None


class OrderPayment(Record):
    """How an order was paid."""

    method: str | None = None


class StatusHistory(Record):
    """A comment on an order, with the status it had then."""

    status: str | None = None
    created_at: str | None = None


class Shipping(Record):
    """How and where to an order or cart is shipped; a virtual one has no address."""

    address: AddressRecord | None = None
    method: str | None = None


class ShippingAssignment(Record):
    """The first of these holds the shipping of an order or cart."""

    shipping: Shipping | None = None


class OrderExtension(Record):
    """What extensions of an order or cart hold of what we read."""

    shipping_assignments: tuple[ShippingAssignment, ...] | None = None


class OrderRecord(Record):
    """An order; amounts are those in the order's currency."""

    entity_id: int
    created_at: str
    order_currency_code: str
    grand_total: Decimal
    items: tuple[OrderItem, ...]
    updated_at: str | None = None
    increment_id: str | None = None
    state: str | None = None
    status: str | None = None
    store_id: int | None = None
    quote_id: Number | None = None
    customer_id: Number | None = None
    customer_email: str | None = None
    customer_group_id: int | None = None
    discount_amount: Decimal | None = None
    tax_amount: Decimal | None = None
    shipping_amount: Decimal | None = None
    total_paid: Decimal | None = None
    total_refunded: Decimal | None = None
    coupon_code: str | None = None
    shipping_description: str | None = None
    original_increment_id: str | None = None
    relation_child_id: Number | None = None
    billing_address: AddressRecord | None = None
    payment: OrderPayment | None = None
    status_histories: tuple[StatusHistory, ...] | None = None
    extension_attributes: OrderExtension | None = None


class CreditMemoItem(Record):
    """How many of an order's line went back."""

    order_item_id: int
    qty: Decimal | None = None


class CreditMemo(Record):
    """A refund: state 1 is open, 2 refunded, 3 cancelled."""

    entity_id: int
    order_id: int
    created_at: str
    grand_total: Decimal
    order_currency_code: str
    state: int | None = None
    items: tuple[CreditMemoItem, ...] | None = None


class Track(Record):
    """A parcel of a shipment."""

    track_number: str | None = None
    title: str | None = None
    carrier_code: str | None = None


class ShipmentItem(Record):
    """How many of an order's line left."""

    order_item_id: int
    qty: Decimal | None = None


class ShipmentRecord(Record):
    """Goods that left."""

    entity_id: int
    order_id: int
    created_at: str
    items: tuple[ShipmentItem, ...] | None = None
    tracks: tuple[Track, ...] | None = None


class CustomerRecord(Record):
    """A customer account."""

    id: int
    created_at: str
    updated_at: str | None = None
    email: str | None = None
    firstname: str | None = None
    lastname: str | None = None
    prefix: str | None = None
    group_id: int | None = None
    store_id: int | None = None
    website_id: int | None = None
    addresses: tuple[AddressRecord, ...] | None = None


class CartItem(Record):
    """A line of a cart."""

    item_id: int
    price: Decimal
    qty: Decimal
    sku: str | None = None
    name: str | None = None
    product_type: str | None = None


class CartCurrency(Record):
    """The currencies of a cart; lines are priced in the base currency."""

    base_currency_code: str | None = None


class CartCustomer(Record):
    """Whose cart it is; nothing but an e-mail, if any, for a guest."""

    id: int | None = None
    email: str | None = None
    group_id: int | None = None


class CartRecord(Record):
    """A cart; one that became an order is not active any more."""

    id: int
    created_at: str
    updated_at: str | None = None
    is_active: Flag | None = None
    store_id: int | None = None
    items: tuple[CartItem, ...] | None = None
    currency: CartCurrency | None = None
    customer: CartCustomer | None = None
    customer_is_guest: Flag | None = None
    billing_address: AddressRecord | None = None
    extension_attributes: OrderExtension | None = None
