"""The named rules for contacts against vectors that were not made with them (`contacts/README.md`)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cdi_cli.events import ContactSettings, contact_as
from cdi_cli.events.contacts import EMAIL_RULES
from cdi_cli.events.identity import email_sha256
from cdi_cli.events.phone import normalize_phone

FOLDER = Path(__file__).parent / "contacts"


def rows(name: str) -> list[dict[str, Any]]:
    """The vectors of one file."""
    return [json.loads(line) for line in (FOLDER / name).read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("row", rows("emails.jsonl"), ids=lambda row: ascii(row["email"]))
def test_an_email_by_each_rule(row: dict[str, Any]) -> None:
    """Normalised form and hash of each rule, and the hash that a user id is made of."""
    for rule in ("email_v1", "email_google_v1"):
        assert EMAIL_RULES[rule](row["email"]) == row[rule]
        settings = ContactSettings(email="sha256", email_rule=rule)
        assert contact_as("email", row["email"], settings, None) == (row[f"{rule}_sha256"], "")
    assert email_sha256(row["email"]) == row["email_v1_sha256"]


def test_every_country_s_numbers_in_national_form() -> None:
    """A number as it is written at home, read with its country, is what libphonenumber makes of it, or nothing."""
    vectors = rows("phones.jsonl")
    wrong = [
        row
        for row in vectors
        if normalize_phone(row["national"], row["country"]) != (row["e164"] if row["read_nationally"] else None)
        and not (row["country"] == "AR" and normalize_phone(row["national"], "AR") is None)
    ]

    assert wrong == []
    assert len({row["country"] for row in vectors if row["read_nationally"]}) == 243


def test_every_country_s_numbers_in_international_form() -> None:
    """A number with its country code needs no country, and a wrong one does not change it."""
    wrong = [
        row
        for row in rows("phones.jsonl")
        for country in (None, "DE", "US", row["country"])
        if normalize_phone(row["international"], country) != row["e164"]
    ]

    assert wrong == []
