"""The stream of credit memos: refunds, joined to their orders (sheet "magento", section 3).

A memo holds neither number nor customer of its order, only the order's id. Orders are asked for a hundred at a time and read
whole, with all their memos, so that the same refund has the same id and the same `is_full` as when read with its order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cdi_cli.sources._base import Joined, Nothing, Reading, Unreadable
from cdi_cli.sources.magento.client import Client
from cdi_cli.sources.magento.fetch import Fetched, fetch_by_ids
from cdi_cli.sources.magento.poison import source_error
from cdi_cli.sources.magento.reading import Reader, attempt
from cdi_cli.sources.magento.records import CreditMemo
from cdi_cli.sources.magento.refunds import decode_memo, is_refund

_HINT = "refunds are joined to their orders: tick `Magento_Sales::actions_view`, or leave out the stream `creditmemos`"


class RefundReader:
    """Reads credit memos as the orders whose money went back."""

    def __init__(self, client: Client, reader: Reader) -> None:
        self._client = client
        self._reader = reader

    async def read(self, records: Sequence[bytes]) -> list[list[Reading]]:
        """For each memo its order, each order once per call; raises what a look-up raises."""
        memos: list[Any] = [attempt(decode_memo, record) for record in records]
        order_ids = [memo.order_id for memo in memos if isinstance(memo, CreditMemo) and is_refund(memo)]
        orders = await self._orders(list(dict.fromkeys(order_ids))) if order_ids else Fetched()
        given: set[int] = set()
        readings: list[list[Reading]] = []
        fresh: list[tuple[int, bytes]] = []
        for number, memo in enumerate(memos):
            readings.append([])
            if isinstance(memo, Unreadable):
                readings[number].append(memo)
            elif not is_refund(memo):
                readings[number].append(Nothing("no_refund"))
            elif memo.order_id in orders.failed:
                readings[number].append(source_error(memo.order_id, orders.failed[memo.order_id]))
            elif memo.order_id not in orders.records:
                detail = "the credit memo is of an order that the shop does not have"
                readings[number].append(Unreadable("refund_without_order", detail, str(memo.entity_id)))
            elif memo.order_id in given:
                other = Nothing("order_read_with_other_credit_memo")
                readings[number] = Joined([other], orders.records[memo.order_id][:1])
            else:
                given.add(memo.order_id)
                fresh.append((number, orders.records[memo.order_id][0]))
        raws = [raw for _, raw in fresh]
        found = await self._reader.read("orders", raws) if raws else []
        for (number, raw), order in zip(fresh, found, strict=True):
            readings[number] = order if isinstance(order, Joined) else Joined(order, [raw] * len(order))
        return readings

    async def _orders(self, order_ids: Sequence[int]) -> Fetched:
        return await fetch_by_ids(self._client, "orders", "entity_id", order_ids, key="entity_id", scope_hint=_HINT)
