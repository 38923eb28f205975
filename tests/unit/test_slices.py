"""Slicing a window: nothing lost, nothing doubled, about equally full."""

from __future__ import annotations

from doubles import FakeSource, order
from hypothesis import given
from hypothesis import strategies as st
from jobs import SINCE, window

from cdi_cli.clock import Window
from cdi_cli.pipeline.slices import RECORDS_MIN, SLICES_MAX, plan_partitions, slice_window


class Counting(FakeSource):
    """A source whose orders are only counted, `cap` at most, as commercetools does with a predicate."""

    cap: int = 10_000

    async def count(self, stream: str, window: Window) -> int | None:
        """Capped."""
        return min(await super().count(stream, window) or 0, self.cap)


@given(st.lists(st.integers(0, 2879), max_size=60), st.integers(1, 8))
async def test_slices_together_are_the_window(minutes: list[int], workers: int) -> None:
    """Whatever lies where, each slice begins where the one before ends."""
    source = FakeSource([order(minute) for minute in minutes])

    slices = await slice_window(source, "orders", window(), workers=workers)

    edges = [part.since for part, _ in slices] + [slices[-1][0].until]
    assert (edges[0], edges[-1]) == (window().since, window().until)
    assert edges == sorted(edges)
    assert [part.until for part, _ in slices] == edges[1:]


async def test_a_full_window_is_cut_until_the_slices_are_even() -> None:
    """Where the source can count, every worker gets its share."""
    source = FakeSource([order(number % 2880) for number in range(9000)])

    slices = await slice_window(source, "orders", window(), workers=4)

    counts = [count or 0 for _, count in slices]
    assert sum(counts) == 9000
    assert max(counts) <= max(RECORDS_MIN, 9000 / 8)


async def test_a_capped_count_is_not_taken_for_the_truth() -> None:
    """A slice that still counts as the cap is cut on until its count can be believed."""
    source = Counting([order(number % 2880) for number in range(9000)])
    source.cap = 500

    slices = await slice_window(source, "orders", window(), workers=1)

    assert all(count is not None and count <= RECORDS_MIN for _, count in slices)


async def test_one_crowded_instant_does_not_cut_for_ever() -> None:
    """An import of thousands of rows in one millisecond ends in one slice of at least a minute."""
    source = FakeSource([order(7, created_at=SINCE) for _ in range(5000)])

    slices = await slice_window(source, "orders", window(), workers=4)

    assert len(slices) <= SLICES_MAX
    assert max(count or 0 for _, count in slices) == 5000


async def test_a_source_that_cannot_count_is_read_in_one_piece() -> None:
    """No count, no slices, and no expectation for the display."""

    class Uncounted(FakeSource):
        async def count(self, stream: str, window: Window) -> int | None:
            return None

    partitions = await plan_partitions(Uncounted([]), ["orders"], window(), workers=4)

    assert [(one.window, one.expected) for one in partitions] == [(window(), None)]
