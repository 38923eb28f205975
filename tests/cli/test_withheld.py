"""`--withheld FILE`: which events may not be sent and why, as JSON lines without personal data."""

from __future__ import annotations

import json
import stat
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import canary
import pytest
from cli_project import WHOLE, CliProject

from cdi_cli.sandbox import SandboxThread

FIELDS = {"at", "pipeline", "destination", "stream", "family", "entity", "event", "id", "reason"}


@pytest.fixture
def project(tmp_path: Path) -> Iterator[CliProject]:
    """A project that needs a consent which the shop keeps with customers, not with orders."""
    with (
        SandboxThread(canary.options()) as sandbox,
        CliProject(tmp_path, sandbox, pipeline="require_consent: [Advertising]") as made,
    ):
        yield made


def listed(path: Path) -> list[dict[str, Any]]:
    """The lines of a list."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def said(record: dict[str, Any] | None) -> bool | None:
    """What a raw record holds of the consent."""
    value = (record or {}).get("custom", {}).get("fields", {}).get("marketingConsent")
    return value if isinstance(value, bool) else None


def agreed(project: CliProject) -> set[str]:
    """The ids of orders that may be sent: their own record says so, or where it says nothing the customer's."""
    customers = {one["id"]: one for one in project.sandbox.shop.documents("customers")}
    found = set()
    for order in project.sandbox.shop.documents("orders"):
        own = said(order)
        if own if own is not None else said(customers.get(order.get("customerId", ""))):
            found.add(order["id"])
    return found


def test_the_list_is_what_the_books_hold_back(project: CliProject) -> None:
    """A dry run and a backfill list the same events: as many as the books count, each once, with the entity's id."""
    dry, real = project.place / "dry.jsonl", project.place / "withheld.jsonl"

    project.run("backfill", *WHOLE, "--dry-run", "--withheld", str(dry))
    report = project.run("backfill", *WHOLE, "--withheld", str(real), "--json").json()

    lines = listed(real)
    counted = Counter(line["stream"] for line in lines)
    told = {
        reason["stream"]: reason["count"]
        for reason in report["reasons"]
        if (reason["outcome"], reason["reason"]) == ("filtered", "consent:Advertising")
    }
    assert told == counted
    assert {line["reason"] for line in lines} == {"consent:Advertising"}
    assert {frozenset(line) for line in lines} == {frozenset(FIELDS)}
    assert len({line["id"] for line in lines}) == len(lines) > 0
    assert {line["id"] for line in listed(dry)} == {line["id"] for line in lines}
    assert stat.S_IMODE(real.stat().st_mode) == 0o600


def test_an_order_goes_where_its_buyer_agreed(project: CliProject) -> None:
    """What arrived is every order with a yes and no other, and the list is all others."""
    path = project.place / "withheld.jsonl"

    project.run("backfill", *WHOLE, "--withheld", str(path))

    yes, orders = agreed(project), project.sandbox.shop.documents("orders")
    completed = (one for one in project.sandbox.segment.applied if one.get("event") == "Order Completed")
    arrived = [one["properties"]["order_id"] for one in completed]
    assert sorted(arrived) == sorted(one.get("orderNumber") or one["id"] for one in orders if one["id"] in yes)
    withheld = {line["entity"] for line in listed(path) if line["event"] == "Order Completed"}
    assert withheld == {one["id"] for one in orders} - yes
    assert yes
    assert withheld


def test_a_sync_lists_what_it_holds_back(project: CliProject) -> None:
    """Lines are added to those that are there."""
    path = project.place / "withheld.jsonl"
    project.run("backfill", *WHOLE, "--withheld", str(path))
    before = len(listed(path))

    run = project.run("sync", "--withheld", str(path))

    assert run.code == 0, run.err
    assert len(listed(path)) >= before


def test_a_list_that_cannot_be_written_stops_before_anything_is_sent(project: CliProject) -> None:
    """Exit code 2, and nothing was delivered."""
    run = project.run("backfill", *WHOLE, "--withheld", str(project.place / "no" / "folder.jsonl"))

    assert run.code == 2
    assert "the list of withheld events cannot be written" in run.err
    assert project.sandbox.segment.applied == []
