"""Look-ups of what records only refer to (sheet "elasticpath", sections 2.3 and 3).

Currencies are small and read whole, once. Transactions, and lines that did not come with their order, cost a request per
order, so that only orders that may have some are asked for. A look-up that is not permitted stops the run with the setting
that switches it off: leaving out what was asked for would not be noticed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar

import msgspec

from cdi_cli.clock import shift
from cdi_cli.errors import RefusedError, ScopeError
from cdi_cli.sources._together import Once, together
from cdi_cli.sources.elasticpath.client import Ask, Client
from cdi_cli.sources.elasticpath.fetch import read_by_ids, read_list, read_owned
from cdi_cli.sources.elasticpath.money import Currencies
from cdi_cli.sources.elasticpath.orders import CANCELLED, account_of, lacks_items
from cdi_cli.sources.elasticpath.records import (
    AccountRecord,
    CurrencyRecord,
    OrderItem,
    OrderRecord,
    Transaction,
)
from cdi_cli.sources.elasticpath.settings import ID, ElasticPathSettings
from cdi_cli.sources.elasticpath.times import instant_of

T = TypeVar("T")

MAY_BE_REFUNDED = frozenset({"paid", "partially_paid", "refunded"})
UNPAID = frozenset({"unpaid", None})
SETTLED = timedelta(seconds=60)
"""An order that was paid is written again at once; a change this much later is another one."""
_ACCOUNTS_HINT = "give the application key access to accounts, or set `lookups.accounts: false`"
_TRANSACTIONS_HINT = "partial refunds are told by transactions: give the key access, or set `lookups.transactions: none`"
_decode_transaction = msgspec.json.Decoder(Transaction).decode
_decode_item = msgspec.json.Decoder(OrderItem).decode
_decode_currency = msgspec.json.Decoder(CurrencyRecord).decode
_decode_account = msgspec.json.Decoder(AccountRecord).decode


@dataclass(slots=True)
class OfOrders:
    """What was looked up for some orders; `failed`: why an order's cannot be read."""

    transactions: dict[str, list[Transaction]] = field(default_factory=dict)
    items: dict[str, list[OrderItem]] = field(default_factory=dict)
    accounts: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


class References:
    """The look-ups of one run."""

    def __init__(self, client: Client, settings: ElasticPathSettings) -> None:
        self._client = client
        self._settings = settings
        self._accounts: dict[str, str] = {}
        self.currencies = Once(self._read_currencies)

    async def of_orders(self, orders: Sequence[OrderRecord]) -> OfOrders:
        """What orders refer to; raises what `Client.get` raises."""
        found = OfOrders(accounts=await self.accounts(one for order in orders if (one := account_of(order))))
        of = {order.id: order for order in orders if re.fullmatch(ID, order.id)}
        if self._settings.lookups.transactions != "none":
            found.transactions = {order.id: [] for order in orders}
            paid = [order.id for order in of.values() if self._may_be_refunded(order)]
            rows = await together(*(self._owned(one, "transactions", _TRANSACTIONS_HINT) for one in paid))
            found.transactions.update(_decoded(paid, rows, _decode_transaction, "transaction", found.failed))
        bare = [order.id for order in of.values() if lacks_items(order)]
        rows = await together(*(self._owned(one, "items", "") for one in bare))
        lines = _decoded(bare, rows, _decode_item, "line", found.failed)
        found.items.update({key: value for key, value in lines.items() if value})
        return found

    async def accounts(self, ids: Iterable[str]) -> dict[str, str]:
        """The names of business accounts by id, as far as they have one."""
        if not self._settings.lookups.accounts:
            return {}
        wanted = [one for one in dict.fromkeys(ids) if re.fullmatch(ID, one) and one not in self._accounts]
        if wanted:
            ask = Ask("/v2/accounts", "Elastic Path accounts by id", scope_hint=_ACCOUNTS_HINT)
            rows = await read_by_ids(self._client, ask, wanted)
            self._accounts.update(dict.fromkeys(wanted, ""))  # not asked for again where there are none
            self._accounts.update({identifier: _name_of(row) for identifier, row in rows.items()})
        return {identifier: name for identifier, name in self._accounts.items() if name}

    def _may_be_refunded(self, order: OrderRecord) -> bool:
        """Whether the transactions of an order have to be asked for."""
        is_cancelled = order.status == CANCELLED and order.payment not in UNPAID
        if not is_cancelled and order.payment not in MAY_BE_REFUNDED:
            return False
        if self._settings.lookups.transactions == "all" or is_cancelled or order.payment != "paid":
            return True
        times = order.meta.timestamps
        if times is None or not times.fully_paid_at or not times.updated_at:
            return True
        try:
            paid, changed = instant_of(times.fully_paid_at, "fully_paid_at"), instant_of(times.updated_at, "updated_at")
        except ValueError:
            return True
        return changed > shift(paid, SETTLED)

    async def _owned(self, order_id: str, part: str, hint: str) -> list[bytes]:
        ask = Ask(f"/v2/orders/{order_id}/{part}", f"Elastic Path {part} of an order", scope_hint=hint)
        return await read_owned(self._client, ask)

    async def _read_currencies(self) -> Currencies:
        """The store's currencies; ISO 4217 says the decimals where the store does not let us ask."""
        try:
            rows = await read_list(self._client, Ask("/v2/currencies", "Elastic Path currencies"))
        except (ScopeError, RefusedError) as error:
            if isinstance(error, RefusedError) and error.status not in (403, 404):
                raise
            return Currencies()
        decimals: dict[str, int] = {}
        for row in rows:
            try:
                found = _decode_currency(row)
            except (ValueError, RecursionError):
                continue
            if found.decimal_places is not None:
                decimals[found.code.upper()] = found.decimal_places
        return Currencies(decimals)


def _decoded(
    ids: Sequence[str], rows: Sequence[Sequence[bytes]], decode: Callable[[bytes], T], what: str, failed: dict[str, str]
) -> dict[str, list[T]]:
    """What belongs to each order, and in `failed` why something of it cannot be read."""
    found: dict[str, list[T]] = {}
    for identifier, own in zip(ids, rows, strict=True):
        try:
            found[identifier] = [decode(row) for row in own]
        except (ValueError, RecursionError) as error:
            detail = str(error) if isinstance(error, msgspec.ValidationError) else "not readable as JSON"
            failed[identifier] = f"a {what} of the order cannot be read: {detail}"
    return found


def _name_of(record: bytes) -> str:
    try:
        return _decode_account(record).name or ""
    except (ValueError, RecursionError):
        return ""
