"""What a dry run counts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cdi_cli.pipeline.dry import DistinctCounter


@given(st.lists(st.integers(0, 500)))
def test_few_people_are_counted_exactly(people: list[int]) -> None:
    """Up to its size the counter is a set."""
    counter = DistinctCounter(size=1000)

    for person in people:
        counter.add(str(person))

    assert counter.is_exact
    assert counter.count() == len(set(people))


def test_many_people_are_counted_in_bounded_memory() -> None:
    """Beyond its size it estimates, within a few standard errors, and repeats change nothing."""
    counter = DistinctCounter(size=1024)

    for person in [*range(50_000), *range(50_000)]:
        counter.add(str(person))

    assert not counter.is_exact
    assert abs(counter.count() - 50_000) < 50_000 * 4 / 1024**0.5
