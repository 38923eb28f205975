"""`kill -9` at every request, send and settle of the real Magento source against its simulator: nothing lost, at most the
batches in flight repeated under the ids that they had, then quiet; for a backfill, a sync and a reconciliation.

`make crash` walks all points, `make test` a sample; how, is in `source_sweep`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from magento_life import STREAMS, source_of
from source_sweep import KINDS, Platform, Shop, check_all, check_sample, opened_shop

from cdi_cli.sandbox.magento.options import MagentoOptions
from cdi_cli.sources.magento import SOURCE

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs fork and SIGKILL")


def live(shop: Shop) -> None:
    """Orders are placed, paid back, cancelled and edited, groups change, and the newsletter is left."""
    placed = [shop.mutate({"do": "place"})[0]["entity_id"] for _ in range(30)]
    for number in placed[:12]:
        shop.mutate({"do": "invoice", "order": number}, {"do": "refund", "order": number})
    for number in placed[12:16]:
        shop.mutate({"do": "cancel", "order": number})
    for number in placed[16:19]:
        shop.mutate({"do": "edit", "order": number})
    for number in range(1, 9):
        shop.mutate({"do": "group", "customer": number, "changes": {"group_id": 3}})
    for number in range(9, 41):
        shop.mutate([{"do": do, "customer": number} for do in ("unsubscribe", "subscribe")][number % 2])


MAGENTO = Platform(
    name="magento",
    open=lambda url: source_of(url, MagentoOptions().access_token, page_size=20),
    changes={"source_spec": SOURCE, "streams": STREAMS},
    live=live,
)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A shop that has lived on since a backfill of it."""
    with opened_shop(MAGENTO, tmp_path_factory.mktemp("shop")) as made:
        yield made


@pytest.mark.parametrize("kind", KINDS)
def test_a_sample_of_kill_points_of_magento(kind: str, shop: Shop, tmp_path: Path) -> None:
    """Some points spread over the run, the first among them."""
    check_sample(kind, shop, tmp_path)


@pytest.mark.sweep
@pytest.mark.parametrize("kind", KINDS)
def test_every_kill_point_of_magento(kind: str, shop: Shop, tmp_path: Path) -> None:
    """All of them; prints the figures."""
    check_all(kind, shop, tmp_path, "Magento")
