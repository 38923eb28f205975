"""`kill -9` at every request, send and settle of the real Elastic Path source against its simulator: nothing lost, at most
the batches in flight repeated under the ids that they had, then quiet; for a backfill, a sync and a reconciliation.

`make crash` walks all points, `make test` a sample; how, is in `source_sweep`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from elasticpath_life import LIFECYCLE, STREAMS, source_of
from source_sweep import KINDS, Platform, Shop, check_all, check_sample, opened_shop

from cdi_cli.sources.elasticpath import SOURCE

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs fork and SIGKILL")


def live(shop: Shop) -> None:
    """Orders are placed, paid, sent, cancelled and paid back, in part and without a trace; customers change."""
    placed = [one["id"] for one in shop.mutate({"do": "place", "count": 36})]
    for order in placed[:30]:
        shop.mutate({"do": "pay", "order": order})
    for order in placed[:12]:
        shop.mutate({"do": "refund", "order": order, "amount": 2})
    for order in placed[12:15]:
        shop.mutate({"do": "refund", "order": order})
    for order in placed[15:18]:
        shop.mutate({"do": "cancel", "order": order})
    for order in placed[18:24]:
        shop.mutate({"do": "ship", "order": order})
    for person in shop.mutate(*[{"do": "register"}] * 15)[:8]:
        shop.mutate({"do": "subscribe", "customer": person["id"]})
    told = [event for event in shop.told() if event.get("event") in ("Order Completed", "Order Refunded")]
    returned = {event["properties"]["order_id"] for event in told if event["event"] == "Order Refunded"}
    kept = [event["properties"] for event in told if event["properties"]["order_id"] not in returned]
    shop.admin("elasticpath/switches", {"refund_moves": False})
    for order in [properties["checkout_id"] for properties in kept][:24]:
        shop.mutate({"do": "refund", "order": order, "amount": 3})


ELASTICPATH = Platform(
    name="elasticpath",
    open=lambda url: source_of(url, page_size=20),
    changes={"source_spec": SOURCE, "streams": STREAMS, "lifecycle": LIFECYCLE},
    live=live,
    orders=60,  # each order is a request of its own
)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A store that has lived on since a backfill of it."""
    with opened_shop(ELASTICPATH, tmp_path_factory.mktemp("store")) as made:
        yield made


@pytest.mark.parametrize("kind", KINDS)
def test_a_sample_of_kill_points_of_elastic_path(kind: str, shop: Shop, tmp_path: Path) -> None:
    """Some points spread over the run, the first among them."""
    check_sample(kind, shop, tmp_path)


@pytest.mark.sweep
@pytest.mark.parametrize("kind", KINDS)
def test_every_kill_point_of_elastic_path(kind: str, shop: Shop, tmp_path: Path) -> None:
    """All of them; prints the figures."""
    check_all(kind, shop, tmp_path, "Elastic Path")
