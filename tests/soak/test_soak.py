"""`make soak`: as long a life as fits in ten minutes. `CDI_SEED=n` lives it again, `CDI_SOAK_SECONDS=n` sets how long.

Prints what was lived through and, with `CDI_SOAK_FIGURES=path`, writes it between that file's soak marks.
"""

from __future__ import annotations

import os
import random
import re
import time
from collections import Counter
from pathlib import Path

import pytest
from life.oracle import FINDINGS, Verdict
from life.script import life

SECONDS = 540.0
SEED, LENGTH, FIGURES = (os.environ.get(name) for name in ("CDI_SEED", "CDI_SOAK_SECONDS", "CDI_SOAK_FIGURES"))
"""Read before the tests' environment is cleaned."""
HAPPENED = ("kills", "faults", "overlaps refused", "skews refused", "cuts", "outages", "erased", "replays", "did late")
"""What a life that shows anything must have been through."""


@pytest.mark.soak
def test_a_long_life(tmp_path: Path) -> None:
    """Months of syncs, kills, faults and overlaps: lost 0, invented 0, doubled 0, and the last word is the truth."""
    seed = int(SEED) if SEED else random.SystemRandom().randrange(2**32)
    print(f"\nCDI_SEED={seed}")
    started = time.monotonic()

    counts, verdicts = life(tmp_path, seed, seconds=float(LENGTH or SECONDS), steps_max=1_000_000, orders=400)

    text = figures(seed, counts, verdicts, time.monotonic() - started)
    print(text)
    if FIGURES:
        write_figures(Path(FIGURES), text)
    assert all(verdict.events > 100 for verdict in verdicts.values())
    if not LENGTH:
        assert all(verdict.events > 1000 for verdict in verdicts.values())
        assert all(counts[name] > 0 for name in HAPPENED), {name: counts[name] for name in HAPPENED}


def figures(seed: int, counts: Counter[str], verdicts: dict[str, Verdict], seconds: float) -> str:
    """What was lived through, in a few lines."""
    events = sum(verdict.events for verdict in verdicts.values())
    facts = sum(verdict.facts for verdict in verdicts.values())
    repeats = ", ".join(f"{verdict.repeats} to `{name}`" for name, verdict in verdicts.items())
    found = ", ".join(f"{name} {sum(len(getattr(verdict, name)) for verdict in verdicts.values())}" for name in FINDINGS)
    exits = ", ".join(f"{name[5:]}: {count:,}" for name, count in sorted(counts.items()) if name.startswith("exit "))
    changes = sum(count for name, count in counts.items() if name.startswith("did ") and name != "did late")
    return (
        f"Last soak (`make soak`, seed {seed}): {counts['days']:,} simulated days in {seconds / 60:.0f} min, "
        f"{counts['runs']:,} runs (by exit code: {exits}),\n"
        f"{counts['kills']:,} of them killed, {counts['overlaps refused']:,} refused for another one, "
        f"{counts['skews refused']:,} for a wrong clock, {counts['cuts']:,} cut short; {counts['faults']:,} faults fired, "
        f"{counts['outages']:,} outages;\n"
        f"{changes:,} changes of the shop, {counts['did late']:,} of them seen late; {events:,} events, {facts:,} facts "
        f"checked: {found};\n"
        f"repeated, each after a kill or a lost answer that left it in doubt: {repeats}."
    )


def write_figures(path: Path, text: str) -> None:
    """Put the figures between the file's soak marks."""
    marks = re.compile(r"(<!-- soak -->\n).*?(<!-- /soak -->)", re.DOTALL)
    before = path.read_text(encoding="utf-8")
    after, count = marks.subn(lambda found: f"{found[1]}{text}\n{found[2]}", before)
    assert count == 1, f"{path} has no soak marks"
    path.write_text(after, encoding="utf-8")
