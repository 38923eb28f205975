"""Identity: who an event happened to, decided by settings, the same way in every run.

A known customer is a `userId`. A guest is a stable `anonymousId`: the platform's own session id where it kept one, else an
id derived from the e-mail, so that the guest's next order meets the same profile. Both are sent when both are known: a
customer's profile with the id that a guest of the same address has had joins the two (`IdentitySettings.link_guests`).
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from hashlib import sha256
from typing import Literal
from uuid import UUID, uuid5

import msgspec

from cdi_cli.commerce import Cart, Customer, Order

GUEST_NAMESPACE = UUID("7c0a4c0e-6f5b-5e0f-9b57-0f5a3f1e6d11")
_ZERO_WIDTH = dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff"))


class IdentitySettings(msgspec.Struct, frozen=True):
    """Which value is the user's id (customer id, or hash of the e-mail), and which a guest's (session id, or e-mail).

    `link_guests`: whose profile names the guest that had ordered under its e-mail address: nobody's, that of customers whose
    address was verified, or everybody's. Anybody can open an account under an address that is not verified.
    """

    user_id: Literal["customer_id", "email_sha256"] = "customer_id"
    guest_id: Literal["anonymous_id", "email"] = "anonymous_id"
    link_guests: Literal["never", "verified", "always"] = "verified"


def identity_of(entity: Customer | Order | Cart, settings: IdentitySettings) -> tuple[str | None, str | None]:
    """`(user_id, anonymous_id)` of an entity; both None when the record names nobody."""
    customer_id = entity.id if isinstance(entity, Customer) else entity.customer_id
    user_id = customer_id or None
    if settings.user_id == "email_sha256":
        user_id = email_sha256(entity.email) if entity.email and customer_id else None
    anonymous_id = entity.anonymous_id or None
    if settings.guest_id == "email" or (anonymous_id is None and user_id is None):
        anonymous_id = guest_id(entity.email) if entity.email and user_id is None else None
    if anonymous_id is None and user_id is not None and isinstance(entity, Customer) and _is_linked(entity, settings):
        anonymous_id = guest_id(entity.email or "")
    return user_id, anonymous_id


def _is_linked(customer: Customer, settings: IdentitySettings) -> bool:
    if settings.link_guests == "verified":
        return customer.is_email_verified is True
    return settings.link_guests == "always"


@lru_cache(maxsize=4096)
def guest_id(email: str) -> str | None:
    """A stable anonymous id for a guest of whom only the e-mail is known; None for an e-mail that is empty."""
    normal = normalize_email(email)
    return str(uuid5(GUEST_NAMESPACE, normal)) if normal else None


def email_sha256(email: str) -> str | None:
    """SHA-256 (hex) of the normalised e-mail; None for an e-mail that is empty, whose hash would join strangers."""
    normal = normalize_email(email)
    return sha256(normal.encode()).hexdigest() if normal else None


def normalize_email(email: str) -> str:
    """Trimmed, lower-cased, NFC, without zero-width characters (rule `email_v1`); applying it twice changes nothing."""
    text = unicodedata.normalize("NFC", email.translate(_ZERO_WIDTH).strip().lower())
    return unicodedata.normalize("NFC", text.lower()).strip()
