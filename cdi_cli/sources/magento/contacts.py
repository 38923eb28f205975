"""What orders, carts and customers have in common: addresses, phones, e-mails, the shipping of the first assignment."""

from __future__ import annotations

from calendar import timegm
from datetime import datetime

from cdi_cli.clock import Instant
from cdi_cli.commerce import Address
from cdi_cli.sources.magento.records import AddressRecord, OrderExtension, Region, Shipping
from cdi_cli.sources.magento.search import instant_of

_EMPTY_ADDRESS = Address()


def address_of(record: AddressRecord | None) -> Address | None:
    """The postal address; None for one that says nothing."""
    if record is None:
        return None
    region = record.region
    name = region.region if isinstance(region, Region) else region
    code = region.region_code if isinstance(region, Region) else record.region_code
    street = [record.street] if isinstance(record.street, str) else [line for line in record.street or () if line]
    found = Address(
        street=", ".join(street) or None,
        city=record.city or None,
        state=code or name or None,
        postal_code=record.postcode or None,
        country=record.country_id or None,
        first_name=record.firstname or None,
        last_name=record.lastname or None,
        company=record.company or None,
        phone=record.telephone or None,
        email=record.email or None,
    )
    return None if found == _EMPTY_ADDRESS else found


def shipping_of(extension: OrderExtension | None) -> Shipping | None:
    """How and where to is shipped, as the first assignment says it."""
    for assignment in (extension.shipping_assignments or ()) if extension is not None else ():
        if assignment.shipping is not None:
            return assignment.shipping
    return None


def first_phone(*addresses: Address | None) -> str | None:
    """The first phone number that an address has."""
    return next((address.phone for address in addresses if address is not None and address.phone), None)


def first_email(*texts: str | None) -> str | None:
    """The first e-mail that is one."""
    return next((text for text in texts if text), None)


def email_in(address: Address | None) -> str | None:
    """The e-mail of an address."""
    return address.email if address is not None else None


def country_of(*addresses: Address | None) -> str | None:
    """The first country that an address has."""
    return next((address.country for address in addresses if address is not None and address.country), None)


def updated_at(text: str | None, created_at: Instant) -> Instant:
    """When a record changed last; one that never did (none, or the year 0) was created then."""
    if not text or text.startswith("0000"):
        return created_at
    return instant_of(text, "updated_at")


def version_of(at: Instant) -> int:
    """A version for a record of which Magento keeps none: its last change in seconds since 1970."""
    return timegm(datetime.fromisoformat(at).utctimetuple())
