"""Bounded look-ups of what records only refer to (sheet "magento", sections 2.5 and 3).

Credit memos and shipments are asked for by the orders of a group, and only for orders that say they have some; reference
data (groups, categories, labels of brands) is small and read whole, once. A look-up that is not permitted stops the run with
the setting that switches it off: leaving out what was asked for would not be noticed. One whose module the shop does not
have finds nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

import msgspec

from cdi_cli.errors import ProtocolError, RefusedError
from cdi_cli.sources._together import Once
from cdi_cli.sources.magento.client import Ask, Client
from cdi_cli.sources.magento.fetch import VALUES_PER_REQUEST, Fetched, fetch_by_ids, read_list
from cdi_cli.sources.magento.paging import Envelope
from cdi_cli.sources.magento.records_products import AttributeOption, CategoryRecord, GroupRecord, SourceItem
from cdi_cli.sources.magento.refusals import NoRouteError
from cdi_cli.sources.magento.search import Filter, Group, criteria, one_of
from cdi_cli.sources.magento.settings import Lookups
from cdi_cli.sources.magento.streams import LISTINGS

T = TypeVar("T")

CATEGORY_LEVEL_MIN = 2
"""Above it are the root of all catalogues and the root of each store's own, which shoppers never see."""
PATH_SEPARATOR = " > "
SKUS_PER_REQUEST = 40
"""Of at most 64 characters each, percent-encoded: the URL stays under the 8 KB that servers take."""


class References:
    """The look-ups of one run."""

    def __init__(self, client: Client, lookups: Lookups, brand_attribute: str) -> None:
        self._client = client
        self._lookups = lookups
        self._brand_attribute = brand_attribute
        self.groups = Once(self._read_groups)
        self.categories = Once(self._read_categories)
        self.brands = Once(self._read_brands)

    async def credit_memos(self, order_ids: Sequence[int]) -> Fetched:
        """The credit memos of orders as raw records."""
        return await fetch_by_ids(self._client, "creditmemos", "order_id", order_ids, key="order_id")

    async def shipments(self, order_ids: Sequence[int]) -> Fetched:
        """The shipments of orders as raw records."""
        if not self._lookups.shipments:
            return Fetched()
        hint = _hint("Magento_Sales::shipment", "shipments")
        return await fetch_by_ids(self._client, "shipments", "order_id", order_ids, key="order_id", scope_hint=hint)

    async def invoices(self, order_ids: Sequence[int]) -> Fetched:
        """The invoices of orders as raw records."""
        hint = (
            "when an order was paid is told by its invoices: tick `Magento_Sales::sales_invoice`, or set "
            "`lifecycle.order_completed: placed`"
        )
        return await fetch_by_ids(self._client, "invoices", "order_id", order_ids, key="order_id", scope_hint=hint)

    async def stock(self, skus: Iterable[str]) -> dict[str, list[SourceItem]]:
        """The source items of products; empty where the shop keeps no sources."""
        wanted = list(dict.fromkeys(skus)) if self._lookups.stock else []
        # A list of values is parted by commas, so that a sku with one has to be asked for alone.
        plain = [sku for sku in wanted if "," not in sku]
        batches = [plain[start : start + SKUS_PER_REQUEST] for start in range(0, len(plain), SKUS_PER_REQUEST)]
        groups = [one_of("sku", batch) for batch in batches]
        groups += [(Filter("sku", "eq", sku),) for sku in wanted if "," in sku]
        found: dict[str, list[SourceItem]] = {}
        try:
            for group in groups:
                for item in await self._source_items(group):
                    found.setdefault(item.sku, []).append(item)
        except NoRouteError:
            return {}
        return found

    async def _source_items(self, group: Group) -> list[SourceItem]:
        """All source items that a group of filters holds for; they have no id, so their pages are told apart by number."""
        items: list[SourceItem] = []
        for page in range(1, 1000):
            params = criteria([group], sort=["sku", "source_code"], page_size=VALUES_PER_REQUEST, page=page)
            ask = Ask(
                "/inventory/source-items",
                "Magento stock",
                params,
                "Magento_InventoryApi::source",
                scope_hint=_hint("Magento_InventoryApi::source", "stock"),
            )
            envelope, _ = await self._client.get(ask, Envelope)
            rows = envelope.items or []
            items += decoded_rows(rows, SourceItem, ask.what)
            if len(rows) < VALUES_PER_REQUEST or len(items) >= (envelope.total_count or 0):
                break
        return items

    async def _read_groups(self) -> dict[int, str]:
        rows = await self._reference("customer_groups", "customer_groups", self._lookups.customer_groups)
        groups = decoded_rows(rows, GroupRecord, "Magento customer groups")
        return {group.id: group.code for group in groups}

    async def _read_categories(self) -> dict[str, str]:
        rows = await self._reference("categories", "categories", self._lookups.categories)
        return category_paths(decoded_rows(rows, CategoryRecord, "Magento categories"))

    async def _reference(self, name: str, setting: str, is_wanted: bool) -> list[bytes]:
        if not is_wanted:
            return []
        listing = LISTINGS[name]
        what = f"Magento {name.replace('_', ' ')}"
        try:
            return await read_list(self._client, listing, what, scope_hint=_hint(listing.scope, setting))
        except NoRouteError:
            return []

    async def _read_brands(self) -> dict[str, str]:
        if not self._lookups.brands:
            return {}
        ask = Ask(
            f"/products/attributes/{self._brand_attribute}/options",
            "Magento brands",
            [],
            "Magento_Catalog::attributes_attributes",
            scope_hint=_hint("Magento_Catalog::attributes_attributes", "brands"),
        )
        try:
            options, _ = await self._client.get(ask, list[AttributeOption])
        except RefusedError as error:
            if error.status not in (400, 404):
                raise
            return {}  # the shop has no such attribute, or it is none of choices
        return {str(option.value): option.label for option in options if option.label and option.value}


def category_paths(categories: Sequence[CategoryRecord]) -> dict[str, str]:
    """The names from a store's first level down to each category, by id; a step without a name is left out."""
    names = {str(category.id): category.name for category in categories}
    levels = {str(category.id): category.level for category in categories}
    found: dict[str, str] = {}
    for category in categories:
        steps = (category.path or str(category.id)).split("/")
        shown = [names[step] for step in steps if names.get(step) and (levels.get(step) or 0) >= CATEGORY_LEVEL_MIN]
        if shown:
            found[str(category.id)] = PATH_SEPARATOR.join(name for name in shown if name)
    return found


def decoded_rows(rows: Sequence[bytes | msgspec.Raw], kind: type[T], what: str) -> list[T]:
    """The rows of reference data; raises ProtocolError for one that cannot be read."""
    try:
        return [msgspec.json.decode(row, type=kind) for row in rows]
    except (ValueError, RecursionError) as error:
        detail = str(error) if isinstance(error, msgspec.ValidationError) else "not readable as JSON"
        raise ProtocolError(f"{what}: a record cannot be read: {detail}") from None


def _hint(scope: str, setting: str) -> str:
    return f"tick the resource `{scope}` for the integration, or set `lookups.{setting}: false`"
