"""Consent by region: what counts as given where, what an event says of it, and what is held back for want of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from config_connectors import GOOD, changed, load, problems_of
from doubles import FakeDestination, FakeSource, order
from jobs import plan, run
from replay_bench import letters
from sync_shop import Life, later, placed

from cdi_cli.commerce import Address, Consent, Customer, Order
from cdi_cli.events import (
    ConsentPolicy,
    EventBuilder,
    IdentitySettings,
    IdFormat,
    LifecycleSettings,
    country_of,
    occurrences,
    updated,
)
from cdi_cli.pipeline.issue import Issuer
from cdi_cli.pipeline.shaping import consent_policy

AT = order(0).created_at
POLICY = ConsentPolicy(
    {"DE": "europe", "GB": "europe", "US": "america", "*": "rest"},
    {"europe": "opt_in", "america": "opt_out", "rest": "opt_out"},
    {"Advertising": {"america": "opt_in"}},
)
FORM = IdFormat("test", "shop")
BUILDER = EventBuilder(FORM, IdentitySettings(), event_version=1, consent=POLICY)


def made(entity: Order | Customer, builder: EventBuilder = BUILDER) -> dict[str, Any]:
    """The context of the first event that an entity makes."""
    event = builder.build(occurrences(entity, LifecycleSettings())[0], "Thing Done", "track", {})
    assert event is not None
    return event.context


def in_country(country: str | None, **states: Any) -> Order:
    """An order shipped to a country, with these consents."""
    return order(1, shipping_address=Address(country=country), consent=Consent(states))


@pytest.mark.parametrize(
    ("country", "category", "state", "is_given"),
    [
        ("DE", "Analytics", "unknown", False),
        ("DE", "Analytics", "granted", True),
        ("US", "Analytics", "unknown", True),
        ("US", "Analytics", "denied", False),
        ("US", "Advertising", "unknown", False),
        ("BR", "Analytics", "unknown", True),
        ("BR", "Analytics", "denied", False),
        (None, "Analytics", "unknown", False),
    ],
)
def test_what_is_unknown_counts_by_region(country: str | None, category: str, state: str, is_given: bool) -> None:
    """Opt-in: not given; opt-out: given; a category's own regime wins; a no is a no; without a country: opt-in."""
    said = made(in_country(country, **{category: state}))["consent"]

    assert said["categoryPreferences"] == {category: is_given}
    assert ("assumed" in said) == (is_given and state == "unknown")


def test_without_regions_only_a_yes_is_a_yes() -> None:
    """A pipeline without a policy says what it always said."""
    builder = EventBuilder(FORM, IdentitySettings(), event_version=1)

    assert made(in_country("US", Analytics="unknown"), builder)["consent"] == {"categoryPreferences": {"Analytics": False}}


def test_an_event_tells_why() -> None:
    """The region, what was assumed there, what was denied, and what is as of now."""
    one = in_country("us", A="unknown", B="denied", C="granted")
    one = order(1, shipping_address=one.shipping_address, consent=Consent(one.consent.categories, ("C",)))

    assert made(one)["consent"] == {
        "categoryPreferences": {"A": True, "B": False, "C": True},
        "denied": ["B"],
        "assumed": ["A"],
        "region": "america",
        "asOfNow": ["C"],
    }


def test_the_country_of_a_record() -> None:
    """Where goods go, else the bill, else the record's own; text that is no country is none."""
    ship, bill = Address(country="FR"), Address(country="IT")

    assert country_of(order(1, shipping_address=ship, billing_address=bill, country="US")) == "FR"
    assert country_of(order(1, shipping_address=Address(city="Lyon"), billing_address=bill, country="US")) == "IT"
    assert country_of(order(1, country=" us ")) == "US"
    assert country_of(order(1, country="Germany")) is None
    assert country_of(Customer("1", 1, AT, AT, country="SE")) == "SE"


def test_a_customer_s_later_no_makes_no_order_updated() -> None:
    """What the customer's record says now is no content of the order; what the order's own says is."""

    def content(**changes: Any) -> bytes:
        event = BUILDER.build(updated(order(1, country="US", **changes)), "Order Updated", "track", {})
        assert event is not None
        return event.content

    before = content(consent=Consent({"A": "granted", "B": "unknown"}, ("A", "B")))

    assert content(consent=Consent({"A": "denied", "B": "granted"}, ("A", "B"))) == before
    assert content(consent=Consent({"A": "granted", "B": "unknown"})) != before


def customer(version: int, state: str) -> Customer:
    """A customer whose advertising consent has this state."""
    return Customer("c1", version, AT, AT, email="jane@example.com", consent=Consent({"Ads": state}))  # type: ignore[dict-item]


def issuer(ledger: dict[bytes, bytes]) -> Issuer:
    """An issuer whose destination requires a consent."""
    return Issuer(
        plan=plan(),
        builder=BUILDER,
        lifecycle=LifecycleSettings(off=("customer.created",)),
        destination=FakeDestination(),
        require_consent=("Ads",),
        delivered=lambda _family, keys: {key: ledger[key] for key in keys if key in ledger},
        scrub=lambda _stream, record: record,
    )


def test_a_withdrawal_is_told_to_who_knows_the_person() -> None:
    """The profile goes once more with the no and without a trait; who was never sent is not told; told once is enough."""
    given, withdrawn = customer(1, "granted"), customer(2, "denied")
    ledger: dict[bytes, bytes] = {}
    never = issuer(ledger).issue("customers", [b"{}"], [[withdrawn]])
    (known,) = issuer(ledger).issue("customers", [b"{}"], [[given]]).outgoing
    ledger[known.event.key] = known.event.content

    (told,) = issuer(ledger).issue("customers", [b"{}"], [[withdrawn]]).outgoing
    ledger[told.event.key] = told.event.content
    again = issuer(ledger).issue("customers", [b"{}"], [[withdrawn]])

    assert never.outgoing == []
    assert [(each.entity_id, each.event_name, each.reason) for each in never.withheld] == [("c1", "identify", "consent:Ads")]
    message = json.loads(told.encoded)
    assert (message["userId"], message["traits"]) == ("c1", {})
    assert message["context"]["consent"] == {"categoryPreferences": {"Ads": False}, "denied": ["Ads"]}
    assert (again.outgoing, again.counts) == ([], {("customers", "identify", "duplicate", "delivered_before"): 1})


def test_what_is_withheld_is_counted_and_named(tmp_path: Path) -> None:
    """Orders under opt-in without a yes stay here, each with its reason; those under opt-out go."""
    orders = [
        order(number, country="DE" if number % 2 else "US", consent=Consent({"Ads": "unknown"})) for number in range(10)
    ]
    destination = FakeDestination()

    report, error = run(tmp_path / "state.db", FakeSource(orders), destination, builder=BUILDER, require_consent=("Ads",))

    assert error is None
    assert report.books.reasons == {("orders", "filtered", "consent:Ads"): 5}
    assert {message["context"]["consent"]["region"] for message in destination.accepted} == {"america"}


REGIONS = "regions:\n  nordic: {countries: [NO, SE], regime: opt_out}\n  europe: {countries: [EEA, GB], regime: opt_in}\n"


def with_regions() -> str:
    """The good settings with regions and a category that has a regime of its own in one of them."""
    consent = "consent: {Ads: {field: a.b, regimes: {nordic: opt_in}}}"
    text = GOOD.replace("sources:\n", f"{REGIONS}sources:\n", 1)
    return changed("destinations: [sink]}", f"destinations: [sink], {consent}}}", text)


def test_regions_in_the_settings(tmp_path: Path) -> None:
    """A country belongs to the first region that lists it; names of unions stand for their members."""
    text = GOOD.replace("sources:\n", f"{REGIONS}sources:\n", 1)
    text = changed(
        "destinations: [sink]}", "destinations: [sink], consent: {Ads: {field: a.b, regimes: {nordic: opt_in}}}}", text
    )
    settings = load(tmp_path, with_regions())

    policy = consent_policy(settings, settings.pipelines["daily"].consent)

    assert policy is not None
    assert [policy.region(country) for country in ("NO", "SE", "IS", "FR", "GB", "US")] == [
        *("nordic", "nordic", "europe", "europe", "europe", None)
    ]
    assert (policy.regime("Ads", "nordic"), policy.regime("Other", "nordic")) == ("opt_in", "opt_out")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("GB", "UK", "is no country code: write `GB`"),
        ("GB", "Britain", "must be a country (`DE`), `EU`, `EEA` or `*`"),
        ("regime: opt_out", "regime: maybe", "must be one of `opt_in`, `opt_out`"),
        ("{nordic: opt_in}", "{nordics: opt_in}", "unknown region `nordics`"),
    ],
)
def test_a_mistake_in_regions_is_told(tmp_path: Path, old: str, new: str, message: str) -> None:
    """Each at its place, in words."""
    text = GOOD.replace("sources:\n", f"{REGIONS}sources:\n", 1)
    text = changed(
        "destinations: [sink]}", "destinations: [sink], consent: {Ads: {field: a.b, regimes: {nordic: opt_in}}}}", text
    )

    (problem,) = problems_of(tmp_path, changed(old, new, with_regions()))

    assert message in problem.message


def test_a_withdrawal_is_told_to_who_may_know_the_person() -> None:
    """Of a profile that was being sent when a run ended nobody knows whether it is there: the no is among the doubtful."""
    ledger: dict[bytes, bytes] = {}
    (known,) = issuer(ledger).issue("customers", [b"{}"], [[customer(1, "granted")]]).outgoing
    unsure = replace(
        issuer(ledger), is_idempotent=False, doubts=lambda keys: {key: 1 for key in keys if key == known.event.key}
    )

    issue = unsure.issue("customers", [b"{}"], [[customer(2, "denied")]])

    (told,) = issue.doubtful
    assert (issue.outgoing, issue.withheld) == ([], [])
    assert json.loads(told.encoded)["traits"] == {}


async def test_a_letter_of_when_there_was_consent_is_not_replayed(tmp_path: Path) -> None:
    """What waits in the queue leaves it once its record says that consent was withdrawn."""
    life = Life(tmp_path / "state.db", [])
    life.changes = {"require_consent": ("Ads",)}
    await life.backfill()
    life.put(placed(1, later(1), consent=Consent({"Ads": "granted"})))
    life.destination.refused = frozenset({"cdi:test:shop:order:order-1:order-completed"})
    await life.sync(later(10))
    assert [stored.letter.reason for stored in letters(life.state)] == ["refused"]

    life.put(placed(1, later(1), updated_at=later(12), version=2, consent=Consent({"Ads": "denied"})))
    report, error = await life.sync(later(20))

    assert (error, report.books.errors, report.books.reasons) == (None, (), {("orders", "filtered", "consent:Ads"): 1})
    assert letters(life.state) == []
    assert life.destination.accepted == []
