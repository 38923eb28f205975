"""Scope: an old order that somebody touches today is not a new purchase."""

from __future__ import annotations

from typing import Any

from doubles import order

from cdi_cli.clock import Instant, Window, parse_instant
from cdi_cli.commerce import Customer, Money, Refund, Shipment
from cdi_cli.events import LifecycleSettings, Occurrence, occurrences
from cdi_cli.pipeline.scope import Scope

ORIGIN = parse_instant("2026-03-01T00:00:00.000Z")
OLD, NEW = parse_instant("2025-01-01T00:00:00.000Z"), parse_instant("2026-03-02T00:00:00.000Z")
SYNC = Scope({"order": ORIGIN, "customer": ORIGIN})


def completed(settings: LifecycleSettings | None = None, **changes: Any) -> Occurrence:
    """The Order Completed of an order."""
    found = occurrences(order(1, **changes), settings or LifecycleSettings())
    return next(one for one in found if one.kind == "order.completed")


def verdict(scope: Scope, occurrence: Occurrence) -> str | None:
    """Why an occurrence is not sent."""
    return scope.why_not(occurrence.kind.partition(".")[0], occurrence.entity.created_at, occurrence)


def test_a_purchase_from_before_the_sync_began_is_left_out() -> None:
    """First sight of an old order sends no Order Completed."""
    assert verdict(SYNC, completed(created_at=OLD)) == "before_first_sight"


def test_a_purchase_since_the_sync_began_is_news() -> None:
    """An order placed after the origin is sent."""
    assert verdict(SYNC, completed(created_at=NEW)) is None


def test_a_purchase_of_a_backfilled_window_is_in_scope() -> None:
    """What the backfill was asked for may be sent by the sync, whoever comes first."""
    scope = Scope({"order": ORIGIN}, {"order": (Window(Instant(OLD), ORIGIN),)})

    assert verdict(scope, completed(created_at=OLD)) is None


def test_a_refund_made_today_on_an_old_order_is_news() -> None:
    """The refund is new though the purchase is not."""
    old = order(1, created_at=OLD, refunds=(Refund("r", Money(5, "EUR"), NEW),))

    verdicts = {one.kind: verdict(SYNC, one) for one in occurrences(old, LifecycleSettings())}

    assert verdicts == {"order.completed": "before_first_sight", "order.refunded": None}


def test_what_may_have_happened_long_ago_is_no_news() -> None:
    """A cancellation or shipment without a time of its own, of an order that nobody was told of, is left out."""
    old = order(1, created_at=OLD, updated_at=NEW, is_cancelled=True, shipments=(Shipment(None, NEW),))
    dated = order(2, created_at=OLD, is_cancelled=True, cancelled_at=NEW, shipments=(Shipment("parcel", NEW),))

    of_old = {one.kind: verdict(SYNC, one) for one in occurrences(old, LifecycleSettings())}
    of_dated = {one.kind: verdict(SYNC, one) for one in occurrences(dated, LifecycleSettings())}

    assert of_old == dict.fromkeys(("order.completed", "order.fulfilled", "order.cancelled"), "before_first_sight")
    assert of_dated == {"order.completed": "before_first_sight", "order.fulfilled": None, "order.cancelled": None}


def test_an_imported_order_is_news_by_its_creation() -> None:
    """An order imported today is new here, though it was placed years ago."""
    assert verdict(SYNC, completed(created_at=NEW, placed_at=OLD)) is None


def test_an_old_order_that_is_paid_today_is_completed_today_where_payment_completes() -> None:
    """With `order_completed: paid`, the day of the payment decides."""
    paid = LifecycleSettings(order_completed="paid")

    assert verdict(SYNC, completed(paid, created_at=OLD, is_paid=True, paid_at=NEW)) is None
    assert verdict(SYNC, completed(paid, created_at=OLD, is_paid=True, paid_at=OLD)) == "before_first_sight"


def test_a_profile_is_always_in_scope() -> None:
    """An old customer's profile says how they are now; that they signed up is history."""
    customer = Customer("c", 1, OLD, NEW)

    verdicts = {one.kind: verdict(SYNC, one) for one in occurrences(customer, LifecycleSettings())}

    assert verdicts == {"customer.profile": None, "customer.created": "before_first_sight"}


def test_a_family_without_an_origin_is_out_of_scope() -> None:
    """A stream that the sync does not read brings in nothing through others."""
    assert verdict(Scope({"customer": ORIGIN}), completed(created_at=NEW)) == "before_first_sight"


def test_what_the_ledger_has_forgotten_is_never_sent_again() -> None:
    """Beyond the retention nothing tells whether it was sent: so it counts as sent."""
    scope = Scope({"order": Instant(OLD)}, {}, {"order": ORIGIN}.get)

    assert verdict(scope, completed(created_at=OLD)) == "beyond_retention"
