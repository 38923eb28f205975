"""Products: a record, as each store view tells it, to one `Product` (sheet "magento", section 3).

Magento has no record of variants: a variant is a product of its own that no page shows. Its configurable product does
(`parents`): the variant has its page, the parent's SKU as its `group`, and of picture, description and categories what the
parent has where it has none itself. A product is published where it is enabled in a view that sells it and has a page there,
of its own or of its parent. Such views tell its texts by their locale and its prices by the base currency of their websites;
where two have the same, the first does. Of one that is published nowhere is only told which it is, so that it is hidden once
and not again with each edit.

The present price is the special price within its dates, which are those of the view's time zone, where that is lower; the
original price is the regular one. It is 0 for configurable products and bundles and absent for groups: they have none.
Attributes are left out: they hold the numbers of choices, and nothing in the record tells which do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from msgspec import structs

from cdi_cli.commerce import Money, Product, ProductTexts
from cdi_cli.sources.magento.contacts import updated_at, version_of
from cdi_cli.sources.magento.known import Known, Shop
from cdi_cli.sources.magento.money import money
from cdi_cli.sources.magento.records_products import ProductRecord
from cdi_cli.sources.magento.search import instant_of
from cdi_cli.sources.magento.stores import StoreView

ENABLED = 1
NOT_VISIBLE = 1
NO_IMAGE = "no_selection"
IN_STOCK = 1
IMAGE = "image"


@dataclass(frozen=True, slots=True)
class Seen:
    """A product as one store view tells it, decoded and `raw`; `view` is None where the shop is not known (offline).

    `parents`: the configurable products that it is a variant of, as the view tells them; None where nobody tells.
    """

    record: ProductRecord
    view: StoreView | None
    raw: bytes
    parents: tuple[ProductRecord, ...] | None = None

    @property
    def parent(self) -> ProductRecord | None:
        """The first parent whose page shows it; None where it has a page of its own, or no page at all."""
        if self.record.visibility != NOT_VISIBLE:
            return None
        shown = (one for one in self.parents or () if one.status == ENABLED and one.visibility != NOT_VISIBLE)
        return next(shown, None)

    @property
    def is_published(self) -> bool:
        """Whether the view sells it on some page."""
        is_hidden = self.record.visibility == NOT_VISIBLE and self.parents is not None and self.parent is None
        return self.record.status == ENABLED and not is_hidden


def main_of(seen: Sequence[Seen]) -> Seen:
    """The view that a product is mainly told by: the first that it is published in, else the first."""
    return next((one for one in seen if one.is_published), seen[0])


def product_of(seen: Sequence[Seen], shop: Shop, known: Known, now: datetime) -> Product:
    """The product as the views that sell it tell it at a time.

    Raises ValueError, without values, for a record that contradicts itself.
    """
    open_views = [one for one in seen if one.is_published]
    main = main_of(seen)
    record, view = main.record, main.view
    created_at = instant_of(record.created_at, "created_at")
    changed_at = updated_at(record.updated_at, created_at)
    base = Product(
        id=record.sku,
        version=version_of(changed_at),
        created_at=created_at,
        updated_at=changed_at,
        product_id=str(record.id),
        sku=record.sku,
        is_published=bool(open_views),
    )
    if not open_views:
        return base
    prices, original_prices = _prices(open_views, now)
    parent = main.parent
    images = _images(record, view) or (_images(parent, view) if parent is not None else ())
    is_in_stock, stock_count = _stock(record, known)
    return structs.replace(
        base,
        name=record.name,
        group=parent.sku if parent is not None else None,
        description=_description(main),
        key=_text(record.attribute("url_key")),
        brand=_brand(record, shop, known),
        categories=_categories(main, known),
        prices=prices,
        original_prices=original_prices,
        is_in_stock=is_in_stock,
        stock_count=stock_count,
        url=_url(main, shop),
        image_url=images[0] if images else None,
        images=images,
        locales=_locales(open_views, shop, known),
    )


def price_of(record: ProductRecord, view: StoreView | None, now: datetime) -> tuple[Money, Money] | None:
    """What the product costs in a store view at a time, and regularly; None where it has no price of its own."""
    if not record.price or view is None or view.currency is None:
        return None
    special = _decimal(record.attribute("special_price"))
    today = now.astimezone(view.zone).date()
    since, until = _day(record.attribute("special_from_date")), _day(record.attribute("special_to_date"))
    is_now = (since is None or since <= today) and (until is None or today <= until)
    present = special if special is not None and is_now and special < record.price else record.price
    return money(present, view.currency), money(record.price, view.currency)


def _prices(seen: Sequence[Seen], now: datetime) -> tuple[dict[str, Money], dict[str, Money]]:
    """Present and original prices by currency, in the order of the currencies' names."""
    found: dict[str, tuple[Money, Money]] = {}
    for one in seen:
        price = price_of(one.record, one.view, now)
        if price is not None:
            found.setdefault(price[0].currency, price)
    ordered = sorted(found.items())
    return {name: present for name, (present, _) in ordered}, {name: regular for name, (_, regular) in ordered}


def _locales(seen: Sequence[Seen], shop: Shop, known: Known) -> dict[str, ProductTexts]:
    """The texts by the views' locales; names of categories are those that all views have in common."""
    found: dict[str, ProductTexts] = {}
    for one in seen:
        locale = one.view.locale if one.view is not None else None
        if locale is not None and locale not in found:
            found[locale] = ProductTexts(
                name=one.record.name,
                description=_description(one),
                url=_url(one, shop),
                categories=_categories(one, known),
            )
    return found


def _categories(seen: Seen, known: Known) -> tuple[str, ...]:
    for record in (seen.record, seen.parent):
        extension = record.extension_attributes if record is not None else None
        links = (extension.category_links or ()) if extension is not None else ()
        paths = (known.categories.get(str(link.category_id)) for link in links)
        if found := tuple(path for path in paths if path):
            return found
    return ()


def _description(seen: Seen) -> str | None:
    own = _text(seen.record.attribute("description"))
    return own or (_text(seen.parent.attribute("description")) if seen.parent is not None else None)


def _decimal(value: Any) -> Decimal | None:
    try:
        found = Decimal(str(value))
    except InvalidOperation:
        return None
    return found if found.is_finite() and found >= 0 else None


def _day(value: Any) -> date | None:
    """The day of a date that is kept as midnight of the store's own time."""
    try:
        return datetime.fromisoformat(value[:10]).date() if isinstance(value, str) else None
    except ValueError:
        return None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _brand(record: ProductRecord, shop: Shop, known: Known) -> str | None:
    """The label of a choice, else the text as it stands."""
    value = record.attribute(shop.brand_attribute)
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else None
    return known.brands.get(text, text) if text else None


def _stock(record: ProductRecord, known: Known) -> tuple[bool | None, int | None]:
    """Whether there is stock at any source, and how much at all of them; what is reserved by orders is not taken off.

    As older versions tell it where there are no sources, None where nobody does. Parts of a unit do not count.
    """
    sources = known.stock.get(record.sku)
    if sources:
        having = [source for source in sources if source.status == IN_STOCK]
        counts = [source.quantity for source in having if source.quantity is not None]
        return bool(having), None if len(counts) < len(having) else sum(map(_units, counts))
    extension = record.extension_attributes
    item = extension.stock_item if extension is not None else None
    if item is None or item.is_in_stock is None:
        return None, None
    count = _units(item.qty) if item.qty is not None else None
    return bool(item.is_in_stock), count if item.is_in_stock else 0


def _units(quantity: Decimal) -> int:
    return max(int(quantity), 0) if quantity.is_finite() else 0


def _url(seen: Seen, shop: Shop) -> str | None:
    """The address of the page that shows the product, its own or its parent's."""
    view, shown = seen.view, seen.parent or seen.record
    key = _text(shown.attribute("url_key"))
    if not key or view is None or not view.link_url or shown.visibility == NOT_VISIBLE:
        return None
    return f"{view.link_url.rstrip('/')}/{key}{shop.product_url_suffix}"


def _images(record: ProductRecord, view: StoreView | None) -> tuple[str, ...]:
    """The addresses of the pictures, the main one first."""
    if view is None or not view.media_url:
        return ()
    shown = [entry for entry in record.media_gallery_entries or () if entry.file and not entry.disabled]
    entries = [entry for entry in shown if entry.media_type in (None, IMAGE)]
    named = _text(record.attribute("image"))
    main = next((entry.file for entry in entries if "image" in (entry.types or ())), None)
    files = [main or (named if named != NO_IMAGE else None), *(entry.file for entry in entries)]
    base = view.media_url.rstrip("/")
    return tuple(f"{base}/catalog/product/{file.lstrip('/')}" for file in dict.fromkeys(files) if file)
