"""What we read of Elastic Path's records: structs that name only the fields we use (sheet "elasticpath", section 3).

Unknown fields are skipped undecoded. Whatever must never be kept (`denied.py`) has no field to land in. Amounts are whole
numbers of the currency's smallest unit. `decode(record)` raises msgspec.ValidationError, whose text names the field and the
types but never the value.
"""

from __future__ import annotations

import msgspec

HIDDEN = "**"
"""What stands in the place of personal data that was removed."""


class Record(msgspec.Struct, gc=False):
    """The base of all records: no cycles, so nothing for the garbage collector."""


class Identified(Record):
    """The id of a record that cannot be read otherwise."""

    id: str


class Times(Record):
    """When something happened; `fully_paid_at` is there only while an order is paid."""

    created_at: str | None = None
    updated_at: str | None = None
    fully_paid_at: str | None = None


class Amount(Record):
    """An amount of money; the currency of an amount of 0 may be empty."""

    amount: int = 0
    currency: str | None = None
    includes_tax: bool | None = None


class DisplayPrice(Record):
    """The amounts of an order; older ones lack those for discounts and shipping."""

    with_tax: Amount
    without_tax: Amount | None = None
    tax: Amount | None = None
    discount: Amount | None = None
    without_discount: Amount | None = None
    shipping: Amount | None = None
    shipping_discount: Amount | None = None


class OrderMeta(Record):
    """Amounts and times of an order."""

    display_price: DisplayPrice
    timestamps: Times | None = None


class ItemPrice(Record):
    """An amount of a line, for one unit and for all."""

    unit: Amount | None = None
    value: Amount | None = None


class ItemDisplayPrice(Record):
    """The amounts of a line: `with_tax` and `without_tax` are after its discounts, `without_discount` is before."""

    with_tax: ItemPrice | None = None
    without_tax: ItemPrice | None = None
    tax: ItemPrice | None = None
    discount: ItemPrice | None = None
    without_discount: ItemPrice | None = None


class ItemMeta(Record):
    """What is known of a line's amounts."""

    display_price: ItemDisplayPrice | None = None


class ItemDiscount(Record):
    """A discount on a line; its amount is negative. `is_cart_discount`: a share of a promotion on the whole cart."""

    amount: Amount | None = None
    code: str | None = None
    is_cart_discount: bool | None = None


class Reference(Record):
    """What a record refers to; the type is not that of what it refers to."""

    id: str | None = None
    type: str | None = None


class Related(Record):
    """One thing that a record refers to."""

    data: Reference | None = None


class RelatedList(Record):
    """Several things that a record refers to; null where there are none."""

    data: tuple[Reference, ...] | None = None


class ItemRelationships(Record):
    """What a line refers to."""

    promotions: RelatedList | None = None


class OrderItem(Record):
    """A line of an order: a product, a custom line without one, or a promotion that takes something off the whole."""

    id: str
    unit_price: Amount
    quantity: int = 1
    type: str | None = None
    product_id: str | None = None
    name: str | None = None
    sku: str | None = None
    value: Amount | None = None
    discounts: tuple[ItemDiscount, ...] | None = None
    meta: ItemMeta | None = None
    relationships: ItemRelationships | None = None


class Included(Record):
    """The lines of an order, as they were served with it."""

    items: tuple[OrderItem, ...] | None = None


class Person(Record):
    """Who ordered; only a registered customer has an id."""

    id: str | None = None
    name: str | None = None
    email: str | None = None


class AddressRecord(Record):
    """An address of an order."""

    first_name: str | None = None
    last_name: str | None = None
    phone_number: str | None = None
    company_name: str | None = None
    line_1: str | None = None
    line_2: str | None = None
    city: str | None = None
    postcode: str | None = None
    county: str | None = None
    region: str | None = None
    country: str | None = None


class OrderRelationships(Record):
    """What an order refers to."""

    items: RelatedList | None = None
    customer: Related | None = None
    account: Related | None = None
    account_member: Related | None = None


class OrderRecord(Record):
    """An order, from its checkout on: it may never be paid."""

    id: str
    meta: OrderMeta
    order_number: str | None = None
    external_ref: str | None = None
    status: str | None = None
    payment: str | None = None
    shipping: str | None = None
    anonymized: bool | None = None
    customer: Person | None = None
    contact: Person | None = None
    shipping_address: AddressRecord | None = None
    billing_address: AddressRecord | None = None
    relationships: OrderRelationships | None = None
    included: Included | None = None
    timestamps: Times | None = None


class TransactionMeta(Record):
    """When a transaction was made and changed last."""

    timestamps: Times | None = None


class Transaction(Record):
    """A payment of an order; `refunded_amount` is all that went back of it so far."""

    id: str
    amount: int = 0
    refunded_amount: int | None = None
    currency: str | None = None
    transaction_type: str | None = None
    older_type: str | None = msgspec.field(default=None, name="transaction-type")
    status: str | None = None
    gateway: str | None = None
    meta: TransactionMeta | None = None

    @property
    def kind(self) -> str:
        """`purchase`, `authorize`, `capture` or `refund`."""
        return self.transaction_type or self.older_type or ""


class CustomerMeta(Record):
    """When a customer was created and changed."""

    timestamps: Times | None = None


class CustomerRecord(Record):
    """A customer, or a member of a business account: one name, and no address."""

    id: str
    name: str | None = None
    email: str | None = None
    external_ref: str | None = None
    meta: CustomerMeta | None = None
    timestamps: Times | None = None


class AccountRecord(Record):
    """A business account."""

    id: str
    name: str | None = None


class CurrencyRecord(Record):
    """A currency of the store."""

    code: str
    decimal_places: int | None = None


def is_hidden(*texts: str | None) -> bool:
    """Whether any of these is what stands in the place of removed personal data."""
    return any(text is not None and HIDDEN in text and not text.strip("* ") for text in texts)
