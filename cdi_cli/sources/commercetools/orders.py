"""Orders: from a record to an `Order` (sheet "commercetools", section 3).

Business time is `completedAt`, which imported orders carry, else `createdAt`. States are passed on as served; only
Cancelled, Paid, Shipped and Delivered mean something here, so a new state is no error.
"""

from __future__ import annotations

from cdi_cli.clock import Instant
from cdi_cli.commerce import Consent, LineItem, Order, Shipment
from cdi_cli.sources.commercetools.baskets import (
    address_of,
    channel_of,
    coupons_of,
    email_of,
    first_phone,
    group_of,
    key_of,
    lines_of,
    part_of,
    shipping_address_of,
)
from cdi_cli.sources.commercetools.money import amounts_of, discount_of, shipping_infos
from cdi_cli.sources.commercetools.payments import method_of, paid_at, payments_of, refunds_of
from cdi_cli.sources.commercetools.records import Delivery, OrderRecord
from cdi_cli.sources.commercetools.shop import Known, Shop, instant

FULFILLED = frozenset({"Shipped", "Delivered"})


def order_of(record: OrderRecord, shop: Shop, known: Known, consent: Consent) -> Order:
    """The order as it stands; raises ValueError, without values, for a record that contradicts itself."""
    created_at = instant(record.created_at, "createdAt")
    updated_at = instant(record.last_modified_at, "lastModifiedAt")
    amounts = amounts_of(record)
    lines = lines_of(record, shop, known)
    payments = payments_of(record)
    shipping_address = address_of(shipping_address_of(record))
    billing_address = address_of(record.billing_address)
    is_paid = record.payment_state == "Paid"
    is_cancelled = record.order_state == "Cancelled"
    return Order(
        id=record.id,
        version=record.version,
        created_at=created_at,
        placed_at=instant(record.completed_at, "completedAt") if record.completed_at else created_at,
        updated_at=updated_at,
        state=record.order_state,
        currency=amounts.total.currency,
        total=amounts.total,
        revenue=amounts.revenue,
        lines=lines,
        number=record.order_number,
        customer_id=record.customer_id,
        anonymous_id=record.anonymous_id,
        email=email_of(record, billing_address, shipping_address),
        phone=first_phone(billing_address, shipping_address),
        tax=amounts.tax,
        shipping=amounts.shipping,
        discount=discount_of(record, lines),
        coupons=coupons_of(record, known) if record.discount_codes else (),
        checkout_id=record.cart.id or None if record.cart is not None else None,
        payment_state=record.payment_state,
        paid_at=paid_at(payments) if is_paid and payments else None,
        is_paid=is_paid,
        shipment_state=record.shipment_state,
        is_fulfilled=record.shipment_state in FULFILLED,
        is_cancelled=is_cancelled,
        cancelled_at=updated_at if is_cancelled else None,
        payment_method=method_of(payments),
        shipping_method=next((info.shipping_method_name for info in shipping_infos(record)), None),
        shipping_address=shipping_address,
        billing_address=billing_address,
        country=record.country or (shipping_address.country if shipping_address is not None else None),
        locale=record.locale,
        store=key_of(record.store),
        channel=channel_of(record),
        origin=record.origin,
        business_unit=key_of(record.business_unit),
        customer_group=group_of(record.customer_group, known),
        consent=consent,
        refunds=refunds_of(record, payments, amounts.total, lines) if payments else (),
        shipments=_shipments_of(record, lines, updated_at),
    )


def _shipments_of(record: OrderRecord, lines: tuple[LineItem, ...], updated_at: Instant) -> tuple[Shipment, ...]:
    """One per delivery, oldest first; where a shop records none, one for the whole order once its state says so."""
    by_id = {line.id: line for line in lines}
    shipments = [_shipment(delivery, by_id) for info in shipping_infos(record) for delivery in info.deliveries]
    if not shipments and record.shipment_state in FULFILLED:
        return (Shipment(id=None, at=updated_at, lines=lines),)
    return tuple(sorted(shipments, key=lambda shipment: (shipment.at, shipment.id or "")))


def _shipment(delivery: Delivery, by_id: dict[str, LineItem]) -> Shipment:
    tracked = [parcel.tracking_data for parcel in delivery.parcels if parcel.tracking_data is not None]
    quantities: dict[str, int] = {}
    for item in delivery.items or [item for parcel in delivery.parcels for item in parcel.items]:
        quantities[item.id] = quantities.get(item.id, 0) + item.quantity
    return Shipment(
        id=delivery.id,
        at=instant(delivery.created_at, "shippingInfo.deliveries[...].createdAt"),
        carrier=next((tracking.carrier for tracking in tracked if tracking.carrier), None),
        tracking_number=next((tracking.tracking_id for tracking in tracked if tracking.tracking_id), None),
        lines=tuple(part_of(by_id[line_id], quantity) for line_id, quantity in quantities.items() if line_id in by_id),
    )
