"""Whole runs of Elastic Path through trouble on the way: every one ends with the store's own books, nothing said twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from elasticpath_life import ElasticPathLife, elasticpath_life

from cdi_cli.errors import AuthError, TransientError
from cdi_cli.http import HttpLimits, RetryPolicy
from cdi_cli.sandbox.elasticpath.store import Store
from cdi_cli.sandbox.faults import Fault


@pytest.fixture
def life(tmp_path: Path) -> Iterator[ElasticPathLife]:
    """A store of eighty orders."""
    with elasticpath_life(tmp_path, orders=80) as running:
        yield running


def assert_whole(life: ElasticPathLife) -> None:
    """What was told is what the store's books say, and each event has an id of its own."""
    assert life.told() == life.books()
    ids = [event["messageId"] for event in life.sent()]
    assert len(ids) == len(set(ids))


async def change_and_sync(life: ElasticPathLife) -> Any:
    """Partial refunds of some orders, and a sync."""
    for order in life.paid_orders()[:8]:
        life.mutate(do="refund", order=order.id, amount=2)
    return await life.sync()


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "status", "status": 429, "match": "/v2/", "times": 2, "skip": 3},
        {"kind": "status", "status": 500, "match": "/transactions", "times": 20, "share": 0.3},
        {"kind": "status", "status": 401, "match": "/v2/", "times": 1, "skip": 20},
        {"kind": "delay", "match": "/v2/orders", "times": 4, "share": 0.5, "seconds": 0.6},
        {"kind": "reset_before_body", "match": "/v2/", "times": 10, "share": 0.3},
        {"kind": "reset_mid_body", "match": "/v2/", "times": 10, "share": 0.3},
        {"kind": "truncate", "match": "/v2/", "times": 10, "share": 0.3},
        {"kind": "html200", "match": "/v2/", "times": 10, "share": 0.3},
        {"kind": "broken_json", "match": "/v2/orders", "times": 10, "share": 0.3},
    ],
    ids=lambda changes: f"{changes['kind']}-{changes.get('status', 0)}",
)
async def test_trouble_on_the_way_costs_time_only(life: ElasticPathLife, changes: dict[str, Any]) -> None:
    """A backfill and a sync with partial refunds: a limit without a time, failures, slow and broken answers."""
    life.source_options = {"limits": HttpLimits(total_seconds=0.4)} if changes["kind"] == "delay" else {}
    fired: list[int] = []
    for run in (life.backfill, lambda: change_and_sync(life)):
        life.sandbox.faults.clear()
        fault = life.sandbox.faults.add(Fault(**changes | ({"skip": 1} if fired and changes.get("skip") else {})))
        report, error = await run()
        fired.append(fault.fired)
        assert (error, report.books.errors) == (None, ())

    assert_whole(life)
    assert min(fired) > 0


async def test_tokens_that_end_and_are_taken_away_are_renewed(life: ElasticPathLife) -> None:
    """By age and by revocation, before every page: every order is told all the same."""
    life.sandbox.elasticpath.switch(token_seconds=90)

    def revoke(_store: Store, _kind: str) -> None:
        life.sandbox.elasticpath.office.revoke_all()

    life.sandbox.elasticpath.store.before_list(revoke)

    report, error = await life.backfill()

    assert (error, report.books.errors) == (None, ())
    assert life.sandbox.elasticpath.office.issued > 4
    assert_whole(life)


@pytest.mark.parametrize("match", ["/v2/orders?", "/transactions", "/v2/customers"])
async def test_an_outage_stops_the_run_and_the_next_one_finishes_it(life: ElasticPathLife, match: str) -> None:
    """A 500 that does not end is told with its request id; what was delivered is not delivered again."""
    life.sandbox.faults.add(Fault(kind="status", status=500, match=match, skip=3, times=None))
    life.source_options = {"page_size": 20}

    report, error = await life.backfill()
    life.sandbox.faults.clear()
    again, none = await life.backfill()

    assert isinstance(error, TransientError)
    assert "request id " in error.message
    assert (report.status, none, again.books.errors) == ("stopped", None, ())
    assert again.job_id == report.job_id
    assert_whole(life)


async def test_a_revoked_key_stops_a_sync_whose_changes_the_next_one_sends(life: ElasticPathLife) -> None:
    """Nothing is skipped while we may not read: the watermark stays."""
    await life.backfill()
    order = life.paid_orders()[0].id
    life.mutate(do="refund", order=order, amount=2)
    life.sandbox.faults.add(Fault(kind="status", status=401, match="/oauth/", times=None))

    with pytest.raises(AuthError, match="does not accept the application key"):
        await life.sync()
    life.sandbox.faults.clear()
    report, error = await life.sync()

    assert (error, report.books.errors) == (None, ())
    assert_whole(life)


async def test_a_development_store_limit_is_waited_out(life: ElasticPathLife) -> None:
    """25 requests a second at no pace of ours: refused ones are repeated, and every order is told."""
    life.sandbox.elasticpath.switch(requests_per_second=25)
    life.source_options = {"rate": 60, "retry": RetryPolicy()}

    report, error = await life.backfill()

    assert (error, report.books.errors) == (None, ())
    assert life.sandbox.elasticpath.bucket.refused > 0
    assert_whole(life)
