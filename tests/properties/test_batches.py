"""Batches keep every limit, lose nothing and keep the order."""

from __future__ import annotations

from dataclasses import replace

from doubles import LIMITS
from hypothesis import given
from hypothesis import strategies as st

from cdi_cli.pipeline.deliver import cut
from cdi_cli.pipeline.items import Outgoing

SIZES = st.lists(st.integers(1, 5_000), min_size=1, max_size=80)


def _items(sizes: list[int]) -> list[Outgoing]:
    return [Outgoing(None, b"x" * size, b"") for size in sizes]  # type: ignore[arg-type]


@given(SIZES, st.integers(1, 30), st.integers(5_100, 60_000))
def test_no_batch_exceeds_count_or_bytes(sizes: list[int], batch_events: int, batch_bytes: int) -> None:
    """The joined body with its envelope fits, whatever the sizes."""
    limits = replace(LIMITS, batch_events=batch_events, batch_bytes=batch_bytes)

    batches = cut(_items(sizes), limits)

    for batch in batches:
        body = b",".join(item.encoded for item in batch)
        assert 0 < len(batch) <= batch_events
        assert len(body) + limits.overhead_bytes <= batch_bytes


@given(SIZES)
def test_batches_joined_are_the_input(sizes: list[int]) -> None:
    """Nothing is lost, doubled or reordered."""
    items = _items(sizes)

    assert [item for batch in cut(items, LIMITS) for item in batch] == items


def test_batches_are_about_equally_full() -> None:
    """Eleven events under a limit of ten go as six and five, not as ten and one."""
    assert [len(batch) for batch in cut(_items([10] * 11), LIMITS)] == [6, 5]
