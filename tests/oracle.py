"""The oracle: what must have arrived, told from the orders alone.

It shares no code with the pipeline: ids and amounts are written out here a second time, from the promise in the README.
`verdict` compares what a destination applied with it: issued = delivered + rejected + filtered, nothing lost, nothing
invented, payloads equal, repeats counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from cdi_cli.commerce import Order


@dataclass(frozen=True)
class Expected:
    """One event that must arrive: its id, its name, and what its money must say."""

    id: str
    event: str
    currency: str
    total: float


def expected_events(orders: Iterable[Order], *, unreadable: Iterable[int] = ()) -> list[Expected]:
    """Every event that these orders stand for, those that cannot be read left out."""
    skipped = {f"order-{number}" for number in unreadable}
    events = []
    for order in orders:
        if order.id in skipped:
            continue
        head = f"cdi:test:shop:order:{order.id}"
        total = order.total.minor / 100
        events.append(Expected(f"{head}:order-completed", "Order Completed", order.currency, total))
        if order.is_cancelled:
            events.append(Expected(f"{head}:order-cancelled", "Order Cancelled", order.currency, total))
        events += [
            Expected(
                f"{head}:order-refunded:{refund.id}", "Order Refunded", refund.amount.currency, refund.amount.minor / 100
            )
            for refund in order.refunds
        ]
    return events


@dataclass(frozen=True)
class Verdict:
    """What is wrong with what arrived; `repeats` counts messages beyond the first of each id."""

    missing: frozenset[str]
    spurious: frozenset[str]
    corrupted: tuple[str, ...]
    repeats: int

    @property
    def is_clean(self) -> bool:
        """Everything arrived, nothing else did, and it says what it must."""
        return not (self.missing or self.spurious or self.corrupted)


def verdict(expected: Sequence[Expected], applied: Sequence[dict[str, Any]], *, dead: Iterable[str] = ()) -> Verdict:
    """Judge what a destination applied; ids in `dead` are accounted for in the dead letters."""
    by_id = {one.id: one for one in expected}
    counted = Counter(message["messageId"] for message in applied)
    return Verdict(
        missing=frozenset(by_id) - frozenset(counted) - frozenset(dead),
        spurious=frozenset(counted) - frozenset(by_id),
        corrupted=tuple(
            message["messageId"]
            for message in applied
            if (one := by_id.get(message["messageId"])) is not None and not _says(message, one)
        ),
        repeats=sum(counted.values()) - len(counted),
    )


def _says(message: dict[str, Any], one: Expected) -> bool:
    properties = message["properties"]
    amount = properties["refund_amount"] if one.event == "Order Refunded" else properties["total"]
    return bool(message["event"] == one.event and properties["currency"] == one.currency and amount == one.total)
