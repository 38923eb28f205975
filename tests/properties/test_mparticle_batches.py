"""mParticle batches for any events: valid by the vendor's schema, nothing cut, nothing raised, routes that never mix."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from mparticle_events import NOW, encoder, event, profile
from mparticle_judge import violations

from cdi_cli.clock import instant_from_datetime
from cdi_cli.destinations import Rejected
from cdi_cli.destinations.mparticle.attributes import units
from cdi_cli.destinations.mparticle.destination import HISTORICAL, HISTORICAL_AGES, REGULAR, route
from cdi_cli.destinations.mparticle.encode import BATCH_BYTES_MAX
from cdi_cli.sandbox.clock import SandboxClock
from cdi_cli.sandbox.mparticle.inbox import MparticleInbox, MparticleRequest

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=300)
LONG = st.builds(lambda text, times: text * times, st.sampled_from(["x", "ü", "\U0001f600"]), st.integers(0, 5000))
SCALARS = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | TEXT | LONG
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4), max_leaves=12
)
KNOWN = st.sampled_from(
    ["order_id", "total", "tax", "coupon", "currency", "products", "email", "phone", "firstName", "address", "value"]
)
OBJECTS = st.dictionaries(KNOWN | TEXT, JSON, max_size=8)
PRODUCTS = st.lists(
    st.dictionaries(st.sampled_from(["product_id", "price", "quantity", "position", "sku"]), SCALARS), max_size=4
)
ANYTHING = st.one_of(JSON, st.binary(max_size=5), st.builds(object), st.just("\ud800"))
KINDS = st.sampled_from(
    ["order.completed", "order.refunded", "cart.checkout_started", "order.updated", "customer.created", "x"]
)
CONSENT = {"Ads": {"gdpr": "ads", "ccpa": True}}


def check(encoded: bytes) -> dict[str, Any]:
    """The batch; fails if mParticle would refuse it, cut it or drop part of it."""
    batch: dict[str, Any] = json.loads(encoded)
    assert violations(batch) == []
    assert len(encoded) <= BATCH_BYTES_MAX
    inbox = MparticleInbox(SandboxClock())
    inbox.receive([batch], MparticleRequest("", 1, len(encoded)), is_historical=False)
    assert ([entry.code for entry in inbox.dropped], inbox.truncated) == ([], [])
    (applied,) = inbox.applied
    assert applied.batch == batch
    for values in (batch.get("user_attributes", {}), *_products(batch)):
        assert all(0 < units(name) <= 256 for name in values)
        assert all(units(value) <= 4096 for value in values.values() if isinstance(value, str))
    return batch


def _products(batch: dict[str, Any]) -> list[dict[str, Any]]:
    actions = [one["data"].get("product_action", {}) for one in batch.get("events", [])]
    return [product.get("custom_attributes", {}) for action in actions for product in action.get("products", [])]


@given(
    kind=KINDS, name=TEXT, user=TEXT, guest=st.none() | TEXT, properties=OBJECTS, products=st.none() | PRODUCTS,
    consent=st.sampled_from([{}, {"Ads": True}, {"Ads": False}]), denied=st.sampled_from([[], ["Ads"], "Ads", None]),
    oversized=st.sampled_from(["reject", "trim"]),
)  # fmt: skip
def test_whatever_is_encoded_is_valid_and_whole(
    kind: str,
    name: str,
    user: str,
    guest: str | None,
    properties: dict[str, Any],
    products: Any,
    consent: Any,
    denied: Any,
    oversized: str,
) -> None:
    """The vendor's schema passes every batch and the simulator cuts nothing of it; else there is a stable reason."""
    body = properties if products is None else properties | {"products": products}
    context = {"consent": {"categoryPreferences": consent, "denied": denied}}
    one = event(kind=kind, name=name, user_id=user, anonymous_id=guest, properties=body, context=context)

    encoded = encoder(consent=CONSENT, oversized=oversized).event(one)

    if isinstance(encoded, Rejected):
        assert encoded.reason.startswith("mparticle_")
    else:
        batch = check(encoded)
        assert batch["source_request_id"] == one.id
        assert batch["user_identities"]["customer_id"] == user
        is_known = consent == {"Ads": True} or (consent == {"Ads": False} and denied == ["Ads"])
        assert ("consent_state" in batch) == is_known


@given(OBJECTS, st.sampled_from(["reject", "trim"]))
def test_profiles_are_valid_and_whole(traits: dict[str, Any], oversized: str) -> None:
    """The same for a profile; it holds no events."""
    encoded = encoder(oversized=oversized).event(profile(properties=traits))

    if isinstance(encoded, Rejected):
        assert encoded.reason.startswith("mparticle_")
    else:
        assert "events" not in check(encoded)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(["track", "identify", "group", "page", "screen", "alias"]) | TEXT,
            "id": ANYTHING, "name": ANYTHING, "at": ANYTHING, "user_id": ANYTHING, "anonymous_id": ANYTHING,
            "properties": OBJECTS | ANYTHING, "context": OBJECTS | ANYTHING | st.fixed_dictionaries({"consent": ANYTHING}),
        },
    )
)  # fmt: skip
def test_encoding_is_total(changes: dict[str, Any]) -> None:
    """Any event whatsoever becomes a valid batch or a rejection with a stable code; it never raises."""
    outcome = encoder(consent=CONSENT).event(event(**changes))

    if isinstance(outcome, Rejected):
        assert outcome.reason.startswith("mparticle_")
        assert outcome.reason.isascii()
    else:
        assert check(outcome)["user_identities"]


@given(st.lists(st.integers(0, 60 * 24 * 60), min_size=1, max_size=30), st.sampled_from(["30d", "72h"]), st.data())
def test_no_young_event_is_ever_sent_as_history(minutes: list[int], after: str, draw: st.DataObject) -> None:
    """Whatever the ages and the moment of sending, the historical endpoint drops nothing, and each event is routed once."""
    one = encoder(historical_after=after)
    events = [event(number, at=instant_from_datetime(NOW - timedelta(minutes=age))) for number, age in enumerate(minutes)]
    bodies = [body for each in events if isinstance(body := one.event(each), bytes)]
    now = NOW + timedelta(minutes=draw.draw(st.integers(0, 60 * 24 * 40)))
    routes = route(bodies, one, now, HISTORICAL_AGES[after])

    assert sorted(number for numbers in routes.values() for number in numbers) == list(range(len(bodies)))
    for number in routes.get(HISTORICAL, []):
        assert now - (NOW - timedelta(minutes=minutes[number])) > timedelta(hours=72)
    for number in routes.get(REGULAR, []):
        assert now - (NOW - timedelta(minutes=minutes[number])) < timedelta(days=30)
