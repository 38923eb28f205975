"""Contacts: e-mail addresses and phone numbers as one destination takes them, by rules that have names.

| rule | |
|---|---|
| `email_v1` | trimmed, lower case, NFC, no zero-width characters: `identity.normalize_email` |
| `email_google_v1` | the same; addresses of Gmail (and `@googlemail.com`) without dots and `+tag`, as Google matches |
| `phone_v1` | E.164, a number without a country code read as one of the record's country: `phone.normalize_phone` |

A rule never changes: hashes of it lie in other systems. A hash is SHA-256 (hex) of the normalised form. What is empty, no
address or no number is never hashed, since its hash would join strangers (sheet "reliability", S7); a value that is a hash
already is only taken where settings declare it. A hash is pseudonymous, not anonymous.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from hashlib import sha256
from typing import Literal

import msgspec

from cdi_cli.events.identity import normalize_email
from cdi_cli.events.phone import normalize_phone

Form = Literal["plain", "normalized", "sha256", "omit"]
Contact = Literal["email", "phone"]

NOT_USABLE: dict[Contact, str] = {"email": "no e-mail address", "phone": "no phone number in E.164 form"}
A_HASH = "a hash already"

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_DIGEST = re.compile(r"[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64}|[0-9a-f]{128}")
"""MD5, SHA-1, SHA-256 and SHA-512 in hexadecimal."""
_GOOGLE = frozenset({"gmail.com", "googlemail.com"})


class ContactSettings(msgspec.Struct, frozen=True):
    """How a destination takes contacts. `is_hashed`: records may hold hashes, which then go as they are."""

    email: Form = "plain"
    email_rule: Literal["email_v1", "email_google_v1"] = "email_v1"
    phone: Form = "plain"
    phone_rule: Literal["phone_v1"] = "phone_v1"
    is_hashed: bool = False

    @property
    def changes_nothing(self) -> bool:
        """Whether every contact goes as the record has it."""
        return self.email == self.phone == "plain"


def google_email(email: str) -> str:
    """An e-mail address by the rule `email_google_v1`; applying it twice changes nothing."""
    normal = normalize_email(email)
    local, at, domain = normal.rpartition("@")
    if domain not in _GOOGLE:
        return normal
    return local.partition("+")[0].replace(".", "") + at + domain


EMAIL_RULES: dict[str, Callable[[str], str]] = {"email_v1": normalize_email, "email_google_v1": google_email}


def contact_as(kind: Contact, value: str, settings: ContactSettings, country: str | None) -> tuple[str | None, str]:
    """The contact as the destination takes it, None where it is left out, and why that was not asked for ("" where it was).

    `country` is the record's, for phone numbers without one.
    """
    form = settings.email if kind == "email" else settings.phone
    if form == "plain":
        return value, ""
    if form == "omit":
        return None, ""
    if _DIGEST.fullmatch(digest := value.strip().lower()):
        return (digest, "") if settings.is_hashed else (None, A_HASH)
    normal = _email_of(value, settings.email_rule) if kind == "email" else normalize_phone(value, country)
    if normal is None:
        return None, NOT_USABLE[kind]
    return (normal, "") if form == "normalized" else (sha256(normal.encode()).hexdigest(), "")


def _email_of(value: str, rule: str) -> str | None:
    normal = EMAIL_RULES[rule](value)
    return normal if _EMAIL.fullmatch(normal) else None
