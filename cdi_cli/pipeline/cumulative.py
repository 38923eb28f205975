"""Refunds of platforms that keep only how much of a payment went back so far: what of that is news.

The ledger keeps, for each payment, the sum that was told last. A refund that says more is news, by what it says more; its id
holds the sum, so that the same reading always makes the same event. Where a run died between sending and noting a refund,
and more went back before the next one, that one tells both sums: the destination then has the first one twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from cdi_cli.clock import Instant
from cdi_cli.commerce import Money
from cdi_cli.events import Event, EventBuilder, Occurrence

LookUp = Callable[[str, Mapping[bytes, Instant]], Mapping[bytes, bytes]]
FAMILY = "order"


def as_news(occurrence: Occurrence, name: str, builder: EventBuilder, delivered: LookUp) -> Occurrence:
    """The refund with what was not told yet of it under the event's name; as it is where nothing or everything was."""
    if not occurrence.is_cumulative:
        return occurrence
    key = builder.key_of_payment(occurrence, name)
    told = delivered(FAMILY, {key: occurrence.entity.created_at}).get(key)
    refund = occurrence.subjects["refund"]
    before = int.from_bytes(told, "big") if told is not None else 0
    if not 0 < before < refund.so_far.minor:
        return occurrence
    amount = Money(refund.so_far.minor - before, refund.so_far.currency, refund.so_far.digits)
    # What was returned is not known to be all of it any more: part of it was told of before.
    news = msgspec.structs.replace(refund, amount=amount, lines=())
    return msgspec.structs.replace(occurrence, subjects={**occurrence.subjects, "refund": news})


def is_told(event: Event, occurrence: Occurrence, content: bytes) -> bool:
    """Whether the ledger's content of an event that is there says as much or more of what went back."""
    return not occurrence.is_cumulative or content >= event.content
