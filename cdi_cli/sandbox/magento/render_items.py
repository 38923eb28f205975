"""Lines of an order as the web API shows them.

`row_total` is not what the table holds: over REST it is reduced by the discount, never below 0. A line below a parent holds
a full copy of it.
"""

from __future__ import annotations

from typing import Any

from cdi_cli.sandbox.magento.money import ZERO, Both, number
from cdi_cli.sandbox.magento.products import COLOUR_ATTRIBUTE, COLOUR_IDS, SIZE_ATTRIBUTE, SIZE_IDS
from cdi_cli.sandbox.magento.sale import Line, Sale
from cdi_cli.sandbox.magento.table import Document


def pair(name: str, amount: Both) -> Document:
    """An amount in both families: `name` and `base_name`."""
    return {f"base_{name}": number(amount.base), name: number(amount.shown)}


def items_of(sale: Sale) -> list[Document]:
    """All lines; parents before their children."""
    found: list[Document] = []
    by_line: dict[int, Document] = {}
    for line in sale.lines:
        document = _item(sale, line)
        by_line[line.item_id] = document
        if line.parent is not None:
            document["parent_item"] = by_line[line.parent.item_id]
        found.append(document)
    return found


def _item(sale: Sale, line: Line) -> Document:
    is_variant = line.parent is not None and line.parent.kind == "configurable"
    net = Both(max(line.row.shown - line.discount.shown, 0), max(line.row.base - line.discount.base, 0))
    changed = sale.updated if line.invoiced or line.canceled or line.refunded else sale.created
    document: Document = {
        **pair("discount_amount", line.discount),
        **pair("price", line.price),
        **pair("row_total", net),
        **pair("row_total_incl_tax", net.plus(line.tax)),
        **pair("tax_amount", line.tax),
        **pair("amount_refunded", line.share(line.row, 0, line.refunded)),
        **pair("discount_invoiced", line.discount if line.invoiced else ZERO),
        **pair("row_invoiced", line.row if line.invoiced else ZERO),
        **pair("tax_invoiced", line.tax if line.invoiced else ZERO),
        "created_at": sale.created,
        "discount_percent": sale.percent if line.discount.base else 0,
        "free_shipping": 0,
        "is_qty_decimal": 0,
        "is_virtual": int(line.kind == "virtual"),
        "item_id": line.item_id,
        "name": line.name,
        "no_discount": 0,
        "order_id": sale.id,
        "original_price": number(line.original.shown),
        "product_id": line.product.id,
        "product_type": line.kind,
        "qty_canceled": line.canceled,
        "qty_invoiced": line.invoiced,
        "qty_ordered": line.quantity,
        "qty_refunded": line.refunded,
        "qty_shipped": line.shipped,
        "quote_item_id": line.item_id - 7,
        "row_weight": 0 if line.parent is not None or line.kind == "virtual" else line.quantity,
        "sku": line.sku,
        "store_id": sale.view.id,
        "updated_at": changed,
        "weight": 1,
        "extension_attributes": {"itemized_taxes": [_tax(sale, line)] if line.is_taxed and line.tax.base else []},
    }
    if not is_variant:
        document["base_original_price"] = number(line.original.base)
        document |= pair("price_incl_tax", line.row.plus(line.row.part(sale.view.tax_rate, 10_000)).per(line.quantity))
    if line.is_taxed:
        document |= pair("discount_tax_compensation_amount", ZERO)
    if line.kind != "bundle":
        document["tax_percent"] = 0 if is_variant else number(sale.view.tax_rate)
    if line.parent is not None:
        document["parent_item_id"] = line.parent.item_id
    if sale.percent and line.parent is None:
        document["applied_rule_ids"] = "1"
    return document | _options(line) | _later(line)


def _options(line: Line) -> Document:
    """What was chosen: the options of a configurable product, the parts of a bundle."""
    if line.kind == "configurable":
        variant = next(each for each in line.product.children if each.sku == line.sku)
        chosen = [
            {"option_id": COLOUR_ATTRIBUTE, "option_value": COLOUR_IDS[variant.colour]},
            {"option_id": SIZE_ATTRIBUTE, "option_value": SIZE_IDS[variant.size]},
        ]
        return {"product_option": {"extension_attributes": {"configurable_item_options": chosen}}}
    if line.kind == "bundle":
        parts = [
            {"option_id": place + 1, "option_qty": 1, "option_selections": [place + 1]}
            for place in range(len(line.product.children))
        ]
        return {"product_option": {"extension_attributes": {"bundle_options": parts}}}
    return {}


def _later(line: Line) -> Document:
    """Fields that only appear once something happened to the line."""
    document: Document = {}
    if line.invoiced and line.kind != "bundle":
        document |= pair("discount_tax_compensation_invoiced", ZERO)
        if line.parent is None:
            document["weee_tax_applied"] = "[]"
    if line.refunded:
        document |= pair("discount_refunded", line.share(line.discount, 0, line.refunded))
        document |= pair("tax_refunded", line.share(line.tax, 0, line.refunded))
        if line.kind != "bundle":
            document |= pair("discount_tax_compensation_refunded", ZERO)
    if line.canceled:
        document |= {"tax_canceled": number(line.tax.shown), "discount_tax_compensation_canceled": 0}
    return document


def _tax(sale: Sale, line: Line) -> dict[str, Any]:
    return {
        "tax_item_id": line.item_id,
        "tax_id": sale.id,
        "item_id": line.item_id,
        "tax_code": sale.view.tax_code,
        "tax_percent": number(sale.view.tax_rate),
        **pair("amount", line.tax),
        "real_amount": number(line.tax.shown),
        "real_base_amount": number(line.tax.base),
        "taxable_item_type": "product",
    }
