"""Orders: from a record to an `Order` (sheet "magento", section 3).

`state` is passed on as served and decides what an order is; `status` is the merchant's own word. Business time is
`created_at`, which imported orders keep. Refunds are the credit memos: `state` becomes `closed` only when all money went
back. An edited order is read as the order that it edits: see `edits`.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from cdi_cli.clock import Instant
from cdi_cli.commerce import Consent, LineItem, Order, Shipment
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
from cdi_cli.sources.magento.invoices import decode_invoice, paid_at
from cdi_cli.sources.magento.known import Known, Shop
from cdi_cli.sources.magento.lines import children_of, lines_of, parts_of
from cdi_cli.sources.magento.money import amounts_of
from cdi_cli.sources.magento.records import OrderItem, OrderRecord, ShipmentRecord
from cdi_cli.sources.magento.refunds import decode_memo, refunds_of
from cdi_cli.sources.magento.search import instant_of

CANCELED = "canceled"
COMPLETE = "complete"
NOT_SHIPPED_TYPES = frozenset({"virtual", "downloadable", "giftcard"})
_decode_shipment = msgspec.json.Decoder(ShipmentRecord).decode


def order_of(record: OrderRecord, shop: Shop, known: Known, consent: Consent) -> Order:
    """The order as it stands; raises ValueError, without values, for a record that contradicts itself."""
    origin = known.origins.get(record.entity_id)
    own_created_at = instant_of(record.created_at, "created_at")
    created_at = origin.created_at if origin is not None else own_created_at
    changed_at = updated_at(record.updated_at, own_created_at)
    amounts = amounts_of(record)
    lines = lines_of(record.items, record.order_currency_code, shop.bundles)
    shipping = shipping_of(record.extension_attributes)
    shipping_address = address_of(shipping.address if shipping is not None else None)
    billing_address = address_of(record.billing_address)
    is_cancelled = record.state == CANCELED
    return Order(
        id=str(origin.entity_id if origin is not None else record.entity_id),
        version=version_of(changed_at),
        created_at=created_at,
        placed_at=created_at,
        updated_at=changed_at,
        state=record.state or record.status or "",
        currency=record.order_currency_code,
        total=amounts.total,
        revenue=amounts.revenue,
        lines=lines,
        number=origin.number if origin is not None else record.increment_id,
        customer_id=str(record.customer_id) if record.customer_id else None,
        email=first_email(record.customer_email, email_in(billing_address), email_in(shipping_address)),
        phone=first_phone(billing_address, shipping_address),
        tax=amounts.tax,
        shipping=amounts.shipping,
        discount=amounts.discount,
        coupons=(record.coupon_code,) if record.coupon_code else (),
        checkout_id=str(record.quote_id) if record.quote_id else None,
        is_paid=is_paid(record),
        paid_at=paid_at(list(map(decode_invoice, known.invoices.get(record.entity_id, ()))), record.grand_total),
        is_fulfilled=is_fulfilled(record),
        is_cancelled=is_cancelled,
        cancelled_at=cancelled_at(record, changed_at) if is_cancelled else None,
        payment_method=record.payment.method if record.payment is not None else None,
        shipping_method=record.shipping_description or (shipping.method if shipping is not None else None),
        shipping_address=shipping_address,
        billing_address=billing_address,
        country=country_of(shipping_address, billing_address),
        locale=shop.locale_of(record.store_id),
        store=shop.code_of(record.store_id),
        channel=shop.website_of(record.store_id),
        customer_group=known.groups.get(record.customer_group_id) if record.customer_group_id else None,
        consent=consent,
        refunds=refunds_of(list(map(decode_memo, known.credit_memos.get(record.entity_id, ()))), amounts.total, lines),
        shipments=shipments_of(list(map(_decode_shipment, known.shipments.get(record.entity_id, ()))), lines),
    )


def is_paid(record: OrderRecord) -> bool:
    """Whether all that was to be paid was paid, whatever of it went back since."""
    return (record.total_paid or Decimal()) >= record.grand_total


def has_shipped(record: OrderRecord) -> bool:
    """Whether anything left, as the lines say it."""
    return any(item.qty_shipped for item in record.items)


def is_fulfilled(record: OrderRecord) -> bool:
    """Whether all that has to be shipped left; an order that needs no shipping is, once it is complete.

    Told by the lines, because a complete order that is refunded becomes `closed`, as one does that never left.
    """
    if record.state == COMPLETE:
        return True
    children = children_of(record.items)
    parts = {part.item_id for below in children.values() for part in below}
    shipped = [
        _has_left(item, children.get(item.item_id, []))
        for item in record.items
        if item.item_id not in parts and not item.is_virtual and item.product_type not in NOT_SHIPPED_TYPES
    ]
    return has_shipped(record) and all(shipped)


def _has_left(item: OrderItem, parts: list[OrderItem]) -> bool:
    return _is_gone(item) or (bool(parts) and all(_is_gone(part) for part in parts))


def _is_gone(item: OrderItem) -> bool:
    return (item.qty_shipped or Decimal()) + (item.qty_canceled or Decimal()) >= item.qty_ordered


def cancelled_at(record: OrderRecord, changed_at: Instant) -> Instant:
    """When a cancelled order was cancelled: when its history first has the status of now, else when it changed last.

    Magento writes no history for most cancellations, and nothing that comes after one changes `updated_at`.
    """
    times = [
        instant_of(entry.created_at, "status_histories[...].created_at")
        for entry in record.status_histories or ()
        if entry.created_at and entry.status and entry.status == record.status
    ]
    return min(times, default=changed_at)


def shipments_of(records: Sequence[ShipmentRecord], lines: tuple[LineItem, ...]) -> tuple[Shipment, ...]:
    """The deliveries, oldest first."""
    shipments = [_shipment(record, lines) for record in records]
    return tuple(sorted(shipments, key=lambda shipment: (shipment.at, shipment.id or "")))


def _shipment(record: ShipmentRecord, lines: tuple[LineItem, ...]) -> Shipment:
    tracks = record.tracks or ()
    quantities: dict[str, Decimal] = {}
    for item in record.items or ():
        key = str(item.order_item_id)
        quantities[key] = quantities.get(key, Decimal()) + (item.qty or Decimal())
    carriers = (track.title or track.carrier_code for track in tracks)
    return Shipment(
        id=str(record.entity_id),
        at=instant_of(record.created_at, "created_at"),
        carrier=next((carrier for carrier in carriers if carrier), None),
        tracking_number=next((track.track_number for track in tracks if track.track_number), None),
        lines=parts_of(lines, quantities),
    )
