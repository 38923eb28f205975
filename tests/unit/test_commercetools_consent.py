"""Consent from configured fields of commercetools records."""

from __future__ import annotations

import json
from typing import Any

import pytest
from commercetools_stub import sample

from cdi_cli.sources import ConsentField
from cdi_cli.sources._consent import ConsentReader


def rich(**changes: Any) -> dict[str, Any]:
    return sample("order-rich") | changes


def test_consent_is_read_from_configured_paths() -> None:
    """Given, denied, missing and unexpected values are told apart; `true` is not 1."""
    fields = {
        "email": ConsentField("custom.fields.consentEmail"),
        "ads": ConsentField("custom.fields.consentAds", ("yes",), ("no",)),
        "sms": ConsentField("custom.fields.consentSms"),
        "number": ConsentField("custom.fields.consentEmail", (1,), (0,)),
        "tier": ConsentField("custom.fields.loyaltyTier", ("platinum",), ()),
    }
    consent = ConsentReader(fields).read(json.dumps(rich()).encode())
    assert consent.categories == {
        "email": "granted",
        "ads": "denied",
        "sms": "unknown",
        "number": "unknown",
        "tier": "unknown",
    }


@pytest.mark.parametrize("custom", [None, "text", {"fields": None}, {"fields": []}])
def test_consent_of_an_unexpected_record_is_unknown_for_that_path_only(custom: Any) -> None:
    """A path that leads through something else than an object gives unknown; other paths still count."""
    fields = {"email": ConsentField("custom.fields.consentEmail"), "origin": ConsentField("origin", ("Customer",))}
    consent = ConsentReader(fields).read(json.dumps(rich(custom=custom)).encode())
    assert consent.categories == {"email": "unknown", "origin": "granted"}


def test_consent_of_a_list_is_denied_if_any_value_denies() -> None:
    """A set field counts by its members, and a denial wins."""
    reader = ConsentReader({"email": ConsentField("x", ("yes",), ("no",))})
    assert reader.read(b'{"x":["yes"]}').categories == {"email": "granted"}
    assert reader.read(b'{"x":["yes","no"]}').categories == {"email": "denied"}
