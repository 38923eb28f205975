"""An order as the web API shows it.

Null scalars are left out. The discount of the header is negative, that of lines positive. The shipping assignment repeats
all lines; that of a virtual order has no address.
"""

from __future__ import annotations

import hashlib
from typing import Any

from cdi_cli.sandbox.magento.customers import Address
from cdi_cli.sandbox.magento.money import ZERO, Both, number, total
from cdi_cli.sandbox.magento.render_items import items_of, pair
from cdi_cli.sandbox.magento.sale import Comment, Sale
from cdi_cli.sandbox.magento.table import Document

ORDER_COLUMNS = frozenset({
    "entity_id", "increment_id", "state", "status", "created_at", "updated_at", "store_id", "quote_id", "is_virtual",
    "customer_id", "customer_is_guest", "customer_email", "customer_firstname", "customer_lastname",
    "customer_group_id", "base_currency_code", "order_currency_code", "subtotal", "discount_amount", "coupon_code",
    "tax_amount", "shipping_amount", "grand_total", "base_grand_total", "total_due", "total_paid", "total_refunded",
    "total_qty_ordered", "total_item_count", "applied_rule_ids", "billing_address_id", "weight", "store_name",
    "protect_code", "remote_ip", "original_increment_id", "relation_parent_id", "relation_parent_real_id",
    "relation_child_id", "relation_child_real_id", "edit_increment", "total_canceled", "total_invoiced",
    "base_total_paid", "base_total_refunded", "base_subtotal", "shipping_description", "ext_order_id",
    "ext_customer_id", "customer_note", "hold_before_state", "hold_before_status",
})  # fmt: skip
"""The columns of `sales_order` that may be filtered and sorted by."""


def order_document(sale: Sale) -> Document:
    """The whole order."""
    items = items_of(sale)
    document = {
        **_head(sale),
        **_person(sale),
        **_totals(sale),
        **_later(sale),
        **sale.relations,
        "items": items,
        "billing_address": _address(sale, sale.billing, "billing"),
        "payment": _payment(sale),
        "status_histories": [_history(sale, place, comment) for place, comment in enumerate(sale.comments)],
        "extension_attributes": _extension(sale, items),
    }
    if sale.coupon:
        document |= {"applied_rule_ids": "1", "coupon_code": sale.coupon, "discount_description": f"{sale.percent}% off"}
    return document


def _head(sale: Sale) -> Document:
    top = [line for line in sale.lines if line.parent is None]
    head: Document = {
        "entity_id": sale.id,
        "increment_id": sale.increment_id,
        "state": sale.state,
        "status": sale.status,
        "created_at": sale.created,
        "updated_at": sale.updated,
        "store_id": sale.view.id,
        "store_name": f"{sale.view.group}\n{sale.view.name}",
        "quote_id": sale.quote_id,
        "billing_address_id": sale.id * 2,
        "is_virtual": int(sale.is_virtual),
        "email_sent": 1,
        "protect_code": hashlib.md5(sale.increment_id.encode(), usedforsecurity=False).hexdigest(),
        "remote_ip": "127.0.0.1",
        "base_currency_code": "USD",
        "global_currency_code": "USD",
        "store_currency_code": "USD",
        "order_currency_code": sale.view.currency,
        "base_to_global_rate": 1,
        "base_to_order_rate": number(sale.view.rate),
        "store_to_base_rate": 0,
        "store_to_order_rate": 0,
        "total_item_count": len(top),
        "total_qty_ordered": sum(line.quantity for line in top),
        "weight": sum(line.quantity for line in top if line.kind != "virtual"),
    }
    if not sale.is_virtual:
        head["shipping_description"] = "Flat Rate - Fixed"
    if sale.state == "holded":
        head |= {"hold_before_state": sale.held_state, "hold_before_status": sale.held_state}
    return head


def _person(sale: Sale) -> Document:
    person: Document = {
        "customer_email": sale.email,
        "customer_firstname": sale.firstname,
        "customer_lastname": sale.lastname,
        "customer_is_guest": int(sale.customer is None and not sale.is_customer_deleted),
        "customer_group_id": sale.customer.group_id if sale.customer else int(sale.is_customer_deleted),
        "customer_note_notify": 1,
    }
    if sale.customer is not None:
        extra = sale.customer.extra
        person["customer_id"] = sale.customer.id
        person |= {f"customer_{name}": extra[name] for name in ("gender", "middlename", "taxvat") if name in extra}
        if "dob" in extra:
            person["customer_dob"] = f"{extra['dob']} 00:00:00"
    return person


def _totals(sale: Sale) -> Document:
    subtotal, grand, shipping = sale.subtotal, sale.grand_total, sale.shipping_amount
    incl = total([line.row.plus(line.row.part(sale.view.tax_rate, 10_000)) for line in sale.lines if line.is_taxed])
    paid = grand if sale.invoices else ZERO
    return {
        **pair("discount_amount", ZERO.minus(sale.discount)),
        **pair("grand_total", grand),
        **pair("discount_tax_compensation_amount", ZERO),
        **pair("shipping_amount", shipping),
        **pair("shipping_discount_amount", ZERO),
        "base_shipping_discount_tax_compensation_amnt": 0,
        "shipping_discount_tax_compensation_amount": 0,
        **pair("shipping_incl_tax", shipping),
        **pair("shipping_tax_amount", ZERO),
        **pair("subtotal", subtotal),
        **pair("subtotal_incl_tax", incl),
        **pair("tax_amount", sale.tax),
        **pair("total_due", grand.minus(paid)),
    }


def _later(sale: Sale) -> Document:
    """Fields that only appear once the order was invoiced, cancelled or refunded."""
    document: Document = {}
    grand, shipping, discount = sale.grand_total, sale.shipping_amount, ZERO.minus(sale.discount)
    if sale.invoices:
        parts = {"discount": discount, "discount_tax_compensation": ZERO, "shipping": shipping}
        parts |= {"subtotal": sale.subtotal, "tax": sale.tax, "total": grand}
        for name, amount in parts.items():
            document |= pair(f"{name}_invoiced", amount)
        document |= {**pair("total_paid", grand), "base_total_invoiced_cost": 0}
    if sale.state == "canceled":
        parts = {"discount": discount, "shipping": shipping, "subtotal": sale.subtotal, "tax": sale.tax, "total": grand}
        for name, amount in parts.items():
            document |= pair(f"{name}_canceled", amount)
    if sale.memos:
        document |= _refunded(sale)
    return document


def _refunded(sale: Sale) -> Document:
    memos, back = sale.memos, sale.refunded
    parts = {
        "discount": ZERO.minus(total([memo.amount("discount") for memo in memos])),
        "discount_tax_compensation": ZERO,
        "shipping": total([memo.shipping for memo in memos]),
        "shipping_tax": ZERO,
        "subtotal": total([memo.subtotal for memo in memos]),
        "tax": total([memo.amount("tax") for memo in memos]),
        "total": back,
        "total_offline": back,
    }
    document: Document = {}
    for name, amount in parts.items():
        document |= pair(f"{name}_refunded", amount)
    document |= pair("adjustment_positive", total([memo.positive for memo in memos]))
    return document | pair("adjustment_negative", total([memo.negative for memo in memos]))


def _address(sale: Sale, address: Address, kind: str) -> Document:
    identifier = sale.id * 2 - int(kind == "shipping")
    known = {"address_type": kind, "email": sale.email, "entity_id": identifier, "parent_id": sale.id}
    return {**address.document(), **known}


def _payment(sale: Sale) -> Document:
    grand, shipping = sale.grand_total, sale.shipping_amount
    is_card = sale.method != "checkmo"
    payment: Document = {
        "account_status": None,
        "additional_information": [_title(sale)] if not is_card else [_title(sale), f"tok_{sale.quote_id}", "1111"],
        **pair("amount_ordered", grand),
        **pair("shipping_amount", shipping),
        "cc_last4": "1111" if is_card else None,
        "entity_id": sale.id,
        "method": sale.method,
        "parent_id": sale.id,
    }
    if is_card:
        payment |= {"cc_type": "VI", "cc_exp_month": "11", "cc_exp_year": "2030", "last_trans_id": f"ch_{sale.quote_id}"}
    if sale.invoices:
        payment |= {**pair("amount_paid", grand), **pair("shipping_captured", shipping)}
    if sale.memos:
        back = total([memo.shipping for memo in sale.memos])
        payment |= {**pair("amount_refunded", sale.refunded), **pair("shipping_refunded", back)}
    return payment


def _title(sale: Sale) -> str:
    return "Check / Money order" if sale.method == "checkmo" else "Credit Card"


def _history(sale: Sale, place: int, comment: Comment) -> Document:
    history: Document = {
        "comment": comment.text,
        "created_at": comment.created,
        "entity_id": sale.id * 10 + place,
        "is_customer_notified": 0,
        "is_visible_on_front": 0,
        "parent_id": sale.id,
        "status": comment.status,
    }
    if comment.entity:
        history["entity_name"] = comment.entity
    return history


def _extension(sale: Sale, items: list[Document]) -> Document:
    rate = number(sale.view.tax_rate)
    known = {"code": sale.view.tax_code, "title": sale.view.tax_code, "percent": rate}
    per_item = [
        {"type": "product", "item_id": line.item_id, "applied_taxes": [{**known, **pair("amount", line.tax)}]}
        for line in sale.lines
        if line.is_taxed and line.tax.base
    ]
    tax = pair("amount", sale.tax)
    row = {"base_real_amount": tax["base_amount"], "priority": 0, "position": 0, "process": 0}
    return {
        "shipping_assignments": [{"shipping": _shipping(sale), "items": items}],
        "payment_additional_info": [{"key": "method_title", "value": _title(sale)}],
        "applied_taxes": [{**known, **tax}],
        "item_applied_taxes": per_item,
        "converting_from_quote": False,
        "taxes": [{"tax_id": sale.id, "order_id": sale.id, **known, **tax, **row}],
        "additional_itemized_taxes": [],
    }


def _shipping(sale: Sale) -> Document:
    amount = sale.shipping_amount
    figures: dict[str, Any] = {
        **pair("shipping_amount", amount),
        **pair("shipping_discount_amount", ZERO),
        "base_shipping_discount_tax_compensation_amnt": 0,
        "shipping_discount_tax_compensation_amount": 0,
        **pair("shipping_incl_tax", amount),
        **pair("shipping_tax_amount", ZERO),
    }
    for is_there, name in ((sale.invoices, "invoiced"), (sale.state == "canceled", "canceled")):
        if is_there:
            figures |= pair(f"shipping_{name}", amount)
    if sale.memos:
        back: Both = total([memo.shipping for memo in sale.memos])
        figures |= {**pair("shipping_refunded", back), **pair("shipping_tax_refunded", ZERO)}
    if sale.shipping is None:
        return {"total": figures}
    return {"address": _address(sale, sale.shipping, "shipping"), "method": "flatrate_flatrate", "total": figures}
