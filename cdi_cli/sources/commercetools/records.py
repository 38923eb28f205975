"""What we read of commercetools' records: structs that name only the fields we use (sheet "commercetools", section 3).

Unknown fields are skipped undecoded, enumerations are plain text so that a new value is no error, and whatever must never be
kept (`password`, payment `token`, `interfaceInteractions`) has no field to land in. `decode(kind, record)` raises
msgspec.ValidationError, whose text names the field and the types but never the value.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

Names = dict[str, str]
"""A LocalizedString: locale -> text."""


DENIED_FIELDS = frozenset({"password", "token", "interfaceInteractions", "interfaceAccount", "vatId", "dateOfBirth"})
"""Names of record fields that are never kept, whatever they are in (sheet "commercetools", section 5, no. 16)."""


class Record(msgspec.Struct, gc=False, rename="camel"):
    """The base of all records: fields in camelCase, no cycles, so nothing for the garbage collector."""


class Cents(Record):
    """centPrecision or highPrecision money; `fraction_digits` counts the digits of whichever amount is used."""

    currency_code: str
    cent_amount: int
    fraction_digits: int
    precise_amount: int | None = None


class Reference(Record):
    """A reference by id, or by key for stores and business units."""

    id: str = ""
    key: str | None = None


class Attribute(Record):
    """A product attribute; the value is decoded only when it is the one we look for."""

    name: str
    value: msgspec.Raw = msgspec.Raw(b"null")


class Image(Record):
    """An image of a variant."""

    url: str | None = None


class DiscountPortion(Record):
    """What one cart discount took off one unit."""

    discounted_amount: Cents


class DiscountedPrice(Record):
    """A price after cart discounts, and what they took off."""

    value: Cents
    included_discounts: tuple[DiscountPortion, ...] = ()


class DiscountedQuantity(Record):
    """How many units of a line have a discounted price."""

    quantity: int
    discounted_price: DiscountedPrice


class CatalogDiscount(Record):
    """A product discount: part of the price, not of the order's discount."""

    value: Cents


class PriceTier(Record):
    """A price for the entire quantity of a line that has at least `minimum_quantity` units."""

    minimum_quantity: int
    value: Cents


class Price(Record):
    """A price of the catalogue."""

    value: Cents
    discounted: CatalogDiscount | None = None
    tiers: tuple[PriceTier, ...] = ()
    customer_group: Reference | None = None
    channel: Reference | None = None


class LineVariant(Record):
    """The variant of an order line; its prices, most of an order's bytes, are not read."""

    id: int
    sku: str | None = None
    key: str | None = None
    attributes: tuple[Attribute, ...] = ()
    images: tuple[Image, ...] = ()


class Line(Record):
    """A product line."""

    id: str
    product_id: str
    name: Names
    variant: LineVariant
    price: Price
    quantity: int
    total_price: Cents
    product_key: str | None = None
    product_slug: Names = {}
    line_item_mode: str = "Standard"
    discounted_price_per_quantity: tuple[DiscountedQuantity, ...] = ()
    distribution_channel: Reference | None = None


class CustomLine(Record):
    """A fee or service."""

    id: str
    name: Names
    money: Cents
    quantity: int
    total_price: Cents
    discounted_price_per_quantity: tuple[DiscountedQuantity, ...] = ()


class TaxedPrice(Record):
    """An amount with and without tax; `total_tax` is missing on old records."""

    total_net: Cents
    total_gross: Cents
    total_tax: Cents | None = None


class TaxRate(Record):
    """A tax rate as a fraction; decoded from its digits, so that 0.07 is exactly 7/100."""

    amount: Decimal
    included_in_price: bool = False


class DeliveryItem(Record):
    """How many units of a line a delivery holds."""

    id: str
    quantity: int


class Tracking(Record):
    """How to follow a parcel."""

    tracking_id: str | None = None
    carrier: str | None = None


class Parcel(Record):
    """A parcel of a delivery."""

    tracking_data: Tracking | None = None
    items: tuple[DeliveryItem, ...] = ()


class Delivery(Record):
    """Goods that left together."""

    id: str
    created_at: str
    items: tuple[DeliveryItem, ...] = ()
    parcels: tuple[Parcel, ...] = ()


class ShippingInfo(Record):
    """A shipping method with its price and deliveries."""

    price: Cents
    shipping_method_name: str | None = None
    discounted_price: DiscountedPrice | None = None
    taxed_price: TaxedPrice | None = None
    tax_rate: TaxRate | None = None
    deliveries: tuple[Delivery, ...] = ()


class Shipping(Record):
    """One of several shipping methods (`shippingMode` Multiple)."""

    shipping_info: ShippingInfo | None = None
    shipping_address: Address | None = None


class Address(Record):
    """A postal address."""

    street_name: str | None = None
    street_number: str | None = None
    city: str | None = None
    region: str | None = None
    state: str | None = None
    postal_code: str | None = None
    country: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    company: str | None = None
    phone: str | None = None
    mobile: str | None = None
    email: str | None = None
    id: str | None = None


class TotalDiscount(Record):
    """What cart discounts took off the total."""

    discounted_amount: Cents


class AppliedCode(Record):
    """A discount code of an order or cart."""

    discount_code: Reference
    state: str | None = None


class ReturnItem(Record):
    """Units of a line that came back; it carries no money."""

    quantity: int
    payment_state: str = ""
    line_item_id: str | None = None
    custom_line_item_id: str | None = None


class ReturnInfo(Record):
    """Items that came back together."""

    items: tuple[ReturnItem, ...] = ()


class Transaction(Record):
    """A movement of money."""

    id: str
    type: str
    amount: Cents
    state: str
    timestamp: str | None = None


class PaymentMethod(Record):
    """How it was paid; `token` and `interfaceAccount` are left out on purpose."""

    method: str | None = None


class Payment(Record):
    """A payment and its transactions."""

    id: str
    last_modified_at: str
    transactions: tuple[Transaction, ...] = ()
    payment_method_info: PaymentMethod | None = None


class PaymentReference(Record):
    """A reference to a payment, expanded where we asked for it and the payment still exists."""

    id: str
    obj: Payment | None = None


class PaymentInfo(Record):
    """The payments of an order."""

    payments: tuple[PaymentReference, ...] = ()


class Basket(Record, kw_only=True):
    """What an order and a cart have in common."""

    id: str
    version: int
    created_at: str
    last_modified_at: str
    line_items: tuple[Line, ...]
    total_price: Cents
    custom_line_items: tuple[CustomLine, ...] = ()
    taxed_price: TaxedPrice | None = None
    taxed_shipping_price: TaxedPrice | None = None
    discount_on_total_price: TotalDiscount | None = None
    shipping_info: ShippingInfo | None = None
    shipping: tuple[Shipping, ...] = ()
    shipping_address: Address | None = None
    billing_address: Address | None = None
    discount_codes: tuple[AppliedCode, ...] = ()
    customer_id: str | None = None
    anonymous_id: str | None = None
    customer_email: str | None = None
    customer_group: Reference | None = None
    business_unit: Reference | None = None
    store: Reference | None = None
    country: str | None = None
    locale: str | None = None
    origin: str | None = None


class OrderRecord(Basket, kw_only=True):
    """An order, with payments expanded."""

    order_state: str
    order_number: str | None = None
    completed_at: str | None = None
    payment_state: str | None = None
    shipment_state: str | None = None
    cart: Reference | None = None
    payment_info: PaymentInfo | None = None
    return_info: tuple[ReturnInfo, ...] = ()


class CartRecord(Basket, kw_only=True):
    """A cart."""

    cart_state: str


class CustomerRecord(Record):
    """A customer; `password`, `vatId` and `dateOfBirth` are left out on purpose."""

    id: str
    version: int
    created_at: str
    last_modified_at: str
    email: str | None = None
    customer_number: str | None = None
    external_id: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    title: str | None = None
    company_name: str | None = None
    is_email_verified: bool | None = None
    customer_group: Reference | None = None
    locale: str | None = None
    stores: tuple[Reference, ...] = ()
    addresses: tuple[Address, ...] = ()
    default_billing_address_id: str | None = None
    default_shipping_address_id: str | None = None


class Identified(Record):
    """Any record's id, for the dead letters."""

    id: str = ""
