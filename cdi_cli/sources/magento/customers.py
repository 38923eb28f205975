"""Customers: from a record to a `Customer` (sheet "magento", section 3).

The id is Magento's own: an e-mail is unique only within a website. Consent is `extension_attributes.is_subscribed`, right in
records that were read under the customer's own store view, which is what `scoped` sees to.
"""

from __future__ import annotations

from cdi_cli.commerce import Address, Consent, Customer
from cdi_cli.sources.magento.contacts import address_of, first_phone, updated_at, version_of
from cdi_cli.sources.magento.known import Known, Shop
from cdi_cli.sources.magento.records import CustomerRecord
from cdi_cli.sources.magento.search import instant_of


def customer_of(record: CustomerRecord, shop: Shop, known: Known, consent: Consent) -> Customer:
    """The customer as it stands; raises ValueError, without values, for a time that is none."""
    created_at = instant_of(record.created_at, "created_at")
    changed_at = updated_at(record.updated_at, created_at)
    main, addresses = _addresses(record)
    store = shop.code_of(record.store_id)
    return Customer(
        id=str(record.id),
        version=version_of(changed_at),
        created_at=created_at,
        updated_at=changed_at,
        email=record.email or None,
        first_name=record.firstname or None,
        last_name=record.lastname or None,
        title=record.prefix or None,
        phone=first_phone(main, *addresses),
        company=main.company if main is not None else None,
        customer_group=known.groups.get(record.group_id) if record.group_id is not None else None,
        locale=shop.locale_of(record.store_id),
        store=store,
        stores=(store,) if store else (),
        country=main.country if main is not None else None,
        address=main,
        consent=consent,
    )


def _addresses(record: CustomerRecord) -> tuple[Address | None, list[Address]]:
    """The main address, which is the default billing, else the default shipping, else the first; and all of them."""
    served = record.addresses or ()
    ranked = sorted(served, key=lambda one: 0 if one.default_billing else 1 if one.default_shipping else 2)
    found = [address for one in ranked if (address := address_of(one)) is not None]
    return (found[0] if found else None), found
