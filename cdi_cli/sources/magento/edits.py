"""Edited orders: what the admin's "edit" makes two orders is one order here (sheet "magento", section 3).

Editing cancels the order 000000013 and places a new one, 000000013-1, whose `original_increment_id` is the number of the
first order of its chain. The customer has neither cancelled nor bought again, so:

- the cancelled one (it has a `relation_child_id`) says nothing: `replaced_by_edit`;
- the new one is read as the first order of the chain: under its id, number and creation time, with its own content. What was
  delivered as the first order's purchase then becomes an update of it, and in a backfill there is one purchase.

A new order whose first order is not there any more is an order of its own.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from cdi_cli.sources.magento.client import Client
from cdi_cli.sources.magento.fetch import VALUES_PER_REQUEST, read_list
from cdi_cli.sources.magento.known import Origin
from cdi_cli.sources.magento.orders import CANCELED
from cdi_cli.sources.magento.records import OrderRecord
from cdi_cli.sources.magento.search import instant_of, one_of
from cdi_cli.sources.magento.streams import LISTINGS

REPLACED = "replaced_by_edit"
_FIELDS = "items[entity_id,increment_id,store_id,created_at],total_count"


class _First(msgspec.Struct):
    entity_id: int
    created_at: str
    increment_id: str | None = None
    store_id: int | None = None


def is_replaced(record: OrderRecord) -> bool:
    """Whether an order was cancelled only because an edited one took its place."""
    return record.state == CANCELED and bool(record.relation_child_id)


def is_edit(record: OrderRecord) -> bool:
    """Whether an order took the place of another."""
    return bool(record.original_increment_id) and record.original_increment_id != record.increment_id


async def origins_of(client: Client, orders: Sequence[OrderRecord]) -> dict[int, Origin]:
    """The first order of each edited order's chain, by the edited order's id; numbers are unique within a store view."""
    edited = [order for order in orders if is_edit(order) and not is_replaced(order)]
    numbers = list(dict.fromkeys(order.original_increment_id or "" for order in edited))
    firsts: dict[tuple[str | None, int | None], Origin] = {}
    for start in range(0, len(numbers), VALUES_PER_REQUEST):
        group = one_of("increment_id", numbers[start : start + VALUES_PER_REQUEST])
        for row in await read_list(client, LISTINGS["orders"], "Magento edited orders", [group], fields=_FIELDS):
            try:
                first = msgspec.json.decode(row, type=_First)
                origin = Origin(first.entity_id, instant_of(first.created_at), first.increment_id)
            except ValueError:
                continue  # it cannot be read in its own place either, and is told there
            firsts[(first.increment_id, first.store_id)] = origin
    found = {order.entity_id: firsts.get((order.original_increment_id, order.store_id)) for order in edited}
    return {entity_id: origin for entity_id, origin in found.items() if origin is not None and origin.entity_id != entity_id}


def as_origin(record: bytes, origin: Origin) -> bytes:
    """The edited order's record under the identity of the first: what `record.` paths and dead letters show."""
    fields = msgspec.json.decode(record)
    times = {"created_at": origin.created_at[:19].replace("T", " ")}
    return msgspec.json.encode({**fields, "entity_id": origin.entity_id, **times})
