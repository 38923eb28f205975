"""Orders: from a record to an `Order` (sheet "elasticpath", sections 3.1 and 5).

An order has three axes that say nothing of one another: `status`, `payment` and `shipping`. It exists from its checkout on,
so it counts as placed once its payment was promised. Cancelling does not refund. When it was cancelled or fulfilled is not
kept: there is only `updated_at`, which moves on.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from cdi_cli.clock import Instant
from cdi_cli.commerce import Address, Consent, Order, Shipment
from cdi_cli.sources.elasticpath.lines import add_up, lines_of
from cdi_cli.sources.elasticpath.money import Currencies, amounts_of
from cdi_cli.sources.elasticpath.records import AddressRecord, OrderItem, OrderRecord, Transaction, is_hidden
from cdi_cli.sources.elasticpath.refunds import REFUNDED, paid_at, payment_method, refunds_of
from cdi_cli.sources.elasticpath.settings import ElasticPathSettings
from cdi_cli.sources.elasticpath.times import instant_of, times_of, version_of

LOG = logging.getLogger("cdi.sources")
PAID = frozenset({"paid", REFUNDED})
AUTHORIZED = PAID | {"authorized"}
"""Not those that are partly authorized or paid: the customer has not done yet."""
FULFILLED = "fulfilled"
CANCELLED = "cancelled"
LINE_TYPES = frozenset({None, "item", "order_item", "promotion_item", "custom_item", "cart_item"})
_EMPTY_ADDRESS = Address()


@dataclass(slots=True)
class Known:
    """What is known of a group of records besides themselves, each by id; a missing order's transactions were not read."""

    currencies: Currencies = field(default_factory=Currencies)
    transactions: dict[str, list[Transaction]] = field(default_factory=dict)
    accounts: dict[str, str] = field(default_factory=dict)
    items: dict[str, list[OrderItem]] = field(default_factory=dict)
    consents: dict[str, Consent] = field(default_factory=dict)


def order_of(record: OrderRecord, settings: ElasticPathSettings, known: Known, consent: Consent) -> Order:
    """The order as it stands; raises ValueError, without values, for a record that contradicts itself."""
    created_at, changed_at, fully_paid_at = _times(record)
    price = record.meta.display_price
    currency = price.with_tax.currency or ""
    items = items_of(record, known)
    lines = lines_of(items, currency, known.currencies, settings)
    if items and not add_up(items, price):
        LOG.warning("lines do not add up to the order's total", extra={"order_id": record.id})
    amounts = amounts_of(price, known.currencies, lines.shipping, lines.discounts)
    transactions = known.transactions.get(record.id)
    is_paid = record.payment in PAID
    is_fulfilled = record.shipping == FULFILLED
    shipping_address, billing_address = address_of(record.shipping_address), address_of(record.billing_address)
    addresses = [one for one in (billing_address, shipping_address) if one is not None]
    account = account_of(record)
    return Order(
        id=record.id,
        version=version_of(changed_at),
        created_at=created_at,
        placed_at=created_at,
        updated_at=changed_at,
        state=record.status or "",
        currency=amounts.total.currency,
        total=amounts.total,
        revenue=amounts.revenue,
        lines=lines.lines,
        number=record.order_number or None,
        customer_id=customer_of(record) or member_of(record),
        email=email_of(record),
        phone=next((one.phone for one in addresses if one.phone), None),
        tax=amounts.tax,
        shipping=amounts.shipping,
        discount=amounts.discount,
        coupons=lines.coupons,
        checkout_id=record.id,
        payment_state=record.payment,
        paid_at=(fully_paid_at or paid_at(transactions)) if is_paid else None,
        is_paid=is_paid,
        is_authorized=record.payment in AUTHORIZED,
        shipment_state=record.shipping,
        is_fulfilled=is_fulfilled,
        is_cancelled=record.status == CANCELLED,
        payment_method=payment_method(transactions) if settings.lookups.transactions == "all" else None,
        shipping_address=shipping_address,
        billing_address=billing_address,
        country=next((one.country for one in reversed(addresses) if one.country), None),
        locale=settings.locale,
        business_unit=account,
        business_unit_name=known.accounts.get(account) if account else None,
        consent=consent,
        refunds=refunds_of(record, transactions, amounts.total, lines.lines, known.currencies, changed_at),
        shipments=(Shipment(id=None, at=changed_at, lines=lines.lines),) if is_fulfilled else (),
    )


def items_of(record: OrderRecord, known: Known) -> Sequence[OrderItem]:
    """The lines of an order: those that came with it, or those that were looked up because they did not."""
    own = record.included.items if record.included is not None and record.included.items is not None else ()
    return known.items.get(record.id) or own


def lacks_items(record: OrderRecord) -> bool:
    """Whether an order refers to lines that did not come with it."""
    listed = record.relationships.items if record.relationships is not None else None
    own = record.included.items if record.included is not None else None
    # Among an order's items are its shipping groups, too, which are no lines.
    wanted = {one.id for one in listed.data or () if one.type in LINE_TYPES} if listed is not None else set()
    return bool(wanted - {item.id for item in own or ()})


def is_anonymized(record: OrderRecord) -> bool:
    """Whether the personal data of an order was removed; what is left of it says nothing about anybody."""
    people = [one for one in (record.customer, record.contact) if one is not None]
    return bool(record.anonymized) or is_hidden(*(text for one in people for text in (one.name, one.email)))


def customer_of(record: OrderRecord) -> str | None:
    """The id of the registered customer who ordered."""
    related = record.relationships.customer if record.relationships is not None else None
    found = related.data.id if related is not None and related.data is not None else None
    return found or (record.customer.id if record.customer is not None else None) or None


def member_of(record: OrderRecord) -> str | None:
    """The id of the member of a business account who ordered."""
    related = record.relationships.account_member if record.relationships is not None else None
    return (related.data.id or None) if related is not None and related.data is not None else None


def account_of(record: OrderRecord) -> str | None:
    """The id of the business account that was ordered for."""
    related = record.relationships.account if record.relationships is not None else None
    return (related.data.id or None) if related is not None and related.data is not None else None


def email_of(record: OrderRecord) -> str | None:
    """The e-mail of who ordered: a customer's or guest's, or the contact of a business account."""
    people = (record.customer, record.contact)
    return next((one.email for one in people if one is not None and one.email), None)


def address_of(record: AddressRecord | None) -> Address | None:
    """The postal address; None for one that says nothing."""
    if record is None:
        return None
    found = Address(
        street=", ".join(line for line in (record.line_1, record.line_2) if line) or None,
        city=record.city or None,
        state=record.region or record.county or None,
        postal_code=record.postcode or None,
        country=record.country or None,
        first_name=record.first_name or None,
        last_name=record.last_name or None,
        company=record.company_name or None,
        phone=record.phone_number or None,
    )
    return None if found == _EMPTY_ADDRESS else found


def _times(record: OrderRecord) -> tuple[Instant, Instant, Instant | None]:
    own = record.meta.timestamps
    paid = own.fully_paid_at if own is not None else None
    return *times_of(own, record.timestamps), instant_of(paid, "fully_paid_at") if paid else None
