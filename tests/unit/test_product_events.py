"""Products as events: of nobody, without consent, again when their content changes, hidden only where they were shown."""

from __future__ import annotations

from typing import Any

import pytest
from doubles import FakeDestination
from plan_tools import a_product, euro

from cdi_cli.clock import Instant, Window
from cdi_cli.commerce import Product
from cdi_cli.events import EventBuilder, IdentitySettings, IdFormat, LifecycleSettings, missing_consent, occurrences
from cdi_cli.pipeline.issue import Issuer
from cdi_cli.pipeline.items import Issue
from cdi_cli.pipeline.letters import record_place
from cdi_cli.pipeline.scope import Scope
from cdi_cli.plan import compile_plan, load_plan

BUILDER = EventBuilder(IdFormat("acme", "shop"), IdentitySettings(), event_version=1)
LATER = Instant("2027-01-01T00:00:00.000Z")
PLAN = compile_plan(load_plan())


def issuer(ledger: dict[bytes, bytes], **changes: Any) -> Issuer:
    """An issuer for a destination that asks for a consent."""
    fields: dict[str, Any] = {
        "plan": PLAN,
        "builder": BUILDER,
        "lifecycle": LifecycleSettings(),
        "destination": FakeDestination(),
        "require_consent": ("Ads",),
        "delivered": lambda _family, keys: {key: ledger[key] for key in keys if key in ledger},
        "scrub": lambda _stream, record: record,
        "scope": Scope({"order": LATER}),
    }
    return Issuer(**{**fields, **changes})


def issued(ledger: dict[bytes, bytes], *products: Product) -> Issue:
    """What a record with these variants comes to; what is sent is delivered."""
    issue = issuer(ledger).issue("products", [b"{}"], [list(products)])
    ledger |= {item.event.key: item.event.content for item in issue.outgoing}
    return issue


def counted(issue: Issue) -> set[tuple[str, str]]:
    return {(outcome, reason) for (_, _, outcome, reason), _ in issue.counts.items()}


def test_a_product_belongs_to_nobody() -> None:
    """No id, no consent, no person in its context; its time is when it was changed."""
    (happened,) = occurrences(a_product(), LifecycleSettings())
    event = BUILDER.build(happened, "Product Updated", "track", {"sku": "SKU-1"})

    assert event is not None
    assert (event.kind, event.family, event.entity_id, event.at) == ("product.snapshot", "product", "SKU-1", happened.at)
    assert (event.user_id, event.anonymous_id, event.context) == (None, None, {"protocols": {"event_version": 1}})
    assert missing_consent(event, ("Ads", "Analytics")) is None
    assert event.id.startswith("cdi:acme:shop:product:SKU-1:product-updated:7-")


def test_the_kind_can_be_switched_off() -> None:
    """As every other kind."""
    assert occurrences(a_product(), LifecycleSettings(off=("product.snapshot",))) == []


def test_only_changed_products_go_out() -> None:
    """Whatever the version and the time; an old product is news, as its content is how it stands now."""
    ledger: dict[bytes, bytes] = {}
    first = issued(ledger, a_product())
    same = issued(ledger, a_product(version=8, updated_at=LATER))
    cheaper = issued(ledger, a_product(prices={"EUR": euro(999)}))

    assert [len(each.outgoing) for each in (first, same, cheaper)] == [1, 0, 1]
    assert counted(same) == {("duplicate", "delivered_before")}
    assert cheaper.outgoing[0].event.properties["price"] == {"EUR": 9.99}


def test_variants_of_one_record_are_told_apart() -> None:
    """Each has its place in the ledger; a change of one sends that one."""
    ledger: dict[bytes, bytes] = {}
    both = a_product(), a_product(id="SKU-2", sku="SKU-2")
    issued(ledger, *both)
    again = issued(ledger, both[0], a_product(id="SKU-2", sku="SKU-2", stock_count=0, is_in_stock=False))

    assert [(item.event.entity_id, item.event.properties["in_stock"]) for item in again.outgoing] == [("SKU-2", False)]


def test_a_product_is_hidden_only_where_it_was_shown() -> None:
    """And shown again when it is published again."""
    hidden = Product("SKU-1", 8, a_product().created_at, LATER, product_id="shirt", is_published=False)
    ledger: dict[bytes, bytes] = {}
    never = issued(ledger, hidden)
    issued(ledger, a_product())
    (told,) = issued(ledger, hidden).outgoing
    again = issued(ledger, hidden)

    assert (never.outgoing, counted(never)) == ([], {("filtered", "never_published")})
    assert told.event.properties == {"product_id": "shirt", "is_published": False}
    assert counted(again) == {("duplicate", "delivered_before")}
    assert len(issued(ledger, a_product()).outgoing) == 1


def test_a_letter_about_a_product_s_record_is_resolved_by_any_of_its_variants() -> None:
    """The record could not be read; now it can, under the id of the record, which is none of a variant."""
    place = record_place("products", "shirt")
    asked: list[set[bytes]] = []
    one = issuer({}, letters=lambda places: asked.append(set(places)) or {})
    one.issue("products", [b"{}"], [[a_product()]])

    assert place in asked[0]


@pytest.mark.parametrize("changes", [{}, {"locales": {}}, {"prices": {}, "original_prices": {}, "attributes": {}}])
def test_the_default_plan_takes_what_is_made_of_it(changes: dict[str, Any]) -> None:
    """Tables of amounts and of texts are checked as what they hold."""
    (rule,) = PLAN.rules("product.snapshot")
    (happened,) = occurrences(a_product(**changes), LifecycleSettings())
    properties = rule.map(happened, b"{}")
    wrong = {**properties, "price": {"EUR": "cheap"}, "locales": {"de": {"nmae": "Hemd"}}}

    assert rule.check(properties) == ()
    assert {violation.path for violation in rule.check(wrong)} >= {"price.EUR"}
    assert any(violation.path.startswith("locales.de") for violation in rule.check(wrong))


def test_scope_does_not_ask_when_a_product_was_made() -> None:
    """How it stands now is news to whoever has not heard it."""
    scope = Scope({"product": LATER}, {"product": (Window(LATER, Instant("2027-01-02T00:00:00.000Z")),)})
    (happened,) = occurrences(a_product(), LifecycleSettings())

    assert scope.why_not("product", happened.entity.created_at, happened) is None
