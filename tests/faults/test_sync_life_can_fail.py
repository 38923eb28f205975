"""The simulated life notices: when the product is broken on purpose, the oracle says what went wrong.

The same few steps pass undisturbed, so what is reported is the sabotage and nothing else.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from life.oracle import FINDINGS, Verdict
from life.world import SYNC, World, world

from cdi_cli.sandbox.live import live

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs fork")


def steps(made: World) -> dict[str, Verdict]:
    """A customer and an order that become visible late, a change of it, and syncs at short intervals."""
    made.backfill()
    made.advance(700)
    made.run(*SYNC)
    made.shop.shop.lag_seconds = 200
    order = live(made.shop.sandbox.seeder, {"do": "place"})[0]
    live(made.shop.sandbox.seeder, {"do": "register"})
    made.shop.shop.lag_seconds = 0
    for _ in range(3):
        made.advance(120)
        made.run(*SYNC)
    live(made.shop.sandbox.seeder, {"do": "ship", "order": order["id"]})
    made.settle_down()
    return made.verdicts()


@pytest.mark.parametrize(
    ("sabotage", "overlap_seconds", "finding"), [("", 300, ""), ("", 0, "lost"), ("lost batches", 300, "lost")]
)
def test_a_broken_product_is_noticed(tmp_path: Path, sabotage: str, overlap_seconds: int, finding: str) -> None:
    """Without an overlap late rows are lost; batches that are not sent are missed; undisturbed, nothing is found."""
    with world(tmp_path, 7, orders=40) as made:
        made.overlap_seconds = overlap_seconds
        made.use_plan(is_strict=False)
        made.sabotage = sabotage

        for verdict in steps(made).values():
            found = [name for name in FINDINGS if getattr(verdict, name)]
            assert verdict.is_clean == (finding == ""), str(verdict)
            assert finding in found or not finding, found


def test_a_ledger_that_forgets_is_noticed(tmp_path: Path) -> None:
    """A run that repeats what no kill has left in doubt fails at once."""
    with world(tmp_path, 7, orders=40) as made:
        made.sabotage = "no ledger"

        with pytest.raises(AssertionError, match=r"repeats \d+ into"):
            steps(made)
