"""Consent from configured fields of commercetools records."""

from __future__ import annotations

import json
from typing import Any

import pytest
from commercetools_stub import sample


def rich(**changes: Any) -> dict[str, Any]:
    return sample("order-rich") | changes


@pytest.mark.parametrize(
    ("served", "expected", "number"),
    [
        (cents(4200), Money(4200, "EUR", 2), 42.0),
        (cents(4200, "JPY", 0), Money(4200, "JPY", 0), 4200),
        (cents(4200, "KWD", 3), Money(4200, "KWD", 3), 4.2),
        (cents(1, "EUR", 7, preciseAmount=123456) | {"type": "highPrecision"}, Money(123456, "EUR", 7), 0.0123456),
    ],
)
def test_money_keeps_its_digits(served: dict[str, Any], expected: Money, number: float) -> None:
    """Digits come from the record, and a high-precision price from its precise amount."""
    amount = money(msgspec.convert(served, Cents))
    assert (amount, amount.number()) == (expected, number)


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"createdAt": "yesterday at noon"}, "$.createdAt"),
        ({"lineItems": [{"id": 5}]}, "$.lineItems[0].id"),
        ({"totalPrice": cents(1) | {"centAmount": "secret-amount"}}, "$.totalPrice.centAmount"),
    ],
)
def test_what_is_wrong_is_told_by_path_without_the_value(changes: dict[str, Any], path: str) -> None:
    """The message names the field and the types, never what it held."""
    data = json.dumps(rich(**changes)).encode()
    with pytest.raises(ValueError, match="Expected") as caught:
        order_of(msgspec.json.decode(data, type=OrderRecord), SHOP, KNOWN, Consent())
    assert path in str(caught.value)
    assert "secret-amount" not in str(caught.value)
    assert "yesterday" not in str(caught.value)


@pytest.mark.parametrize("name", ["customer", "order-rich"])
def test_secrets_never_reach_an_entity_or_a_dead_letter(name: str) -> None:
    """Password hashes, payment tokens and provider messages are in no entity and in no scrubbed record."""
    data = json.dumps(sample(name) | {"vatId": "DE123", "dateOfBirth": "1815-12-10"}).encode()
    if name == "customer":
        shown = repr(customer_of(msgspec.json.decode(data, type=CustomerRecord), KNOWN, Consent()))
    else:
        shown = repr(order_of(msgspec.json.decode(data, type=OrderRecord), SHOP, KNOWN, Consent()))
    kept = scrubbed(data)
    assert kept is not None
    for secret in ("****aGg=", "tok_secret_123", "pan_4242", "DE123", "1815-12-10"):
        assert secret not in shown
        assert secret not in kept.decode()
    assert json.loads(kept)["id"] == sample(name)["id"]
