"""Products as records of Insider's catalogue, one for each locale (sheet "Insider", sections 2 and 3.4).

| the product | call |
|---|---|
| is published, with more than prices and stock | `ingest`: the record is replaced |
| has prices and stock only | `update`: it is shown, the rest stays; a product that Insider does not know is an error |
| is not published | `update`: no stock, passive; a catalogue forgets nothing |

`item_id` is what the events' `product_id` is: the variant's SKU, or else the product's id, of which there is then one record
for all its variants. What `attributes` holds stands among the record's own fields or in `product_attributes`. Texts that are
too long for Insider are cut, and lists to as many of their first elements as it takes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cdi_cli.destinations.insider.lines import LEVELS, item_id_of
from cdi_cli.destinations.insider.names import locale_code, snake
from cdi_cli.destinations.insider.settings import InsiderSettings
from cdi_cli.destinations.insider.values import Refusal, amount, leaves
from cdi_cli.events import Event

INGEST, UPDATE = "ingest", "update"
REQUIRED = ("name", "url", "image_url")
TEXTS_MAX = {
    "name": 512,
    "brand": 512,
    "sku": 512,
    "color": 512,
    "size": 512,
    "gender": 512,
    "groupcode": 512,
    "description": 1024,
}
URL_MAX = 512
ITEM_ID_MAX = 128
ATTRIBUTE_MAX = 512
ATTRIBUTE_LIST_MAX = 1024
LISTS_MAX = {"category": 1024, "tags": 4096}
LIST_ITEM_MAX = 512
_STOCK = frozenset({"price", "original_price", "currency", "in_stock", "stock_count", "sku", "is_published", "product_id"})
_CONSUMED = frozenset(
    {"locales", "categories", "is_published", "price", "original_price", "currency", "in_stock", "stock_count"}
)
_INCOMPLETE = "insider_product_incomplete"


def records(event: Event, settings: InsiderSettings) -> tuple[str, list[dict[str, Any]]]:
    """The catalogue's call for a product (`ingest` or `update`) and its records; raises Refusal where one is impossible."""
    product = event.properties
    item_id = item_id_of(product, settings) or event.entity_id
    if not item_id or len(item_id) > ITEM_ID_MAX:
        raise Refusal("insider_item_id_invalid", f"the product's id is empty or longer than {ITEM_ID_MAX} characters")
    heads = [{"item_id": item_id, "locale": locale} for locale in settings.locales]
    if product.get("is_published") is False:
        return UPDATE, [head | {"in_stock": 0, "is_status_passive": 1} for head in heads]
    mode = UPDATE if _is_partial(product) else INGEST
    found = [head | _of_locale(_merged(product, head["locale"]), settings) for head in heads]
    if mode == INGEST:
        for record in found:
            if missing := [name for name in REQUIRED if not record.get(name)]:
                raise Refusal(
                    _INCOMPLETE, f"{', '.join(f'`{name}`' for name in missing)} missing for the locale `{record['locale']}`"
                )
            record["item_update_date"] = event.at[:19].replace("T", " ")
    elif product.get("is_published") is True:
        for record in found:
            record["is_status_passive"] = 0  # it may have been hidden before
    return mode, found


def _is_partial(product: Mapping[str, Any]) -> bool:
    parts = [product, *(part for part in _locales(product).values() if isinstance(part, Mapping))]
    named = {name for part in parts for name, value in part.items() if value is not None and name != "locales"}
    return named <= _STOCK


def _locales(product: Mapping[str, Any]) -> Mapping[str, Any]:
    locales = product.get("locales")
    return locales if isinstance(locales, Mapping) else {}


def _merged(product: Mapping[str, Any], locale: str) -> dict[str, Any]:
    """The product as it is in one locale: what is said for all, then for the language, then for the locale itself."""
    merged = dict(product)
    language = locale.partition("_")[0]
    by_code = {locale_code(code): part for code, part in _locales(product).items() if isinstance(part, Mapping)}
    for code in (language, locale):
        merged |= {name: value for name, value in by_code.get(code, {}).items() if value is not None}
    return merged


def _of_locale(product: Mapping[str, Any], settings: InsiderSettings) -> dict[str, Any]:
    record: dict[str, Any] = {}
    attributes: dict[str, Any] = {}
    for place, value in leaves({name: value for name, value in product.items() if name not in _CONSUMED}):
        path = place.removeprefix("attributes.")
        if path in record:
            continue
        if path in TEXTS_MAX and isinstance(value, str):
            record[path] = value[: TEXTS_MAX[path]]
        elif path in ("url", "image_url") and isinstance(value, str):
            if len(value) > URL_MAX:
                raise Refusal("insider_url_too_long", f"`{path}` is longer than {URL_MAX} characters")
            record[path] = value
        elif path == "tags" and isinstance(value, list):
            record["tags"] = list(_bounded([str(tag) for tag in value], LISTS_MAX["tags"]))
        elif path not in ("product_id", "id") and (name := snake(path)):
            attributes[name] = _attribute(value)
    if names := _categories(product.get("categories"), settings):
        record["category"] = list(_bounded(names, LISTS_MAX["category"]))
    record |= _prices(product)
    if isinstance(is_in_stock := product.get("in_stock"), bool | int):
        record["in_stock"] = int(bool(is_in_stock))
    if (stock := amount(product.get("stock_count"))) is not None:
        record["stock_count"] = max(int(stock), 0)
    return record | ({"product_attributes": attributes} if attributes else {})


def _attribute(value: Any) -> Any:
    """The value of an attribute, as much of it as the catalogue takes."""
    if isinstance(value, str):
        return value[:ATTRIBUTE_MAX]
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return list(_bounded(value, ATTRIBUTE_LIST_MAX))
    return value


def _categories(value: Any, settings: InsiderSettings) -> list[str]:
    """The first category with those it lies in, or all categories' own names, as the catalogue understands them."""
    paths = [each for each in value if isinstance(each, str) and each] if isinstance(value, list | tuple) else []
    if isinstance(value, str) and value:
        paths = [value]
    if settings.categories == "hierarchical":
        return paths[0].split(LEVELS) if paths else []
    return list(dict.fromkeys(path.split(LEVELS)[-1] for path in paths))


def _bounded(texts: list[str], together_max: int) -> Iterator[str]:
    room = together_max
    for text in texts:
        cut = text[:LIST_ITEM_MAX]
        room -= len(cut)
        if room < 0:
            return
        yield cut


def _prices(product: Mapping[str, Any]) -> dict[str, Any]:
    """`price` and `original_price` by currency: always both, as Insider asks for."""
    price = _by_currency(product.get("price"), product.get("currency"))
    original = _by_currency(product.get("original_price"), product.get("currency"))
    if not price and not original:
        return {}
    return {"price": (original | price), "original_price": (price | original)}


def _by_currency(value: Any, currency: Any) -> dict[str, float]:
    if isinstance(value, Mapping):
        return {name: float(each) for name, each in value.items() if amount(each) is not None}
    if amount(value) is None:
        return {}
    if not isinstance(currency, str) or not currency:
        raise Refusal(_INCOMPLETE, "the product has a price and no `currency`")
    return {currency: float(value)}
