"""The judge of the proof notices whatever is missing, doubled, invented or wrong at a destination."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from proof.picture import Picture, differences
from proof.project import NAMES, SINCE, Project, project
from proof.readers import of_insider, of_mparticle, of_segment
from proof.shop import KEEPS, Holding

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the commands are run in forked children")


@pytest.fixture(scope="module")
def delivered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Project, dict[str, Holding]]]:
    """A small shop, delivered, and what each destination must hold of it."""
    with project(tmp_path_factory.mktemp("proof"), orders=40, seed=3) as made:
        made.write_settings(batch=100, page=500)
        assert made.run("backfill", *SINCE).code == 0
        truth = made.truth()
        yield made, {name: KEEPS[name](truth, made.began, made.now) for name in NAMES}


def of_kind(messages: list[Any], event: str) -> Any:
    """The first message of an event."""
    return next(message for message in messages if message.get("event", message["type"]) == event)


def batch_of(batches: list[Any], action: str) -> Any:
    """The first batch of a product action."""
    return next(one for one in batches if one["events"][0]["data"].get("product_action", {}).get("action") == action)


def purchase(profiles: list[Any]) -> list[Any]:
    """The events of a profile that has bought something; its first event is a line of it."""
    return next(one.events for one in profiles if one.events and one.events[0]["event_name"] == "purchase")


def lose(messages: list[Any], one: Any) -> None:
    """Take a message out."""
    del messages[next(place for place, each in enumerate(messages) if each is one)]


SEGMENT: dict[str, Callable[[list[Any]], Any]] = {
    "a lost order": lambda held: lose(held, of_kind(held, "Order Completed")),
    "a lost refund": lambda held: lose(held, of_kind(held, "Order Refunded")),
    "a lost profile": lambda held: lose(held, of_kind(held, "identify")),
    "a repeat": lambda held: held.append(of_kind(held, "Order Completed")),
    "a cent": lambda held: of_kind(held, "Order Completed")["properties"].update(total=0.01),
    "another day": lambda held: of_kind(held, "Order Completed").update(originalTimestamp="2020-01-01T00:00:00.000Z"),
    "another person": lambda held: of_kind(held, "Signed Up").update(userId="somebody"),
    "another name": lambda held: of_kind(held, "identify")["traits"].update(lastName="Nobody"),
    "consent that nobody gave": lambda held: [
        one["context"]["consent"].update(categoryPreferences={"Advertising": True, "Analytics": True})
        for one in held
        if one["type"] == "identify"
    ],
}
MPARTICLE: dict[str, Callable[[list[Any]], Any]] = {
    "a lost batch": lambda held: held.pop(),
    "a repeat": lambda held: held.append(held[-1]),
    "a cent": lambda held: batch_of([one for one in held if "events" in one], "purchase")["events"][0]["data"][
        "product_action"
    ].update(total_amount=0.01),
    "a refund without its amount": lambda held: batch_of([one for one in held if "events" in one], "refund")["events"][0][
        "data"
    ]["product_action"].update(total_amount=0),
    "consent the other way round": lambda held: [
        purpose.update(consented=not purpose["consented"])
        for one in held
        if "events" not in one
        for purpose in one.get("consent_state", {}).get("gdpr", {}).values()
    ],
}
INSIDER: dict[str, Callable[[list[Any], list[Any]], Any]] = {
    "a lost line": lambda profiles, _: purchase(profiles).pop(0),
    "a doubled line": lambda profiles, _: purchase(profiles).append(purchase(profiles)[0]),
    "another price": lambda profiles, _: purchase(profiles)[0]["event_params"].update(unit_sale_price=0.5),
    "a lost person": lambda profiles, _: next(one for one in profiles if "uuid" in one.identifiers).identifiers.pop("uuid"),
    "an opt-in too many": lambda profiles, _: [one.attributes.update(email_optin=True) for one in profiles],
    "a lost product": lambda _, catalogue: catalogue.pop(),
    "a product's price": lambda _, catalogue: catalogue[0].update(price={"EUR": 1.0}),
    "a product that is out of stock": lambda _, catalogue: catalogue[0].update(in_stock=1 - catalogue[0]["in_stock"]),
}


def judged(holdings: dict[str, Holding], name: str, picture: Picture) -> list[str]:
    """What the judge says of a destination."""
    return differences(holdings[name].picture, picture, either=holdings[name].either)


@pytest.mark.parametrize("mistake", SEGMENT)
def test_at_segment(delivered: tuple[Project, dict[str, Holding]], mistake: str) -> None:
    """One mistake among Segment's messages is enough."""
    made, holdings = delivered
    held = copy.deepcopy(made.sandbox.segment.applied)
    assert judged(holdings, "segment", of_segment(held)) == []

    SEGMENT[mistake](held)

    assert judged(holdings, "segment", of_segment(held))


@pytest.mark.parametrize("mistake", MPARTICLE)
def test_at_mparticle(delivered: tuple[Project, dict[str, Holding]], mistake: str) -> None:
    """One mistake among mParticle's batches is enough."""
    made, holdings = delivered
    held = copy.deepcopy([entry.batch for entry in made.sandbox.mparticle.applied])
    assert judged(holdings, "mparticle", of_mparticle(held)) == []

    MPARTICLE[mistake](held)

    assert judged(holdings, "mparticle", of_mparticle(held))


@pytest.mark.parametrize("mistake", INSIDER)
def test_at_insider(delivered: tuple[Project, dict[str, Holding]], mistake: str) -> None:
    """One mistake in Insider's profiles or catalogue is enough."""
    made, holdings = delivered
    profiles = copy.deepcopy(made.sandbox.insider.profiles)
    catalogue = copy.deepcopy(list(made.sandbox.insider_catalog.items.values()))
    assert judged(holdings, "insider", of_insider(profiles, catalogue)) == []

    INSIDER[mistake](profiles, catalogue)

    assert judged(holdings, "insider", of_insider(profiles, catalogue))
