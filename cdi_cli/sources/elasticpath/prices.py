"""What products cost: for each currency the price of the first price book that has one (vendor's spec "pricebooks").

A sale that holds now, for everybody, goes before the price itself; of several the lowest one counts. Prices for larger
quantities are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from cdi_cli.clock import Instant
from cdi_cli.commerce import Money
from cdi_cli.errors import ProtocolError, RefusedError
from cdi_cli.sources.elasticpath.client import Ask, Client
from cdi_cli.sources.elasticpath.fetch import read_list
from cdi_cli.sources.elasticpath.money import Currencies
from cdi_cli.sources.elasticpath.records_products import PriceAttributes, PriceRecord, Sale
from cdi_cli.sources.elasticpath.times import instant_of

SKUS_PER_REQUEST = 50
_decode = msgspec.json.Decoder(PriceRecord).decode
_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.")


class PriceBooks:
    """Reads prices by SKU from the chosen books; made once per run."""

    def __init__(self, client: Client, books: Sequence[str]) -> None:
        self._client = client
        self._books = books
        self._whole: dict[str, dict[str, PriceAttributes]] = {}

    async def of(self, skus: Iterable[str]) -> list[Mapping[str, PriceAttributes]]:
        """The entries of each book for these SKUs, in the order of the books; raises what `Client.get` raises."""
        wanted = list(dict.fromkeys(skus))
        return [await self._of_book(book, wanted) for book in self._books] if wanted else []

    async def _of_book(self, book: str, skus: Sequence[str]) -> Mapping[str, PriceAttributes]:
        if book in self._whole:
            return self._whole[book]
        ask = self._ask(book)
        # A SKU with signs that a filter is made of cannot be asked for, but is found in the whole book.
        if any(not _PLAIN.issuperset(sku) for sku in skus):
            return await self._read_whole(book)
        found: dict[str, PriceAttributes] = {}
        for start in range(0, len(skus), SKUS_PER_REQUEST):
            named = ",".join(skus[start : start + SKUS_PER_REQUEST])
            try:
                rows = await read_list(
                    self._client, Ask(ask.path, ask.what, [("filter", f"in(sku,{named})")], ask.scope_hint)
                )
            except RefusedError as refused:
                if refused.status != 400:
                    raise
                return await self._read_whole(book)
            found.update(_entries(rows))
        return found

    async def _read_whole(self, book: str) -> Mapping[str, PriceAttributes]:
        self._whole[book] = _entries(await read_list(self._client, self._ask(book)))
        return self._whole[book]

    def _ask(self, book: str) -> Ask:
        path = f"/pcm/pricebooks/{book}/prices"
        return Ask(path, f"Elastic Path price book `{book}`", scope_hint="check `price_books`")


def prices_of(
    entries: Iterable[PriceAttributes | None], currencies: Currencies, now: Instant
) -> tuple[dict[str, Money], dict[str, Money]]:
    """Present and original prices by currency, in the order of their names; raises ValueError for times that are none."""
    present: dict[str, Money] = {}
    original: dict[str, Money] = {}
    for entry in entries:
        if entry is None:
            continue
        sales = [sale for sale in (entry.sales or {}).values() if _is_open(sale, now)]
        for currency, price in (entry.currencies or {}).items():
            if currency in original:
                continue
            reduced = [each.amount for sale in sales if (each := (sale.currencies or {}).get(currency)) is not None]
            original[currency] = currencies.money(price.amount, currency)
            present[currency] = currencies.money(min(reduced, default=price.amount), currency)
    return dict(sorted(present.items())), dict(sorted(original.items()))


def _is_open(sale: Sale, now: Instant) -> bool:
    """Whether anybody can have the sale price now."""
    if sale.bundle_ids:
        return False
    schedule = sale.schedule
    if schedule is None:
        return True
    if schedule.valid_from and instant_of(schedule.valid_from, "valid_from") > now:
        return False
    return not schedule.valid_to or now < instant_of(schedule.valid_to, "valid_to")


def _entries(rows: Iterable[bytes]) -> dict[str, PriceAttributes]:
    found: dict[str, PriceAttributes] = {}
    for row in rows:
        try:
            entry = _decode(row).attributes
        except (ValueError, RecursionError) as error:
            detail = str(error) if isinstance(error, msgspec.ValidationError) else "not readable as JSON"
            raise ProtocolError(f"Elastic Path prices: an entry cannot be read: {detail}") from None
        found[entry.sku] = entry
    return found
