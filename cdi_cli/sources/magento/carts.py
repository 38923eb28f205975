"""Carts: from a record to a `Cart` (sheet "magento", section 2.5).

A cart's lines are priced in the base currency (its own currency is known only as a rate), and it tells no totals: what it
comes to is the sum of its lines, without tax, shipping and discounts. One that became an order is `ordered`; Magento no
longer serves its lines. Checkout had begun when somebody entered an address, or a guest an e-mail.
"""

from __future__ import annotations

from decimal import Decimal

from cdi_cli.commerce import Address, Cart, Consent, LineItem
from cdi_cli.sources.magento.contacts import (
    address_of,
    country_of,
    email_in,
    first_email,
    first_phone,
    shipping_of,
    updated_at,
    version_of,
)
from cdi_cli.sources.magento.known import Known, Shop
from cdi_cli.sources.magento.lines import whole
from cdi_cli.sources.magento.money import money
from cdi_cli.sources.magento.records import CartItem, CartRecord
from cdi_cli.sources.magento.search import instant_of

ACTIVE, ORDERED = "active", "ordered"


def cart_of(record: CartRecord, shop: Shop, known: Known, consent: Consent) -> Cart:
    """The cart as it stands; raises ValueError, without values, for a record that contradicts itself."""
    created_at = instant_of(record.created_at, "created_at")
    changed_at = updated_at(record.updated_at, created_at)
    currency = _currency_of(record, shop)
    items = record.items or ()
    total = money(sum((item.price * item.qty for item in items), Decimal()), currency)
    shipping = shipping_of(record.extension_attributes)
    shipping_address = address_of(shipping.address if shipping is not None else None)
    billing_address = address_of(record.billing_address)
    customer = record.customer
    customer_id = customer.id if customer is not None and not record.customer_is_guest else None
    own_email = customer.email if customer is not None else None
    return Cart(
        id=str(record.id),
        version=version_of(changed_at),
        created_at=created_at,
        updated_at=changed_at,
        state=ACTIVE if record.is_active else ORDERED,
        currency=currency,
        total=total,
        revenue=total,
        lines=tuple(_line(item, position, currency) for position, item in enumerate(items, 1)),
        is_checkout=_was_entered(shipping_address)
        or _was_entered(billing_address)
        or (customer_id is None and bool(own_email)),
        customer_id=str(customer_id) if customer_id else None,
        email=first_email(own_email, email_in(billing_address), email_in(shipping_address)),
        phone=first_phone(billing_address, shipping_address),
        shipping_address=shipping_address,
        billing_address=billing_address,
        country=country_of(shipping_address, billing_address),
        locale=shop.locale_of(record.store_id),
        store=shop.code_of(record.store_id),
        channel=shop.website_of(record.store_id),
        customer_group=known.groups.get(customer.group_id) if customer is not None and customer.group_id else None,
        consent=consent,
    )


def _currency_of(record: CartRecord, shop: Shop) -> str:
    told = record.currency.base_currency_code if record.currency is not None else None
    view = shop.stores.view(record.store_id)
    currency = told or (view.currency if view is not None else None)
    if currency is None:
        raise ValueError("Object missing required field `base_currency_code` - at `$.currency`")
    return currency


def _line(item: CartItem, position: int, currency: str) -> LineItem:
    quantity, price = whole(item.qty, item.price)
    return LineItem(
        id=str(item.item_id),
        product_id=None,
        name=item.name,
        price=money(price, currency),
        quantity=quantity,
        total=money(price * quantity, currency),
        position=position,
        sku=item.sku,
    )


def _was_entered(address: Address | None) -> bool:
    """Whether somebody entered an address; a country alone is set to estimate shipping."""
    return address is not None and bool(address.street or address.city or address.email)
