"""Partial refunds of Elastic Path through the real command: each told once, by what went back, and found by reconciling."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cli_project import WHOLE, CliProject

from cdi_cli.clock import SYSTEM_CLOCK
from cdi_cli.sandbox import SandboxOptions, SandboxThread

TOGETHER = "sync: {settle: 0s, overlap: 0s}"
"""No waiting for the store to become consistent, and no second look at what was read."""


@pytest.fixture
def sandbox() -> Iterator[SandboxThread]:
    """A store of forty orders."""
    options = SandboxOptions(sources=("elasticpath",), orders=40, now=SYSTEM_CLOCK.instant())
    with SandboxThread(options) as running:
        yield running


def refunds(sandbox: SandboxThread, order_id: str) -> list[float]:
    """What Segment was told to have gone back of an order."""
    found = [one for one in sandbox.segment.applied if one.get("event") == "Order Refunded"]
    return [one["properties"]["total"] for one in found if order_id in json.dumps(one["properties"])]


def chosen(sandbox: SandboxThread) -> Any:
    """A paid order in a currency of two decimals, of which nothing went back."""
    for row in sandbox.elasticpath.store.orders():
        order = row.whole()
        is_plain = order.payment == "paid" and not order.refunded and not order.is_anonymised
        if is_plain and order.basket.market.currency == "EUR" and order.status == "complete" and not order.order_number:
            return order
    raise AssertionError("the store has no such order")


def settle(sandbox: SandboxThread) -> None:
    """Time passes: both clocks of a sync are the store's."""
    sandbox.clock.advance(2)


def test_partial_refunds_are_told_by_what_went_back(tmp_path: Path, sandbox: SandboxThread) -> None:
    """1.00, then 0.50 more, which the preview knows; then 0.25 that did not move the order, found by reconciling."""
    with CliProject(tmp_path, sandbox, source="page_size: 50", pipeline=TOGETHER) as project:
        order = chosen(sandbox)
        first = project.run("backfill", *WHOLE)
        assert first.code == 0, first.err

        settle(sandbox)  # changes are stamped in whole seconds, and nothing here is looked at twice
        sandbox.elasticpath.mutate({"do": "refund", "order": order.id, "amount": 100})
        settle(sandbox)
        synced = project.run("sync")
        assert synced.code == 0, synced.err
        assert refunds(sandbox, order.id) == [1.0], synced.out

        sandbox.elasticpath.mutate({"do": "refund", "order": order.id, "amount": 50})
        settle(sandbox)
        preview = project.run("preview", "order", order.id, "--json")
        assert preview.code == 0, preview.err
        (shown,) = preview.json()
        (previewed,) = [one for one in shown["events"] if "Order Refunded" in (one.get("event"), one.get("name"))]
        assert '"total": 0.5' in json.dumps(previewed)
        assert project.run("sync").code == 0
        assert refunds(sandbox, order.id) == [1.0, 0.5]

        sandbox.elasticpath.switch(refund_moves=False)
        sandbox.elasticpath.mutate({"do": "refund", "order": order.id, "amount": 25})
        settle(sandbox)
        assert project.run("sync").code == 0
        assert refunds(sandbox, order.id) == [1.0, 0.5]
        reconciled = project.run("sync", "--reconcile")
        assert reconciled.code == 0, reconciled.err
        assert refunds(sandbox, order.id) == [1.0, 0.5, 0.25]
        again = project.run("sync", "--reconcile")
        assert again.code == 0
        assert refunds(sandbox, order.id) == [1.0, 0.5, 0.25]
