"""Customers: from a record to a `Customer` (sheet "commercetools", section 3)."""

from __future__ import annotations

from cdi_cli.commerce import Consent, Customer
from cdi_cli.sources.commercetools.baskets import address_of, group_of, phone_of
from cdi_cli.sources.commercetools.records import Address, CustomerRecord
from cdi_cli.sources.commercetools.shop import Known, instant


def customer_of(record: CustomerRecord, known: Known, consent: Consent) -> Customer:
    """The customer as it stands; raises ValueError, without values, for a time that is none."""
    main = _main_address(record)
    address = address_of(main)
    stores = tuple(store.key for store in record.stores if store.key)
    return Customer(
        id=record.id,
        version=record.version,
        created_at=instant(record.created_at, "createdAt"),
        updated_at=instant(record.last_modified_at, "lastModifiedAt"),
        email=record.email or None,
        number=record.customer_number,
        external_id=record.external_id,
        first_name=record.first_name or None,
        last_name=record.last_name or None,
        title=record.title or None,
        phone=_phone_of(record, main),
        company=record.company_name or None,
        is_email_verified=record.is_email_verified,
        customer_group=group_of(record.customer_group, known),
        locale=record.locale,
        store=stores[0] if stores else None,
        stores=stores,
        country=address.country if address is not None else None,
        address=address,
        consent=consent,
    )


def _main_address(record: CustomerRecord) -> Address | None:
    by_id = {address.id: address for address in record.addresses if address.id}
    for wanted in (record.default_billing_address_id, record.default_shipping_address_id):
        if wanted and wanted in by_id:
            return by_id[wanted]
    return record.addresses[0] if record.addresses else None


def _phone_of(record: CustomerRecord, main: Address | None) -> str | None:
    addresses = (main, *record.addresses) if main is not None else record.addresses
    return next((phone for address in addresses if (phone := phone_of(address))), None)
