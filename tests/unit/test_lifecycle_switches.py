"""The switches of a pipeline's lifecycle: what makes Checkout Started, Order Completed and a profile, for which source."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from config_connectors import GOOD, KNOWN, changed, problems_of, write
from doubles import order
from jobs import replace_order

from cdi_cli import sources
from cdi_cli.clock import parse_instant
from cdi_cli.commerce import Address, Cart, Consent, LineItem, Money
from cdi_cli.config.load import load_settings
from cdi_cli.config.problems import SettingsError
from cdi_cli.config.switches import Switches
from cdi_cli.events import KINDS, LifecycleSettings, occurrences, origins_of
from cdi_cli.pipeline.opening import fingerprint
from cdi_cli.pipeline.scope import Scope
from cdi_cli.pipeline.shaping import lifecycle_of
from cdi_cli.plan import compile_plan, load_plan

LINE = LineItem("l", "p", "Spam", Money(1000, "EUR"), 1, Money(1000, "EUR"), 1)
ORDER = replace_order(
    order(1), lines=(LINE,), email="a@b.example", checkout_id="checkout-1", consent=Consent({"Ads": "granted"}),
    shipping_address=Address(country="DE"), coupons=("X",), shipping=Money(100, "EUR"), store="s",
)  # fmt: skip
CART = Cart(
    "cart-1", 1, ORDER.created_at, ORDER.created_at, "Active", "EUR", ORDER.total, ORDER.revenue, (LINE,), is_checkout=True,
    customer_id="c",
)  # fmt: skip


def kinds(entity: Any, **settings: Any) -> list[str]:
    """What has happened to an entity under settings."""
    return [one.kind for one in occurrences(entity, LifecycleSettings(**settings))]


def test_a_cart_tells_checkout_started_unless_an_order_does() -> None:
    """Exactly one of the two says it."""
    assert kinds(CART) == ["cart.checkout_started"]
    assert "cart.checkout_started" not in kinds(ORDER)
    assert kinds(CART, checkout_started="created") == []
    assert kinds(ORDER, checkout_started="created")[0] == "cart.checkout_started"


@pytest.mark.parametrize(("is_authorized", "expected"), [(None, False), (False, False), (True, True)])
def test_an_authorized_order_tells_checkout_started(is_authorized: bool | None, expected: bool) -> None:
    """Only an order that says that its payment was promised."""
    found = kinds(replace_order(ORDER, is_authorized=is_authorized), checkout_started="authorized")
    assert ("cart.checkout_started" in found) is expected


@pytest.mark.parametrize(("is_authorized", "expected"), [(None, True), (False, False), (True, True)])
def test_an_order_is_placed_once_its_payment_was_promised(is_authorized: bool | None, expected: bool) -> None:
    """Where orders exist only once they were placed, nothing is asked."""
    found = kinds(replace_order(ORDER, is_authorized=is_authorized))
    assert ("order.completed" in found) is expected


def test_the_checkout_of_an_order_is_the_order() -> None:
    """Its time, lines, amounts and people; its id is what Order Completed names as the checkout."""
    occurrence = occurrences(ORDER, LifecycleSettings(checkout_started="created"))[0]
    cart = occurrence.subjects["cart"]
    assert isinstance(cart, Cart)
    assert occurrence.entity is cart
    assert (cart.id, cart.is_checkout, occurrence.at) == ("checkout-1", True, ORDER.placed_at)
    for name in ("lines", "total", "revenue", "shipping", "coupons", "customer_id", "email", "consent", "store", "currency"):
        assert getattr(cart, name) == getattr(ORDER, name)
    without = occurrences(replace_order(ORDER, checkout_id=None), LifecycleSettings(checkout_started="created"))[0]
    assert without.entity.id == ORDER.id


def test_a_checkout_told_by_an_order_is_in_the_scope_of_orders() -> None:
    """A pipeline that reads no carts knows since when orders are news."""
    occurrence = occurrences(ORDER, LifecycleSettings(checkout_started="created"))[0]
    scope = Scope({"order": parse_instant("2025-01-01T00:00:00.000Z")})
    family = occurrence.told_by
    assert family == "order"
    assert scope.why_not(family, occurrence.entity.created_at, occurrence) is None
    assert scope.why_not("cart", occurrence.entity.created_at, occurrence) == "before_first_sight"


def test_where_a_kind_comes_from_depends_on_the_switch() -> None:
    """What `cdi validate` says can happen."""
    checkout = KINDS["cart.checkout_started"]
    assert origins_of(checkout, LifecycleSettings()) == {"cart"}
    assert origins_of(checkout, LifecycleSettings(checkout_started="authorized")) == {"order"}
    assert origins_of(KINDS["order.completed"], LifecycleSettings(checkout_started="created")) == {"order"}


def test_each_source_says_what_it_can_tell() -> None:
    """The first value of each switch is the source's own default; Elastic Path has no carts."""
    found = {name: sources.load(name).switches for name in ("commercetools", "magento", "elasticpath")}
    assert {name: one.checkout_started[0] for name, one in found.items()} == {
        "commercetools": "cart", "magento": "cart", "elasticpath": "created",
    }  # fmt: skip
    assert {name: one.order_completed[0] for name, one in found.items()} == {
        "commercetools": "placed", "magento": "placed", "elasticpath": "paid",
    }  # fmt: skip
    for name, one in found.items():
        has_carts = any(stream.family == "cart" for stream in sources.load(name).streams)
        assert ("cart" in one.checkout_started) is has_carts
        assert ("deleted" in one.customer_updated) is bool(one.deletions)
        assert not one.deletions or one.deletions in sources.load(name).names


def test_what_a_file_leaves_open_is_what_the_source_says(tmp_path: Path) -> None:
    """Defaults are those of the pipeline's own source, and are shown as if they had been written."""
    own = Switches(order_completed=("paid",), checkout_started=("created",))
    for switches, expected in ((Switches(), ("placed", "cart")), (own, ("paid", "created"))):
        known = replace(KNOWN, switches=lambda _type, switches=switches: switches)  # type: ignore[misc]
        (pipeline,) = load_settings(write(tmp_path, GOOD), known=known, environment={}).pipelines.values()
        assert (pipeline.lifecycle.order_completed, pipeline.lifecycle.checkout_started) == expected
        assert pipeline.lifecycle.customer_updated == "updated"


@pytest.mark.parametrize(
    ("lifecycle", "message", "hint"),
    [
        (
            "checkout_started: authorized",
            "a source of type `shop` cannot tell `checkout_started: authorized`",
            "one of `cart`, `created`",
        ),
        (
            "customer_updated: deleted",
            "a source of type `shop` cannot tell `customer_updated: deleted`",
            "leave it out, or write `updated`",
        ),
        ("order_completed: shipped", "`order_completed` must be one of `placed`, `paid`, `fulfilled`", None),
    ],
)
def test_a_switch_that_the_source_cannot_serve_is_a_mistake(
    tmp_path: Path, lifecycle: str, message: str, hint: str | None
) -> None:
    """It says which source, which switch, and what can be written instead."""
    text = changed(
        "{source: main, destinations: [sink]}", f"{{source: main, destinations: [sink], lifecycle: {{{lifecycle}}}}}"
    )
    (problem,) = problems_of(tmp_path, text)
    assert problem.message == message
    assert hint is None or problem.hint == hint


def test_deletions_must_be_read_to_be_told(tmp_path: Path) -> None:
    """`customer_updated: deleted` without the stream that tells them would say nothing at all."""
    known = replace(KNOWN, switches=lambda _type: Switches(customer_updated=("updated", "deleted"), deletions="customers"))
    head = "{source: main, destinations: [sink], lifecycle: {customer_updated: deleted}"
    file = write(tmp_path, changed("{source: main, destinations: [sink]}", head + "}"))
    with pytest.raises(SettingsError) as caught:
        load_settings(file, known=known, environment={})
    assert [one.hint for one in caught.value.problems] == ["name `customers` among its `streams`"]
    text = changed("{source: main, destinations: [sink]}", head + ", streams: [customers, orders]}")
    (pipeline,) = load_settings(write(tmp_path, text), known=known, environment={}).pipelines.values()
    assert "customer.profile" in lifecycle_of(pipeline.lifecycle).off


def test_switches_as_usual_leave_running_jobs_alone(tmp_path: Path) -> None:
    """A backfill that was begun before there were switches can be gone on with; any other setting is another job."""
    plan = compile_plan(load_plan())

    def print_of(lifecycle: str) -> str:
        text = changed("{source: main, destinations: [sink]}", f"{{source: main, destinations: [sink]{lifecycle}}}")
        settings = load_settings(write(tmp_path, text), known=KNOWN, environment={})
        return fingerprint(settings, settings.pipelines["daily"], plan, ())

    usual = print_of("")
    assert print_of(", lifecycle: {order_completed: placed, checkout_started: cart, customer_updated: updated}") == usual
    assert print_of(", lifecycle: {checkout_started: created}") != usual
    assert print_of(", lifecycle: {order_completed: paid}") != usual
