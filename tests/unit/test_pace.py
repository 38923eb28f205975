"""The pacer, on a clock of its own: tests never sleep."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdi_cli.clock import Clock
from cdi_cli.pipeline.pace import Pacer
from cdi_cli.sandbox.mparticle.limits import RateLimiter


@dataclass
class Time:
    """A clock that moves only when somebody sleeps."""

    now: float = 100.0

    async def sleep(self, seconds: float) -> None:
        """Pass time at once."""
        self.now += seconds

    def pacer(self, rate: float, ramp_up_seconds: float = 0.0) -> Pacer:
        """A pacer that lives in this time."""
        clock = Clock(monotonic=lambda: self.now)
        return Pacer(rate, ramp_up_seconds=ramp_up_seconds, clock=clock, sleep=self.sleep)


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


async def admitted(pacer: Pacer, time: Time, seconds: float, batch: int = 50) -> list[tuple[float, int]]:
    """When batches left and how large they were, for so long, all going well."""
    found: list[tuple[float, int]] = []
    end = time.now + seconds
    while time.now < end:
        await pacer.admit(batch)
        found.append((time.now, batch))
        pacer.went_well()
    return found


async def test_a_ramp_rises_from_a_tenth_to_the_rate() -> None:
    """The first second has a tenth, half the time about half, afterwards all; success does not hurry it."""
    time = Time()
    pacer = time.pacer(250, ramp_up_seconds=60)

    left = await admitted(pacer, time, 120, batch=1)

    def within(start: float, end: float) -> int:
        return sum(batch for at, batch in left if 100 + start <= at < 100 + end)

    assert within(0, 1) < 250 * 0.2
    assert 250 * 0.4 < within(29, 30) < 250 * 0.7
    assert within(100, 110) == pytest.approx(2500, rel=0.02)


@pytest.mark.parametrize(("ramp_up_seconds", "trips"), [(0, True), (60, False)])
async def test_a_ramp_keeps_out_of_a_limit_on_acceleration(ramp_up_seconds: float, trips: bool) -> None:
    """The imitated limiter of mParticle refuses who starts at 250 a second, and nothing of who takes a minute."""
    time = Time()
    pacer = time.pacer(250, ramp_up_seconds)
    limiter = RateLimiter(is_on=True)

    answers = {limiter.take(batch, at) for at, batch in await admitted(pacer, time, 180)}

    assert answers == ({None, "acceleration"} if trips else {None})


@pytest.mark.parametrize("factor", [0.9, 0.7, 0.5])
async def test_a_destination_can_lower_the_pace(factor: float) -> None:
    """By a factor of what it is now, never below a twentieth; success brings it back."""
    pacer = Time().pacer(200)

    pacer.ease(factor)
    assert pacer.rate == pytest.approx(200 * factor)
    for _ in range(100):
        pacer.ease(factor)
    assert pacer.rate == pytest.approx(200 * 0.05)
    for _ in range(100):
        pacer.went_well()
    assert pacer.rate == 200


async def test_a_destination_can_slow_the_ramp() -> None:
    """A factor of 1 keeps the pace that there is, and from there it rises half as fast, to the rate in the end."""
    time = Time()
    pacer = time.pacer(100, ramp_up_seconds=90)
    await admitted(pacer, time, 45, batch=1)
    before = pacer.rate

    pacer.ease(1.0)
    held = pacer.rate
    await admitted(pacer, time, 20, batch=1)
    later = pacer.rate
    await admitted(pacer, time, 200, batch=1)

    assert held == before
    assert later - held == pytest.approx(10, rel=0.1)
    assert pacer.rate == 100


async def test_a_pace_that_was_held_without_a_ramp_rises_again() -> None:
    """However often it was held, it is the whole rate again within the hour."""
    time = Time()
    pacer = time.pacer(100)
    for _ in range(50):
        pacer.pause(1)
        pacer.ease(1.0)
    assert pacer.rate == pytest.approx(5)

    await admitted(pacer, time, 3700, batch=10)

    assert pacer.rate == 100
