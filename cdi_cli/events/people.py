"""People as the checkpoint file knows them: hashes of the names by which a record can be recognised as someone's.

Nothing here can be turned back into a person without already knowing them: what is erased is remembered only so that it
stays erased. A plain hash of an e-mail address is pseudonymous, not anonymous (sheet "reliability", S7).
"""

from __future__ import annotations

from cdi_cli.commerce import Entity, Product
from cdi_cli.commerce.entities import Customer
from cdi_cli.events.identity import normalize_email
from cdi_cli.events.ids import key_of


def customer_subject(customer_id: str) -> bytes:
    """The 16 bytes that stand for a customer of a source."""
    return key_of(f"person:customer:{customer_id}")


def email_subject(email: str) -> bytes | None:
    """The 16 bytes that stand for an e-mail address; None for one that is empty."""
    normal = normalize_email(email)
    return key_of(f"person:email:{normal}") if normal else None


def subjects_of(entity: Entity) -> list[bytes]:
    """All names by which this entity belongs to someone."""
    if isinstance(entity, Product):
        return []
    customer_id = entity.id if isinstance(entity, Customer) else entity.customer_id
    found = [customer_subject(customer_id)] if customer_id else []
    if entity.email and (subject := email_subject(entity.email)) is not None:
        found.append(subject)
    return found
