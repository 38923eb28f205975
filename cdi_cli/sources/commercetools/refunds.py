"""The payments stream: refunds told by payments, joined to their orders.

Orders are asked for by `paymentInfo(payments(id in (...)))`, a hundred payments at a time, with all their payments expanded:
the whole order is read, so that the same refund has the same id and the same `is_full` as when read with its order.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any

import msgspec

from cdi_cli.sources._base import Joined, Nothing, Reading, Unreadable
from cdi_cli.sources.commercetools.client import Ask, Client
from cdi_cli.sources.commercetools.paging import Envelope
from cdi_cli.sources.commercetools.payments import has_refund
from cdi_cli.sources.commercetools.reading import Reader, attempt
from cdi_cli.sources.commercetools.records import Payment, Record
from cdi_cli.sources.commercetools.references import LOOKUP_PARAMS, LOOKUP_ROWS, fetch_by_id
from cdi_cli.sources.commercetools.streams import EXPAND_PAYMENTS

_WHERE = "paymentInfo(payments(id in ({ids})))"
_decode_payment = msgspec.json.Decoder(Payment).decode


class _Link(Record):
    id: str


class _Links(Record):
    payments: tuple[_Link, ...] = ()


class _Paid(Record):
    """An order's id and those of its payments."""

    id: str
    payment_info: _Links | None = None


_decode_paid = msgspec.json.Decoder(_Paid).decode


class RefundReader:
    """Reads payment records as the orders whose money went back."""

    def __init__(self, client: Client, reader: Reader, orders_path: str, *, is_one_store: bool) -> None:
        """`is_one_store`: `orders_path` holds the orders of one store only, while payments are those of all stores."""
        self._client = client
        self._reader = reader
        self._is_one_store = is_one_store
        self._ask = Ask(
            path=orders_path,
            what="commercetools orders of payments",
            params=(*LOOKUP_PARAMS, EXPAND_PAYMENTS),
            permission="view_orders",
        )

    async def read(self, records: Sequence[bytes]) -> list[list[Reading]]:
        """For each payment its orders, each order once per call; raises what a look-up raises."""
        payments: list[Any] = [attempt(_decode_payment, record) for record in records]
        wanted = [item.id for item in payments if isinstance(item, Payment) and has_refund(item)]
        orders = await self._orders_of(list(dict.fromkeys(wanted))) if wanted else {}
        given: set[bytes] = set()
        found: dict[int, list[bytes]] = {}
        readings: list[list[Reading]] = [[] for _ in payments]
        for number, payment in enumerate(payments):
            if isinstance(payment, Unreadable):
                readings[number].append(payment)
                continue
            own = orders.get(payment.id, []) if has_refund(payment) else []
            fresh = [order for order in own if order not in given]
            given.update(fresh)
            if fresh:
                found[number] = fresh
            else:
                readings[number].append(self._why_none(payment, has_orders=bool(own)))
        read = iter(await self._read_orders([order for fresh in found.values() for order in fresh]))
        for number, fresh in found.items():
            readings[number] = Joined(islice(read, len(fresh)), fresh)
        return readings

    async def _read_orders(self, orders: Sequence[bytes]) -> list[Reading]:
        return await self._reader.read("orders", orders) if orders else []

    def _why_none(self, payment: Payment, *, has_orders: bool) -> Reading:
        if not has_refund(payment):
            return Nothing("no_refund")
        if has_orders:
            return Nothing("order_read_with_other_payment")
        if self._is_one_store:
            return Nothing("refund_outside_store")
        return Unreadable("refund_without_order", "the payment has a refund, but no order refers to it", payment.id)

    async def _orders_of(self, payment_ids: Sequence[str]) -> dict[str, list[bytes]]:
        """The orders of each payment as raw records."""
        asked = set(payment_ids)
        orders: dict[str, list[bytes]] = {}
        for page in await fetch_by_id(self._client, self._ask, payment_ids, Envelope, where=_WHERE):
            if len(page.results) >= LOOKUP_ROWS and len(payment_ids) > 1:
                return await self._orders_in_halves(payment_ids)
            for raw in page.results:
                record = bytes(raw)
                for payment_id in _payment_ids(record) & asked:
                    orders.setdefault(payment_id, []).append(record)
        return orders

    async def _orders_in_halves(self, payment_ids: Sequence[str]) -> dict[str, list[bytes]]:
        middle = len(payment_ids) // 2
        return {**await self._orders_of(payment_ids[:middle]), **await self._orders_of(payment_ids[middle:])}


def _payment_ids(record: bytes) -> set[str]:
    paid = attempt(_decode_paid, record)
    if isinstance(paid, Unreadable) or paid.payment_info is None:
        return set()
    return {payment.id for payment in paid.payment_info.payments}
