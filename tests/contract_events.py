"""Events for contract tests: as the pipeline makes them, and as no plan should make them."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import strategies as st

from cdi_cli.clock import Instant
from cdi_cli.events import Event, key_of
from cdi_cli.events.ids import content_of

NAME_CHARACTERS = 200
"""No product cuts or refuses a name of this length."""
AT = Instant("2026-01-31T12:00:00.000Z")
SALE = {"currency": "EUR", "revenue": 39.98}
"""What a product needs to take an order for a sale, whatever else the order says."""
# Any code point, half surrogates too: a record can hold them as escapes, and they are no valid Unicode text.
any_text = st.text(st.characters(exclude_categories=()) | st.sampled_from("\ud800\udfff\x00\u2028"), max_size=30)
plain_text = st.text(st.characters(codec="utf-8"), max_size=30)
names = plain_text.filter(bool)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | plain_text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)
_odd_values = json_values | any_text | st.just(float("nan")) | st.just(2**80) | st.binary(max_size=4)


def event(number: int = 1, *, padding: int = 0, **changes: Any) -> Event:
    """An Order Completed; `padding`: characters in the names of its products; `changes` replace fields as they are."""
    properties: dict[str, Any] = {"order_id": f"ORD-{number}", "revenue": 39.98, "currency": "EUR"}
    if padding:
        texts = ["x" * min(NAME_CHARACTERS, padding - start) for start in range(0, padding, NAME_CHARACTERS)]
        properties["products"] = [{"product_id": "p", "name": name, "price": 1.5, "quantity": 1} for name in texts]
    properties = changes.get("properties", properties)
    body = changes.pop("body", None) or msgspec.json.encode(properties)
    identifier = f"cdi:acme:shop:order:{number}:order-completed"
    fields: dict[str, Any] = {
        "id": identifier,
        "kind": "order.completed",
        "type": "track",
        "name": "Order Completed",
        "at": AT,
        "user_id": f"customer-{number}",
        "anonymous_id": None,
        "properties": properties,
        "context": {"locale": "en-GB", "consent": {"categoryPreferences": {"Analytics": True}}},
        "body": body,
        "family": "order",
        "entity_id": str(number),
        "created_at": AT,
        "key": key_of(identifier),
        "content": content_of(body),
    }
    return Event(**(fields | changes))


def identify(number: int = 1, **changes: Any) -> Event:
    """A customer's profile; `changes` are other traits."""
    traits = {"email": f"person{number}@example.com", "first_name": "Zoë", "orders": 3} | changes
    identifier = f"cdi:acme:shop:customer:{number}:identify:c0ffee{number:010x}"
    return event(
        number,
        id=identifier,
        kind="customer.profile",
        type="identify",
        name="identify",
        properties=traits,
        family="customer",
        key=key_of(identifier),
    )


@st.composite
def any_event(draw: st.DrawFn) -> Event:
    """An event with whatever texts and values can get into one, however senseless."""
    properties = draw(st.dictionaries(plain_text, json_values, max_size=5))
    return event(
        draw(st.integers(0, 10**9)),
        id=draw(any_text | st.text("a", min_size=90, max_size=110)),
        type=draw(st.just("track") | st.sampled_from(["identify", "group", "page", "screen", "alias", "other", ""])),
        name=draw(any_text),
        at=draw(st.just(AT) | st.sampled_from(["", Instant("0001-01-01T00:00:00.000Z")])),
        user_id=draw(st.none() | any_text),
        anonymous_id=draw(st.none() | any_text),
        properties=properties,
        context=draw(st.dictionaries(any_text | st.just("consent"), _odd_values, max_size=3)),
    )


good_events = st.builds(
    lambda number, name, properties, context: event(number, name=name, properties=properties | SALE, context=context),
    st.integers(0, 10**9),
    names,
    st.dictionaries(names, json_values, max_size=5),
    st.dictionaries(st.sampled_from(["locale", "traits", "shop"]), json_values.filter(lambda value: value is not None)),
)
