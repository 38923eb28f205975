"""Carts: from a record to a `Cart` (sheet "commercetools", section 3).

Checkout had begun when somebody entered something for it. Neither of these tells that: a shipping address that is only a
country, set to find prices and taxes, and the e-mail of the customer that the cart belongs to, known from the account.
"""

from __future__ import annotations

from cdi_cli.commerce import Address, Cart, Consent
from cdi_cli.sources.commercetools.baskets import (
    address_of,
    channel_of,
    coupons_of,
    email_of,
    first_phone,
    group_of,
    key_of,
    lines_of,
    shipping_address_of,
)
from cdi_cli.sources.commercetools.money import amounts_of, discount_of
from cdi_cli.sources.commercetools.records import CartRecord
from cdi_cli.sources.commercetools.shop import Known, Shop, instant


def cart_of(record: CartRecord, shop: Shop, known: Known, consent: Consent) -> Cart:
    """The cart as it stands; raises ValueError, without values, for a record that contradicts itself."""
    amounts = amounts_of(record)
    lines = lines_of(record, shop, known)
    shipping_address = address_of(shipping_address_of(record))
    billing_address = address_of(record.billing_address)
    return Cart(
        id=record.id,
        version=record.version,
        created_at=instant(record.created_at, "createdAt"),
        updated_at=instant(record.last_modified_at, "lastModifiedAt"),
        state=record.cart_state,
        currency=amounts.total.currency,
        total=amounts.total,
        revenue=amounts.revenue,
        lines=lines,
        is_checkout=_gave_email(record) or _was_entered(shipping_address) or _was_entered(billing_address),
        customer_id=record.customer_id,
        anonymous_id=record.anonymous_id,
        email=email_of(record, billing_address, shipping_address),
        phone=first_phone(billing_address, shipping_address),
        tax=amounts.tax,
        shipping=amounts.shipping,
        discount=discount_of(record, lines),
        coupons=coupons_of(record, known),
        shipping_address=shipping_address,
        billing_address=billing_address,
        country=record.country or (shipping_address.country if shipping_address is not None else None),
        locale=record.locale,
        store=key_of(record.store),
        channel=channel_of(record),
        business_unit=key_of(record.business_unit),
        customer_group=group_of(record.customer_group, known),
        consent=consent,
    )


def _gave_email(record: CartRecord) -> bool:
    return bool(record.customer_email) and not record.customer_id


def _was_entered(address: Address | None) -> bool:
    return address is not None and bool(address.street or address.city or address.postal_code or address.email)
