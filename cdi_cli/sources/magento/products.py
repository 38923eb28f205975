"""Products: from a record, as one store view tells it, to a `Product` (sheet "magento", section 3).

The price is the special price within its dates, which are those of the store view's time zone, where that is lower. It is
0 for configurable products and bundles and absent for groups: then there is none. Currency is the website's base currency.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from cdi_cli.commerce import Money, Product
from cdi_cli.sources.magento.contacts import updated_at, version_of
from cdi_cli.sources.magento.known import Known, Shop
from cdi_cli.sources.magento.money import money
from cdi_cli.sources.magento.records_products import ProductRecord
from cdi_cli.sources.magento.search import instant_of
from cdi_cli.sources.magento.stores import StoreView

ENABLED = 1
NOT_VISIBLE = 1
NO_IMAGE = "no_selection"


def product_of(record: ProductRecord, view: StoreView | None, shop: Shop, known: Known, now: datetime) -> Product:
    """The product in a store view at a time; raises ValueError, without values, for a record that contradicts itself."""
    created_at = instant_of(record.created_at, "created_at")
    changed_at = updated_at(record.updated_at, created_at)
    extension = record.extension_attributes
    links = (extension.category_links or ()) if extension is not None else ()
    paths = (known.categories.get(str(link.category_id)) for link in links)
    return Product(
        id=str(record.id),
        version=version_of(changed_at),
        created_at=created_at,
        updated_at=changed_at,
        name=record.name,
        key=_text(record.attribute("url_key")),
        sku=record.sku,
        brand=_brand(record, shop, known),
        categories=tuple(path for path in paths if path),
        price=price_of(record, view, now),
        is_published=record.status == ENABLED,
        is_in_stock=_stock(record, known),
        url=_url(record, view, shop),
        image_url=_image(record, view),
        store=view.code if view is not None else None,
    )


def price_of(record: ProductRecord, view: StoreView | None, now: datetime) -> Money | None:
    """What the product costs in a store view at a time; None where it has no price of its own."""
    if not record.price or view is None or view.currency is None:
        return None
    special = _decimal(record.attribute("special_price"))
    today = now.astimezone(view.zone).date()
    since, until = _day(record.attribute("special_from_date")), _day(record.attribute("special_to_date"))
    is_now = (since is None or since <= today) and (until is None or today <= until)
    is_lower = special is not None and is_now and special < record.price
    return money(special if is_lower and special is not None else record.price, view.currency)


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


def _stock(record: ProductRecord, known: Known) -> bool | None:
    """Whether there is stock at any source; as older versions tell it where there are none, None where nobody does."""
    sources = known.stock.get(record.sku)
    if sources:
        return any(source.status == 1 for source in sources)
    extension = record.extension_attributes
    item = extension.stock_item if extension is not None else None
    return bool(item.is_in_stock) if item is not None and item.is_in_stock is not None else None


def _url(record: ProductRecord, view: StoreView | None, shop: Shop) -> str | None:
    """The address of the product's page; None for a variant, which has none."""
    key = _text(record.attribute("url_key"))
    if not key or view is None or not view.link_url or record.visibility == NOT_VISIBLE:
        return None
    return f"{view.link_url.rstrip('/')}/{key}{shop.product_url_suffix}"


def _image(record: ProductRecord, view: StoreView | None) -> str | None:
    entries = [entry for entry in record.media_gallery_entries or () if entry.file and not entry.disabled]
    named = _text(record.attribute("image"))
    chosen = next((entry.file for entry in entries if "image" in (entry.types or ())), None)
    file = chosen or (named if named != NO_IMAGE else None)
    if not file or view is None or not view.media_url:
        return None
    return f"{view.media_url.rstrip('/')}/catalog/product/{file.lstrip('/')}"
