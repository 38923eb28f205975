"""The pacer, on a clock of its own: tests never sleep."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from cdi_cli.clock import Clock
from cdi_cli.pipeline.pace import Pacer


@dataclass
class Time:
    """A clock that moves only when somebody sleeps."""

    now: float = 100.0

    async def sleep(self, seconds: float) -> None:
        """Pass time at once."""
        self.now += seconds

    def pacer(self, rate: float) -> Pacer:
        """A pacer that lives in this time."""
        return Pacer(rate, clock=Clock(monotonic=lambda: self.now), sleep=self.sleep)


@given(st.lists(st.integers(1, 300), min_size=5, max_size=40))
async def test_no_window_lets_more_than_the_rate_through(batches: list[int]) -> None:
    """Between any two admissions at most rate x time events pass, plus one burst and the batch itself."""
    time = Time()
    pacer = time.pacer(500)
    admitted: list[tuple[float, int]] = []

    for batch in batches:
        await pacer.admit(batch)
        admitted.append((time.now, batch))

    for start, (since, _) in enumerate(admitted):
        passed = 0
        for at, batch in admitted[start:-1]:
            passed += batch
            assert passed <= 500 * (at - since) + 500 * 0.25 + batch + 1e-6


async def test_a_pause_holds_everything_back_and_slows_down() -> None:
    """After a 429 nothing leaves for as long as was asked, and then at half the pace."""
    time = Time()
    pacer = time.pacer(500)

    pacer.pause(30)
    await pacer.admit(1)

    assert time.now >= 130
    assert pacer.rate == 250


async def test_success_brings_the_rate_back() -> None:
    """Each accepted batch raises the pace a little, up to the configured rate and no further."""
    pacer = Time().pacer(500)
    pacer.pause(1)

    for _ in range(40):
        pacer.went_well()

    assert pacer.rate == 500


async def test_an_unlimited_pacer_never_waits() -> None:
    """A dry run has no pace."""
    time = Time()

    for _ in range(10):
        await time.pacer(float("inf")).admit(1000)

    assert time.now == 100
