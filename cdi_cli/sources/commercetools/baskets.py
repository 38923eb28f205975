"""What orders and carts have in common: lines, addresses, coupons and contact."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from cdi_cli.commerce import Address, LineItem, Money, scale
from cdi_cli.sources.commercetools import records
from cdi_cli.sources.commercetools.money import line_discount, money, unit_price
from cdi_cli.sources.commercetools.shop import Known, Shop, image_url

NOT_APPLIED = frozenset(
    {
        "NotActive",
        "NotValid",
        "DoesNotMatchCart",
        "MaxApplicationReached",
        "ApplicationStoppedByPreviousDiscount",
        "ApplicationStoppedByGroupBestDeal",
    }
)
"""States of a discount code that was entered but took nothing off (REF type DiscountCodeState)."""


_EMPTY_ADDRESS = Address()


def lines_of(record: records.Basket, shop: Shop, known: Known) -> tuple[LineItem, ...]:
    """Product lines, then custom lines as fees, numbered from 1."""
    lines = [_product_line(line, position, record, shop, known) for position, line in enumerate(record.line_items, 1)]
    for position, custom in enumerate(record.custom_line_items, len(lines) + 1):
        lines.append(
            LineItem(
                id=custom.id,
                product_id=None,
                name=shop.text(custom.name, record.locale),
                price=money(custom.money),
                quantity=custom.quantity,
                total=money(custom.total_price),
                position=position,
                kind="fee",
                discount=line_discount(custom.discounted_price_per_quantity),
            )
        )
    return tuple(lines)


def _product_line(line: records.Line, position: int, record: records.Basket, shop: Shop, known: Known) -> LineItem:
    variant = line.variant
    return LineItem(
        id=line.id,
        product_id=line.product_id,
        name=shop.text(line.name, record.locale),
        price=unit_price(line.price, line.quantity),
        quantity=line.quantity,
        total=money(line.total_price),
        position=position,
        kind="gift" if line.line_item_mode == "GiftLineItem" else "product",
        sku=variant.sku,
        brand=shop.brand(variant.attributes, record.locale),
        category=known.categories.get(line.product_id),
        variant=variant.key or str(variant.id),
        discount=line_discount(line.discounted_price_per_quantity) if line.discounted_price_per_quantity else None,
        url=shop.product_url(
            slug=shop.text(line.product_slug, record.locale), id=line.product_id, key=line.product_key, sku=variant.sku
        ),
        image_url=image_url(variant.images),
    )


def part_of(line: LineItem, quantity: int) -> LineItem:
    """The line as if it had only `quantity` units, its total in proportion."""
    if quantity == line.quantity or not line.quantity:
        return line
    return msgspec.structs.replace(
        line,
        quantity=quantity,
        total=_share(line.total, quantity, line.quantity),
        discount=None if line.discount is None else _share(line.discount, quantity, line.quantity),
    )


def address_of(address: records.Address | None) -> Address | None:
    """The postal address; None for one that says nothing."""
    if address is None:
        return None
    street = " ".join(part for part in (address.street_name, address.street_number) if part)
    found = Address(
        street=street or None,
        city=address.city or None,
        state=address.state or address.region or None,
        postal_code=address.postal_code or None,
        country=address.country or None,
        first_name=address.first_name or None,
        last_name=address.last_name or None,
        company=address.company or None,
        phone=phone_of(address),
        email=address.email or None,
    )
    return None if found == _EMPTY_ADDRESS else found


def phone_of(address: records.Address) -> str | None:
    """`phone`, else `mobile`."""
    return address.phone or address.mobile or None


def shipping_address_of(record: records.Basket) -> records.Address | None:
    """The address, or with several (`shippingMode` Multiple) the first."""
    if record.shipping_address is not None:
        return record.shipping_address
    return next((shipping.shipping_address for shipping in record.shipping if shipping.shipping_address is not None), None)


def email_of(record: records.Basket, *addresses: Address | None) -> str | None:
    """The e-mail of the order or cart, else of its addresses."""
    return record.customer_email or next((address.email for address in addresses if address and address.email), None)


def first_phone(*addresses: Address | None) -> str | None:
    """The first phone number that an address has."""
    return next((address.phone for address in addresses if address and address.phone), None)


def coupons_of(record: records.Basket, known: Known) -> tuple[str, ...]:
    """The codes of the discount codes that apply, as far as look-ups found them."""
    return tuple(
        known.coupons[code.discount_code.id]
        for code in record.discount_codes
        if code.state not in NOT_APPLIED and code.discount_code.id in known.coupons
    )


def channel_of(record: records.Basket) -> str | None:
    """The distribution channel of the first line that has one: its key, else its id."""
    for line in record.line_items:
        if line.distribution_channel is not None:
            return line.distribution_channel.key or line.distribution_channel.id or None
    return None


def group_of(reference: records.Reference | None, known: Known) -> str | None:
    """The customer group's name, where it was looked up and still exists."""
    return None if reference is None else known.groups.get(reference.id)


def key_of(reference: records.Reference | None) -> str | None:
    """A reference's key, else its id."""
    return None if reference is None else reference.key or reference.id or None


def _share(amount: Money, part: int, whole: int) -> Money:
    return scale(amount, Decimal(part) / whole)
