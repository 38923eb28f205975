"""What turning records into entities needs to know besides the record: the shop, and what look-ups found."""

from __future__ import annotations

from dataclasses import dataclass, field

from cdi_cli.clock import Instant
from cdi_cli.sources.magento.lines import Bundles
from cdi_cli.sources.magento.records_products import SourceItem
from cdi_cli.sources.magento.stores import Stores
from cdi_cli.sources.magento.subscriptions import Subscriptions


@dataclass(frozen=True, slots=True)
class Origin:
    """The first order of a chain of edits: the identity that all of them share."""

    entity_id: int
    created_at: Instant
    number: str | None


@dataclass(frozen=True, slots=True)
class Shop:
    """How this shop's records are read."""

    stores: Stores = field(default_factory=Stores)
    locale: str = "en"
    bundles: Bundles = "parent"
    brand_attribute: str = "manufacturer"
    product_url_suffix: str = ".html"

    def locale_of(self, store_id: int | None) -> str | None:
        """The language of a store view; the pipeline's where it is not known which it is."""
        view = self.stores.view(store_id)
        return (view.locale if view is not None else None) or self.locale

    def code_of(self, store_id: int | None) -> str | None:
        """The code of a store view."""
        view = self.stores.view(store_id)
        return view.code if view is not None else None

    def website_of(self, store_id: int | None) -> str | None:
        """The code of a store view's website."""
        view = self.stores.view(store_id)
        return view.website if view is not None else None


@dataclass(slots=True)
class Known:
    """What look-ups found for a group of records, by id.

    Credit memos and shipments are raw, by order: one that cannot be decoded makes its own order unreadable and no other.
    `failed` are orders whose parts the shop fails on, with the id of its report.
    """

    credit_memos: dict[int, list[bytes]] = field(default_factory=dict)
    shipments: dict[int, list[bytes]] = field(default_factory=dict)
    invoices: dict[int, list[bytes]] = field(default_factory=dict)
    origins: dict[int, Origin] = field(default_factory=dict)
    failed: dict[int, str] = field(default_factory=dict)
    groups: dict[int, str] = field(default_factory=dict)
    subscriptions: Subscriptions = field(default_factory=Subscriptions)
    categories: dict[str, str] = field(default_factory=dict)
    brands: dict[str, str] = field(default_factory=dict)
    stock: dict[str, list[SourceItem]] = field(default_factory=dict)
