"""Credit memos, invoices and shipments of an order as the web API shows them.

Lines of a credit memo show `row_total` as it is, before the discount; a bundle's parent and a variant have none. The header
of a credit memo names its order by entity id only.
"""

from __future__ import annotations

from cdi_cli.sandbox.magento.money import ZERO, Both, number, total
from cdi_cli.sandbox.magento.render_items import pair
from cdi_cli.sandbox.magento.sale import Invoice, Line, Memo, MemoLine, Sale, Shipment
from cdi_cli.sandbox.magento.table import Document

_MONEY_COLUMNS = frozenset({
    "entity_id", "increment_id", "order_id", "store_id", "created_at", "updated_at", "state", "grand_total",
    "base_grand_total", "subtotal", "tax_amount", "shipping_amount", "discount_amount", "order_currency_code",
    "base_currency_code", "billing_address_id", "shipping_address_id",
})  # fmt: skip
MEMO_COLUMNS = _MONEY_COLUMNS | {"adjustment", "adjustment_positive", "adjustment_negative", "invoice_id"}
INVOICE_COLUMNS = _MONEY_COLUMNS | {"total_qty"}
SHIPMENT_COLUMNS = frozenset({
    "entity_id", "increment_id", "order_id", "store_id", "customer_id", "created_at", "updated_at", "total_qty",
    "billing_address_id", "shipping_address_id",
})  # fmt: skip
REFUNDED, PAID = 2, 2


def memo_document(sale: Sale, memo: Memo) -> Document:
    """A credit memo."""
    document: Document = {
        **_head(sale, memo.id, memo.created),
        **_figures(sale, memo.subtotal, memo.amount("tax"), memo.amount("discount"), memo.shipping, memo.grand_total),
        **pair("adjustment", memo.positive.minus(memo.negative)),
        "state": REFUNDED,
        "items": [_memo_item(sale, memo, place, each) for place, each in enumerate(memo.lines)],
        "comments": [],
    }
    if memo.positive.base or memo.negative.base:
        document |= {**pair("adjustment_positive", memo.positive), **pair("adjustment_negative", memo.negative)}
    if memo.comment:
        flags = {"is_customer_notified": 0, "is_visible_on_front": 1}
        comment = {"comment": memo.comment, "created_at": memo.created, "entity_id": memo.id, "parent_id": memo.id}
        document["comments"] = [comment | flags]
    return document


def invoice_document(sale: Sale, invoice: Invoice) -> Document:
    """An invoice of the whole order."""
    totals = _figures(sale, sale.subtotal, sale.tax, sale.discount, sale.shipping_amount, sale.grand_total)
    lines = [line for line in sale.lines if line.is_taxed or line.parent is None]
    items = [
        {**_line(sale, line, line.quantity), **_discount(line.discount), "parent_id": invoice.id, "entity_id": line.item_id}
        for line in lines
    ]
    shipping = "shipping_discount_tax_compensation"
    totals |= {f"base_{shipping}_amnt": 0, f"{shipping}_amount": 0}
    if sale.coupon:
        totals["discount_description"] = f"{sale.percent}% off"
    counts = {"total_qty": sum(line.quantity for line in sale.lines if line.parent is None), "can_void_flag": 0}
    return {**_head(sale, invoice.id, invoice.created), **totals, **counts, "state": PAID, "items": items, "comments": []}


def shipment_document(sale: Sale, shipment: Shipment) -> Document:
    """A shipment with its tracks."""
    document: Document = {
        "billing_address_id": sale.id * 2,
        "shipping_address_id": sale.id * 2 - 1,
        "created_at": shipment.created,
        "updated_at": shipment.created,
        "entity_id": shipment.id,
        "increment_id": _number(sale, shipment.id),
        "order_id": sale.id,
        "store_id": sale.view.id,
        "packages": [],
        "total_qty": sum(pieces for _line_, pieces in shipment.quantities),
        "items": [
            {
                "entity_id": line.item_id,
                "name": line.name,
                "parent_id": shipment.id,
                "price": number(line.price.shown),
                "product_id": line.product.id,
                "sku": line.sku,
                "weight": 1,
                "order_item_id": line.item_id,
                "qty": pieces,
            }
            for line, pieces in shipment.quantities
        ],
        "tracks": [_track(sale, shipment, place) for place in range(len(shipment.tracks))],
        "comments": [],
        "extension_attributes": {"source_code": "default"},
    }
    if sale.customer is not None:
        document["customer_id"] = sale.customer.id
    return document


def _head(sale: Sale, identifier: int, created: str) -> Document:
    head: Document = {
        "base_currency_code": "USD",
        "global_currency_code": "USD",
        "store_currency_code": "USD",
        "order_currency_code": sale.view.currency,
        "base_to_global_rate": 1,
        "base_to_order_rate": number(sale.view.rate),
        "store_to_base_rate": 0,
        "store_to_order_rate": 0,
        "billing_address_id": sale.id * 2,
        "created_at": created,
        "updated_at": created,
        "entity_id": identifier,
        "increment_id": _number(sale, identifier),
        "order_id": sale.id,
        "store_id": sale.view.id,
    }
    if not sale.is_virtual:
        head["shipping_address_id"] = sale.id * 2 - 1
    return head


def _figures(sale: Sale, subtotal: Both, tax: Both, discount: Both, shipping: Both, grand: Both) -> Document:
    return {
        **pair("discount_amount", ZERO.minus(discount)),
        **pair("grand_total", grand),
        **pair("discount_tax_compensation_amount", ZERO),
        **pair("shipping_amount", shipping),
        **pair("shipping_incl_tax", shipping),
        **pair("shipping_tax_amount", ZERO),
        **pair("subtotal", subtotal),
        **pair("subtotal_incl_tax", subtotal.plus(subtotal.part(sale.view.tax_rate, 10_000))),
        **pair("tax_amount", tax),
    }


def _memo_item(sale: Sale, memo: Memo, place: int, each: MemoLine) -> Document:
    tax, discount = (each.line.share(amount, each.before, each.after) for amount in (each.line.tax, each.line.discount))
    document = _line(sale, each.line, each.quantity, tax)
    if each.line.is_taxed:
        document |= {"base_weee_tax_row_disposition": 0, "weee_tax_applied": "[]", "weee_tax_applied_row_amount": 0}
        document["weee_tax_row_disposition"] = 0
        document |= _discount(discount)
    return {"base_cost": None, **document, "entity_id": memo.id * 100 + place, "parent_id": memo.id}


def _line(sale: Sale, line: Line, pieces: int, tax: Both | None = None) -> Document:
    document: Document = {
        **pair("price", line.price),
        "name": line.name,
        "order_item_id": line.item_id,
        "product_id": line.product.id,
        "qty": pieces,
        "sku": line.sku,
    }
    if line.parent is None or line.is_taxed:
        document |= pair("price_incl_tax", line.row.plus(line.row.part(sale.view.tax_rate, 10_000)).per(line.quantity))
    if line.is_taxed:
        row = line.price.times(pieces)
        bears = tax if tax is not None else line.tax
        amounts = {"row_total": row, "row_total_incl_tax": total([row, bears]), "tax_amount": bears}
        for name, amount in {**amounts, "discount_tax_compensation_amount": ZERO}.items():
            document |= pair(name, amount)
    return document


def _discount(discount: Both) -> Document:
    return pair("discount_amount", discount) if discount.base else {}


def _track(sale: Sale, shipment: Shipment, place: int) -> Document:
    at, title, text = shipment.tracks[place]
    nulls = {"weight": None, "qty": None, "description": None}
    known = {"order_id": sale.id, "created_at": at, "updated_at": at, "entity_id": shipment.id * 10 + place}
    return {**known, "parent_id": shipment.id, **nulls, "track_number": text, "title": title, "carrier_code": title.lower()}


def _number(sale: Sale, identifier: int) -> str:
    return f"{sale.view.id if sale.view.id > 1 else ''}{identifier:09d}"
