"""Look-ups by SKU: standalone prices and stock, which change without their product; never remembered.

Asked for in bounded portions, each read to its end by `id`: a SKU has a price for each currency, country, channel and group.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Generic, TypeVar

from cdi_cli.errors import TooLargeError
from cdi_cli.sources.commercetools.client import Ask, Client, SlowAnswerError
from cdi_cli.sources.commercetools.records import Record
from cdi_cli.sources.commercetools.records_products import InventoryEntry, StandalonePrice
from cdi_cli.sources.commercetools.references import (
    IDS_PER_REQUEST,
    LOOKUP_PARAMS,
    LOOKUP_ROWS,
    fetch_by_id,
    lookup,
    quoted,
)

SKU_CHARACTERS_MAX = 4_000
"""About as much of a URL as the ids of one look-up (sheet "commercetools", section 2)."""


Row = TypeVar("Row")


class _Rows(Record, Generic[Row]):
    results: tuple[Row, ...]


class _Created(Record):
    id: str
    created_at: str


class _Sku(Record):
    sku: str | None = None


class _Sold(Record):
    id: str
    master_variant: _Sku | None = None
    variants: tuple[_Sku, ...] = ()


class _Products(Record):
    results: tuple[_Created, ...]


class SkuLookups:
    """Asks for what belongs to SKUs."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def standalone_prices(self, skus: Sequence[str]) -> dict[str, list[StandalonePrice]]:
        """All standalone prices of some SKUs; raises what `Client.get` raises."""
        ask = lookup("/standalone-prices", "standalone prices", "view_standalone_prices", "standalone_prices")
        return await self._by_sku(ask, skus, _Rows[StandalonePrice])

    async def inventory(self, skus: Sequence[str]) -> dict[str, list[InventoryEntry]]:
        """The stock of some SKUs at every supply channel; raises what `Client.get` raises."""
        return await self._by_sku(lookup("/inventory", "stock", "view_products", "inventory"), skus, _Rows[InventoryEntry])

    async def sold(self, skus: Sequence[str]) -> set[str]:
        """Those of some SKUs that a published product has now; raises what `Client.get` raises."""
        ask = Ask("/product-projections", "commercetools products on sale", permission="view_products")
        found: set[str] = set()
        for portion in portions(skus, length_max=SKU_CHARACTERS_MAX // 2):
            listed = f"({', '.join(map(quoted, portion))})"
            rows = await self._rows(ask, f"masterVariant(sku in {listed}) or variants(sku in {listed})", _Rows[_Sold])
            found |= {each.sku for row in rows for each in (row.master_variant, *row.variants) if each and each.sku}
        return found

    async def created_at(self, product_ids: Sequence[str]) -> dict[str, str]:
        """When products were created, of those that there are; raises what `Client.get` raises."""
        ask = Ask("/products", "commercetools products of variants", LOOKUP_PARAMS, "view_products")
        found: dict[str, str] = {}
        for start in range(0, len(product_ids), IDS_PER_REQUEST):
            for page in await fetch_by_id(self._client, ask, product_ids[start : start + IDS_PER_REQUEST], _Products):
                found.update({product.id: product.created_at for product in page.results})
        return found

    async def _by_sku(self, ask: Ask, skus: Sequence[str], kind: type[_Rows[Any]]) -> dict[str, list[Any]]:
        found: dict[str, list[Any]] = {sku: [] for sku in skus}
        for portion in portions(skus):
            for row in await self._rows(ask, f"sku in ({', '.join(map(quoted, portion))})", kind):
                if row.sku in found:
                    found[row.sku].append(row)
        return found

    async def _rows(self, ask: Ask, where: str, kind: type[_Rows[Any]]) -> list[Any]:
        """Every row that a predicate holds for, in fewer at once where the server cannot serve so many."""
        found: list[Any] = []
        rows = LOOKUP_ROWS
        while True:
            after = [("where", f"id > {quoted(found[-1].id)}")] if found else []
            params = [("where", where), *after, ("sort", "id asc"), ("limit", str(rows)), ("withTotal", "false")]
            try:
                page, _ = await self._client.get(replace(ask, params=params, is_divisible=rows > 1), kind)
            except (TooLargeError, SlowAnswerError):
                if rows == 1:
                    raise
                rows //= 2
                continue
            found += page.results
            if len(page.results) < rows:
                return found


def portions(skus: Sequence[str], length_max: int = SKU_CHARACTERS_MAX) -> Iterator[list[str]]:
    """SKUs in lists that fit into a predicate each; one that no predicate can hold is left out."""
    portion: list[str] = []
    length = 0
    for sku in skus:
        if not sku.isprintable():
            continue
        if portion and (len(portion) == IDS_PER_REQUEST or length + len(quoted(sku)) > length_max):
            yield portion
            portion, length = [], 0
        portion.append(sku)
        length += len(quoted(sku)) + 2
    if portion:
        yield portion
