"""Whatever an event says, what is encoded for Insider is free of the mistakes that it names, and loses no money."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from contract_events import any_event, json_values, plain_text
from hypothesis import given
from hypothesis import strategies as st
from insider_events import CLOCK, event, product, settings

from cdi_cli.destinations import Filtered, Rejected
from cdi_cli.destinations.insider.encode import Encoder
from cdi_cli.events import Event
from cdi_cli.sandbox.insider.mistakes import of_user
from cdi_cli.sandbox.insider.panel import ATTRIBUTES, PARAMS

KINDS = ["order.completed", "order.refunded", "cart.checkout_started", "customer.profile", "customer.created", "own.kind"]
CENTS = st.integers(0, 10**7).map(lambda cents: cents / 100)
ENCODER = Encoder(settings(consent={"Ads": "email_optin"}, identifiers={"custom": {"guest_id": "anonymous_id"}}), CLOCK)
LINE = st.fixed_dictionaries(
    {"product_id": plain_text, "price": CENTS, "quantity": st.integers(1, 50)},
    optional={"discount": CENTS, "name": plain_text, "category": plain_text, "coupon": plain_text, "url": json_values},
)
ORDER = st.fixed_dictionaries(
    {"order_id": plain_text, "currency": st.sampled_from(["EUR", "JPY"]), "revenue": CENTS},
    optional={"products": st.lists(LINE, max_size=6), "discount": CENTS, "shipping": CENTS, "note": json_values},
)


@st.composite
def events(draw: st.DrawFn) -> Event:
    """An event of any kind, with senseless values or with an order's."""
    if draw(st.booleans()):
        return draw(any_event())
    kind = draw(st.sampled_from(KINDS))
    properties = draw(ORDER | st.dictionaries(plain_text, json_values, max_size=6))
    kind_type: Any = "identify" if kind == "customer.profile" else "track"
    return event(kind=kind, type=kind_type, name="Own Event", properties=properties)


@given(events())
def test_what_is_encoded_has_no_mistake(sample: Event) -> None:
    """By the rules of the simulator, which shares no code with the encoder; names at the root are Insider's own."""
    encoded = ENCODER.event(sample)
    if isinstance(encoded, Rejected | Filtered):
        return

    user = json.loads(encoded)
    assert of_user(user, 0) == {}
    assert set(user.get("attributes", {})) <= ATTRIBUTES | {"custom"}
    for each in user.get("events", []):
        params = each["event_params"]
        assert set(params) <= PARAMS | {"custom"}
        assert all(isinstance(value, str | int | float | bool | list) for value in params.get("custom", {}).values())
        assert None not in params.values()


@given(ORDER)
def test_the_lines_of_an_order_add_up(properties: dict[str, Any]) -> None:
    """What is paid for all lines is their prices less every discount, and never less than nothing for discounts' sake."""
    encoded = ENCODER.event(event(properties=properties))
    assert isinstance(encoded, bytes), encoded

    params = [each["event_params"] for each in json.loads(encoded)["events"]]
    paid = sum(Decimal(str(each["unit_sale_price"])) * each["quantity"] for each in params)
    lines = properties.get("products") or []
    if not lines:
        assert float(paid) == properties["revenue"]
        return
    shown = sum(Decimal(str(line["price"])) * line["quantity"] for line in lines)
    own = sum(Decimal(str(line.get("discount", 0))) for line in lines)
    left = sum(
        max(Decimal(str(line["price"])) * line["quantity"] - Decimal(str(line.get("discount", 0))), 0) for line in lines
    )
    rest = min(max(Decimal(str(properties.get("discount", 0))) - own, 0), left)
    assert float(paid) == pytest.approx(float(shown - own - rest), abs=0.001)
    assert len(params) == len(lines)


@given(st.dictionaries(plain_text, json_values, max_size=6), st.booleans() | st.none())
def test_a_product_is_records_or_a_reason(extra: dict[str, Any], is_published: bool | None) -> None:
    """With an id and a locale each; never an exception."""
    encoded = ENCODER.event(product(1, is_published=is_published, **{k: v for k, v in extra.items() if k != "number"}))
    if isinstance(encoded, Rejected | Filtered):
        return

    fragment = json.loads(encoded)
    assert fragment["catalog"] == ("update" if is_published is False else "ingest")
    assert [(each["item_id"], each["locale"]) for each in fragment["records"]] == [
        ("product-1", "en_US"), ("product-1", "de_DE"),
    ]  # fmt: skip
