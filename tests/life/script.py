"""A life as a seeded script: what happens next is drawn by chance, what must hold is checked at quiet points."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from life.oracle import Verdict
from life.world import SYNC, World, in_days, world

HOUR = 3600.0


def gap(made: World) -> float:
    """Seconds until the next thing happens: mostly minutes, as cron runs, sometimes hours, now and then days."""
    rng = made.rng
    return rng.choice(
        (
            rng.uniform(30, 300),
            rng.uniform(60, 600),
            rng.uniform(300, 2 * HOUR),
            rng.uniform(HOUR, 12 * HOUR),
            rng.uniform(12 * HOUR, 40 * HOUR),
        )
    )


def sync(made: World) -> None:
    """An ordinary run, on a clock that is off by no more than two minutes."""
    made.run(*SYNC, skew_seconds=made.rng.uniform(-120, 120))


def killed(made: World) -> None:
    """A run that is killed at some point, early or late, if it gets there; often twice in a row."""
    for _ in range(made.rng.choice((1, 1, 2, 3))):
        made.run(*SYNC, kill_at=made.rng.choice((made.rng.randint(1, 12), made.rng.randint(10, 60))))


def troubled(made: World) -> None:
    """A run among faults that pass."""
    faults = made.trouble(made.rng.randint(1, 4))
    made.run(*SYNC)
    made.lift(faults)


def killed_in_trouble(made: World) -> None:
    """Both."""
    faults = made.trouble(2)
    made.run(*SYNC, kill_at=made.rng.randint(5, 40))
    made.lift(faults)


def outage(made: World) -> None:
    """One destination is away for some rounds."""
    made.outage(rounds=made.rng.randint(1, 4))


def burst(made: World) -> None:
    """A bulk import, drained by runs that are cut short."""
    made.keeper.burst(made.rng.choice((30, 60, 120)))
    made.advance(120)
    made.cut()


def plain(act: str) -> Callable[[World], None]:
    """One of the world's own acts."""
    return lambda made: getattr(made, act)()


ACTS: tuple[tuple[float, Callable[[World], None]], ...] = (
    (30, sync),
    (14, killed),
    (10, troubled),
    (5, killed_in_trouble),
    (8, plain("busy")),
    (4, plain("overlap")),
    (3, plain("cut")),
    (3, outage),
    (2, plain("skewed")),
    (1.5, burst),
    (1.5, plain("erase")),
    (1, plain("replay")),
    (0.3, plain("mend_plan")),
)


def live_on(made: World, *, until: float, steps_max: int, between: Callable[[int], None] = lambda _step: None) -> None:
    """Let life go on until the monotonic clock says `until`, or for so many steps; each step is work, a pause and a run."""
    acts, weights = [act for _, act in ACTS], [weight for weight, _ in ACTS]
    for step in range(steps_max):
        if time.monotonic() >= until:
            return
        made.keeper.work(made.rng.randint(0, 8))
        made.advance(gap(made))
        made.rng.choices(acts, weights)[0](made)
        if step % 40 == 39:
            made.check()
        between(step)


def life(folder: Path, seed: int, *, seconds: float, steps_max: int, orders: int) -> tuple[Counter[str], dict[str, Verdict]]:
    """A whole life, from the first backfill to the last check; what was done, and the last verdicts."""
    until = time.monotonic() + seconds
    with world(folder, seed, orders=orders) as made:
        made.keeper.work(15)
        made.backfill()
        live_on(made, until=until, steps_max=steps_max)
        made.keeper.mend_all()
        made.mend_plan()
        verdicts = made.check()
        assert all(not letters for letters in made.letters().values()), made.letters()
        made.counts["days"] = round(in_days(made))
        made.counts.update({f"did {name}": count for name, count in made.keeper.done.items()})
        return made.counts, verdicts
