"""Contacts: normalising twice changes nothing, and what is hashed is never nothing."""

from __future__ import annotations

import re
from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from cdi_cli.events import ContactSettings, contact_as
from cdi_cli.events.contacts import EMAIL_RULES
from cdi_cli.events.phone import normalize_phone

TEXT = st.text(max_size=40)
DIALLED = st.text("0123456789+-()/ .\u00a0\u200b\uff15", max_size=22)
COUNTRIES = st.sampled_from(["DE", "IT", "US", "FR", "HU", "JP", "RU", "KE", "WS", "XX", "", None])


@given(st.one_of(TEXT, DIALLED), COUNTRIES)
def test_a_normal_number_stays_as_it_is(text: str, country: str | None) -> None:
    """E.164 or nothing, and the same again whatever the country."""
    normal = normalize_phone(text, country)

    if normal is not None:
        assert re.fullmatch(r"\+[1-9]\d{6,14}", normal, re.ASCII)
        assert normalize_phone(normal, country) == normalize_phone(normal) == normal


@given(st.one_of(TEXT, TEXT.map(lambda text: f"{text}@gmail.com")))
def test_a_normal_address_stays_as_it_is(text: str) -> None:
    """Both rules, twice."""
    for rule in EMAIL_RULES.values():
        assert rule(rule(text)) == rule(text)


@given(st.sampled_from(["email", "phone"]), st.one_of(TEXT, DIALLED), COUNTRIES, st.booleans())
def test_a_hash_is_that_of_the_normal_form(kind: str, text: str, country: str | None, is_hashed: bool) -> None:
    """What is normalised to nothing is hashed to nothing, with a reason; anything else to the hash of it."""
    normal, why = contact_as(kind, text, ContactSettings("normalized", phone="normalized", is_hashed=is_hashed), country)  # type: ignore[arg-type]
    hashed, why_hashed = contact_as(kind, text, ContactSettings("sha256", phone="sha256", is_hashed=is_hashed), country)  # type: ignore[arg-type]

    assert (normal is None) == bool(why)
    assert why == why_hashed
    assert hashed == (sha256(normal.encode("utf-8")).hexdigest() if normal is not None else None)
