"""Customers and members of business accounts: from a record to a `Customer` (sheet "elasticpath", section 3.4).

There is one name, which is parted at its first blank: for people with one name, or a family name first, that is only a
guess, as it is in the vendor's own templates. Phone and address are not part of the record.
"""

from __future__ import annotations

from cdi_cli.commerce import Consent, Customer
from cdi_cli.sources.elasticpath.records import CustomerRecord
from cdi_cli.sources.elasticpath.settings import ElasticPathSettings
from cdi_cli.sources.elasticpath.times import times_of, version_of


def customer_of(record: CustomerRecord, settings: ElasticPathSettings, consent: Consent) -> Customer:
    """The customer as it stands; raises ValueError, without values, for a time that is none."""
    own = record.meta.timestamps if record.meta is not None else None
    created_at, changed_at = times_of(own, record.timestamps)
    first, last = parted(record.name)
    return Customer(
        id=record.id,
        version=version_of(changed_at),
        created_at=created_at,
        updated_at=changed_at,
        email=record.email or None,
        external_id=record.external_ref or None,
        first_name=first,
        last_name=last,
        locale=settings.locale,
        consent=consent,
    )


def parted(name: str | None) -> tuple[str | None, str | None]:
    """First and last name; a name without a blank is a first name."""
    first, _, last = " ".join((name or "").split()).partition(" ")
    return first or None, last or None
