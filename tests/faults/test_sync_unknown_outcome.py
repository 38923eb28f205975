"""The last word must be the truth, also when nobody knows whether the word before it was heard.

A profile changes from A to B, the run is killed after the destination took B and before the checkpoint says so, and the
profile changes back to A before the next run. The ledger still holds A, the destination B: unless the next run sends A
again, the destination keeps a consent, a name, an order total that the shop took back.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from life.facts import profile_of, profile_said, states_of, states_said
from life.world import SYNC, World, world

from cdi_cli.sandbox import Fault
from cdi_cli.sandbox.live import live

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs fork and SIGKILL")
ANSWERS = (1, 2)
"""A sync with one event sends one batch to each of two destinations: the kill comes when so many are answered."""


def started(made: World) -> None:
    """A shop that is in sync."""
    made.use_plan(is_strict=False)
    made.backfill()
    made.advance(700)
    made.run(*SYNC)


def there_and_back(made: World, change: Callable[[Any], dict[str, Any]], spoil: Callable[[], Any]) -> None:
    """B, a run that `spoil` runs, A again before the next one."""
    seeder = made.shop.sandbox.seeder
    live(seeder, change("B"))
    made.advance(300)
    spoil()
    live(seeder, change("A"))
    for _ in range(2):
        made.advance(300)
        made.run(*SYNC)


def killed(made: World, answer: int) -> None:
    """A sync that is killed when the destinations have answered so many batches."""
    assert made.run(*SYNC, kill_at_answer=answer).was_killed


def last_profiles(made: World, customer: str) -> list[Any]:
    """What each destination was told last of a customer."""
    told = []
    for sandbox in made.inboxes.values():
        said = [one for one in sandbox.segment.applied if one["type"] == "identify" and one["userId"] == customer]
        told.append(profile_said(said[-1]) if said else None)
    return told


@pytest.mark.parametrize("answer", ANSWERS)
def test_a_profile_that_returns_after_a_kill_is_said_again(tmp_path: Path, answer: int) -> None:
    """Each destination ends with the profile that the shop holds."""
    with world(tmp_path, 1, orders=20) as made:
        started(made)
        customer = made.keeper.customers[-1]

        def named(name: str) -> dict[str, Any]:
            return {"do": "profile", "customer": customer, "changes": {"firstName": name}}

        live(made.shop.sandbox.seeder, named("A"))
        made.advance(300)
        made.run(*SYNC)
        there_and_back(made, named, lambda: killed(made, answer))

        now = profile_of(made.shop.shop.document("customers", customer))
        assert last_profiles(made, customer) == [now, now]


def test_a_profile_that_returns_after_lost_answers_is_said_again(tmp_path: Path) -> None:
    """The destination takes the profile and its answer is lost in every attempt, until the run gives up."""
    with world(tmp_path, 1, orders=20) as made:
        started(made)
        customer = made.keeper.customers[-1]
        live(made.shop.sandbox.seeder, {"do": "profile", "customer": customer, "changes": {"firstName": "A"}})
        made.advance(300)
        made.run(*SYNC)

        def spoil() -> None:
            fault = Fault(kind="reset_after_apply", match="/segment/", times=None)
            made.shop.faults.add(fault)
            assert made.run(*SYNC).code == 3
            made.lift([fault])
            assert fault.fired > 1

        there_and_back(made, lambda name: {"do": "profile", "customer": customer, "changes": {"firstName": name}}, spoil)

        now = profile_of(made.shop.shop.document("customers", customer))
        assert last_profiles(made, customer) == [now, now]


@pytest.mark.parametrize("answer", ANSWERS)
def test_an_order_that_returns_after_a_kill_is_said_again(tmp_path: Path, answer: int) -> None:
    """The same for an order whose quantity is raised and lowered again."""
    with world(tmp_path, 1, orders=20) as made:
        started(made)
        seeder, order = made.shop.sandbox.seeder, None
        while order is None or order["orderState"] == "Cancelled" or order["lineItems"][0]["discountedPricePerQuantity"]:
            order = live(seeder, {"do": "place"})[0]
        made.advance(300)
        made.run(*SYNC)
        first, order_id = order["lineItems"][0]["quantity"], order["id"]
        quantities = {"A": first, "B": first + 1}
        there_and_back(
            made,
            lambda name: {"do": "quantity", "order": order_id, "quantity": quantities[name]},
            lambda: killed(made, answer),
        )

        now = states_of(made.shop.shop.document("orders", order_id))
        for sandbox in made.inboxes.values():
            updates = [one["properties"] for one in sandbox.segment.applied if one.get("event") == "Order Updated"]
            assert not updates or states_said(updates[-1]) == now
