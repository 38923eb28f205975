"""A short simulated life, in whatever order things happen: nothing lost, invented or doubled, the last word is the truth.

The steps are chosen by hypothesis: changes of the shop, time that passes, and runs that go well, are killed, cut short, meet
faults or each other. Every example ends with two undisturbed syncs and the oracle. `make soak` lives for ten minutes.
"""

from __future__ import annotations

import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from life import script
from life.world import SYNC, world

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs fork and SIGKILL")

MINUTES = st.sampled_from([0.5, 2, 5, 5, 5, 30, 300, 1500])


class LifeMachine(RuleBasedStateMachine):
    """One shop, two destinations, one checkpoint file."""

    @initialize(seed=st.integers(0, 2**32 - 1))
    def start(self, seed: int) -> None:
        """A shop with a past, backfilled in spite of a kill."""
        self.stack = ExitStack()
        folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        self.world = self.stack.enter_context(world(folder, seed, orders=60))
        self.world.keeper.work(6)
        self.world.backfill()

    @rule(changes=st.integers(1, 10), minutes=MINUTES)
    def shop_and_sync(self, changes: int, minutes: float) -> None:
        """The shop goes on, time passes, cron runs."""
        self.world.keeper.work(changes)
        self.world.advance(60 * minutes)
        script.sync(self.world)

    @rule(changes=st.integers(1, 10), minutes=MINUTES, point=st.integers(1, 50))
    def shop_and_kill(self, changes: int, minutes: float, point: int) -> None:
        """The shop goes on, and the run is killed."""
        self.world.keeper.work(changes)
        self.world.advance(60 * minutes)
        self.world.run(*SYNC, kill_at=point)

    @rule(changes=st.integers(1, 10), act=st.sampled_from(["troubled", "killed_in_trouble", "burst", "killed"]))
    def shop_and_trouble(self, changes: int, act: str) -> None:
        """The shop goes on among faults."""
        self.world.keeper.work(changes)
        self.world.advance(400)
        getattr(script, act)(self.world)

    @rule(act=st.sampled_from(["busy", "overlap", "cut", "skewed", "erase", "replay", "mend_plan"]))
    def act(self, act: str) -> None:
        """What people and machines do besides."""
        self.world.advance(90)
        getattr(self.world, act)()

    @rule(rounds=st.integers(1, 2))
    def outage(self, rounds: int) -> None:
        """One destination is away."""
        self.world.outage(rounds=rounds)

    def teardown(self) -> None:
        """Everything comes to rest, and the oracle is asked."""
        if not hasattr(self, "stack"):
            return
        with self.stack:
            self.world.keeper.mend_all()
            self.world.mend_plan()
            self.world.check()
            assert all(not letters for letters in self.world.letters().values())


TestLife: Any = LifeMachine.TestCase
TestLife.settings = settings(
    max_examples=3,
    stateful_step_count=8,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
