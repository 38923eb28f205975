"""The configurable products that variants belong to: nothing in a variant's own record leads there.

Which variants it has is told by a configurable product alone, as `extension_attributes.configurable_product_links`, and no
list can be filtered by that (recorded answer `products.json`). So the links of all configurable products are read once in a
run, a hundred at a time and nothing but the links, and only when a record turns up that no page shows by itself. The parents
of a group of records are then looked up by their ids, once for each store view.

Where the shop fails on a configurable product, nobody knows its variants: each that has no other parent may be one of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from cdi_cli.clock import Instant, Window
from cdi_cli.sources._base import Unreadable
from cdi_cli.sources._together import Once, together
from cdi_cli.sources.magento.client import ALL_STORES, Ask, Client
from cdi_cli.sources.magento.fetch import Fetched, fetch_by_ids
from cdi_cli.sources.magento.lookups import decoded_rows
from cdi_cli.sources.magento.pager import Pager
from cdi_cli.sources.magento.paging import PageSize, Walk
from cdi_cli.sources.magento.poison import source_error, why_unreadable
from cdi_cli.sources.magento.reading import attempt
from cdi_cli.sources.magento.records_products import LinksRecord, ProductRecord
from cdi_cli.sources.magento.search import Filter, Params
from cdi_cli.sources.magento.streams import LISTINGS

CONFIGURABLE = "configurable"
ALWAYS = Window(Instant("1970-01-01T00:00:00.000Z"), Instant("2100-01-01T00:00:00.000Z"))
_FIELDS = "items[id,created_at,extension_attributes[configurable_product_links]],total_count"
_decode = msgspec.json.Decoder(ProductRecord).decode


@dataclass(frozen=True, slots=True)
class Parents:
    """What look-ups found for a group of records.

    `links`: ids of the configurable products by their variant's id, lowest first; None where they are not looked up.
    `records`: the configurable products by store view and id; `failed`: those that cannot be read. `unknown`: why the
    variants of some are not known, None where those of all are.
    """

    links: dict[int, tuple[int, ...]] | None = None
    records: dict[str, dict[int, ProductRecord]] = field(default_factory=dict)
    failed: dict[int, Unreadable] = field(default_factory=dict)
    unknown: Unreadable | None = None

    def of(self, variant_id: int, code: str) -> list[ProductRecord]:
        """The parents of a variant as a store view tells them."""
        told = self.records.get(code, {})
        return [told[each] for each in (self.links or {}).get(variant_id, ()) if each in told]

    def trouble(self, variant_id: int) -> Unreadable | None:
        """Why a parent of a variant cannot be read; None where all can."""
        ids = (self.links or {}).get(variant_id, ())
        return next((self.failed[each] for each in ids if each in self.failed), None if ids else self.unknown)


class ParentReader:
    """Looks parents up for one run."""

    def __init__(self, client: Client, *, is_on: bool) -> None:
        self._client = client
        self._is_on = is_on
        self._unknown: list[Unreadable] = []
        self._links = Once(self._read_links)

    async def of(self, variant_ids: Sequence[int], codes: Sequence[str]) -> Parents:
        """The parents of some variants, as these store views tell them; raises what a look-up raises."""
        if not self._is_on or not variant_ids:
            return Parents()
        links = await self._links()
        wanted = sorted({parent for each in variant_ids for parent in links.get(each, ())})
        found = Parents(links, unknown=self._unknown[0] if self._unknown else None)
        told = await together(
            *(fetch_by_ids(self._client, "products", "entity_id", wanted, key="id", store_code=code) for code in codes)
        )
        for code, fetched in zip(codes, told, strict=True):
            _add(found, code, fetched)
        return found

    async def _read_links(self) -> dict[int, tuple[int, ...]]:
        what, listing = "Magento configurable products", LISTINGS["products"]
        walk = Walk("created", listing.id_field, listing.record_id, ALWAYS, None)

        def ask_of(params: Params, is_divisible: bool) -> Ask:
            return Ask(listing.path, what, [*params, ("fields", _FIELDS)], listing.scope, ALL_STORES, is_divisible)

        wanted = [(Filter("type_id", "eq", CONFIGURABLE),)]
        pager = Pager(self._client, walk, PageSize(self._client.rows_max), ask_of, listing.id_field, wanted)
        found: dict[int, list[int]] = {}
        self._unknown.clear()
        async for page in pager.pages():
            poisoned = [trouble for row in page.records if (trouble := why_unreadable(row)) is not None]
            self._unknown += poisoned
            for record in decoded_rows(page.records[len(poisoned) :], LinksRecord, what):
                links = record.extension_attributes.configurable_product_links if record.extension_attributes else None
                for variant in links or ():
                    found.setdefault(int(variant), []).append(record.id)
        return {variant: tuple(sorted(parents)) for variant, parents in found.items()}


def _add(found: Parents, code: str, fetched: Fetched) -> None:
    told = found.records.setdefault(code, {})
    for parent, records in fetched.records.items():
        decoded: Any = attempt(_decode, records[0])
        if isinstance(decoded, Unreadable):
            found.failed[parent] = decoded
        else:
            told[parent] = decoded
    found.failed.update({parent: source_error(parent, report) for parent, report in fetched.failed.items()})
