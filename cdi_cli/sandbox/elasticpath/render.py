"""How an order and its lines are served.

Relations name lines `item`, the lines themselves are `order_item` or `promotion_item`. Old orders lack what came later: the
discount's and shipping's sums, `anonymized`, `fully_paid_at`; their taxes of nothing have no currency, and their lines keep
`timestamps` outside `meta`.
"""

from __future__ import annotations

from cdi_cli.sandbox.elasticpath.basket import Basket, Line
from cdi_cli.sandbox.elasticpath.money import Document, priced, raw, shown
from cdi_cli.sandbox.elasticpath.order import Order
from cdi_cli.sandbox.elasticpath.people import STARS, starred, uuid_of
from cdi_cli.sandbox.elasticpath.times import text_of

_NOTHING = {"amount": 0, "currency": "", "formatted": ""}


def order_document(order: Order) -> Document:
    """The order as `/v2/orders` lists it; fields of flows stand beside its own."""
    document: Document = {
        "type": "order",
        "id": order.id,
        "status": order.status,
        "payment": order.payment,
        "shipping": order.shipping,
        **_people(order),
        "shipping_address": _address(order, is_shipping=True),
        "billing_address": _address(order, is_shipping=False),
        "links": {},
        "meta": _meta(order),
        "relationships": _relationships(order),
        **order.flow,
    }
    if order.is_anonymised or not order.is_legacy:
        document["anonymized"] = order.is_anonymised
    if not order.is_legacy:
        document["payment_intent_id"] = f"pi_{order.id[:8]}" if order.gateway.startswith("elastic_path") else ""
    optional = {
        "order_number": order.order_number,
        "external_ref": order.external_ref,
        "custom_attributes": order.attributes,
    }
    return document | {name: value for name, value in optional.items() if value}


def _people(order: Order) -> Document:
    buyer, is_hidden = order.buyer, order.is_anonymised
    person = {"name": STARS if is_hidden else buyer.name, "email": STARS if is_hidden else buyer.email}
    if buyer.account is not None:
        return {"contact": person}
    return {"customer": {"id": buyer.customer.id, **person} if buyer.customer is not None else person}


def _address(order: Order, *, is_shipping: bool) -> Document:
    document = order.buyer.address.document(is_shipping=is_shipping)
    return starred(document) if order.is_anonymised else document


def _meta(order: Order) -> Document:
    basket, code = order.basket, order.basket.market.currency
    total = basket.total
    display: Document = {
        "with_tax": shown(total.with_tax, code),
        "without_tax": shown(total.without, code),
        "tax": dict(_NOTHING) if order.is_legacy and not total.tax else shown(total.tax, code),
    }
    if not order.is_legacy:
        listed = total.with_tax if basket.includes_tax else total.without
        display |= {
            "discount": shown(basket.discount, code),
            "balance_owing": shown(max(0, order.total - order.paid - order.authorised), code),
            "paid": shown(order.paid, code),
            "authorized": shown(order.authorised, code),
            "without_discount": shown(listed - basket.discount, code),
            "shipping": shown(basket.shipping, code),
            "shipping_discount": shown(0, code),
        }
    stamps = {"created_at": text_of(order.created), "updated_at": text_of(order.updated)}
    if order.payment == "paid" and not order.is_legacy:
        stamps["fully_paid_at"] = text_of(order.fully_paid_at)
    meta: Document = {"display_price": display, "timestamps": stamps}
    return meta if order.is_legacy else {**meta, "is_manual": order.is_manual}


def _relationships(order: Order) -> Document:
    items = [{"type": "item", "id": item_id(order, line)} for line in order.basket.lines]
    if order.basket.shipping_group_id:
        items.append({"type": "shipping_group", "id": order.basket.shipping_group_id})
    found: Document = {"items": {"data": items}}
    buyer = order.buyer
    if buyer.customer is not None:
        found["customer"] = {"data": {"type": "customer", "id": buyer.customer.id}}
    if buyer.account is not None and buyer.member is not None:
        noun = "account-member" if order.is_legacy else "account_member"
        found["account"] = {"data": {"type": "account", "id": buyer.account.id}}
        found["account_member"] = {"data": {"type": noun, "id": buyer.member.id}}
    if order.basket.promotion_id and not order.is_legacy:
        found["promotions"] = {"data": [{"type": "promotion", "id": order.basket.promotion_id}]}
    return found


def item_id(order: Order, line: Line) -> str:
    """The id of a line."""
    return uuid_of(order.id, "item", line.position)


def item_documents(order: Order) -> list[Document]:
    """The lines as `included.items` and `/v2/orders/{id}/items` show them."""
    return [_item(order, line) for line in order.basket.lines]


def _item(order: Order, line: Line) -> Document:
    basket, code = order.basket, order.basket.market.currency
    # As in the vendor's samples, a promotion line says "without tax" whatever the prices beside it say, where there is none.
    includes_tax = basket.includes_tax and not (line.kind == "promotion" and line.rate == 0)
    is_promotion = line.kind == "promotion"
    document: Document = {
        "type": "promotion_item" if is_promotion and not order.is_legacy and line.sku != "10off" else "order_item",
        "id": item_id(order, line),
        "quantity": line.quantity,
        "product_id": line.product_id,
        "name": line.name,
        "sku": line.sku,
        "unit_price": raw(line.unit, code, includes_tax=includes_tax),
        "value": raw(line.value, code, includes_tax=includes_tax),
        "links": {},
        "meta": {"display_price": _display(basket, line)},
        "relationships": {"cart_item": {"data": {"type": "cart_item", "id": uuid_of(order.id, "cart", line.position)}}},
    }
    stamps = {"created_at": text_of(order.created), "updated_at": text_of(order.created)}
    if order.is_legacy:
        return document | {"timestamps": stamps}
    document["meta"]["timestamps"] = stamps
    if line.kind in ("product", "bundle"):
        document |= {"catalog_id": uuid_of("catalog"), "catalog_source": "pim"}
    discounts = _discounts(basket, line, code)
    if discounts:
        document["discounts"] = discounts
    if is_promotion or line.cart_discount:
        document["relationships"]["promotions"] = {"data": [{"type": "promotion", "id": basket.promotion_id}]}
    if basket.shipping_group_id and not is_promotion:
        document["shipping_group_id"] = basket.shipping_group_id
    if line.options:
        options = [{"id": each, "type": "product", "quantity": 1} for each in line.options]
        document["components"] = {"parts": {"name": "Parts", "options": options}}
        document["bundle_configuration"] = {"selected_options": {"parts": dict.fromkeys(line.options, 1)}}
    return document


def _discounts(basket: Basket, line: Line, code: str) -> list[Document]:
    found: list[Document] = []
    if line.item_discount:
        own = {"amount": raw(line.item_discount, code, includes_tax=basket.includes_tax), "code": line.code}
        found.append({**own, "id": uuid_of("promotion", line.code), "promotion_source": "rule-promotion"})
    if line.cart_discount:
        share = {"amount": raw(line.cart_discount, code, includes_tax=basket.includes_tax), "code": basket.code}
        source = {"id": basket.promotion_id, "promotion_source": "rule-promotion", "is_cart_discount": True}
        found.append({**share, **source})
    return found


def _display(basket: Basket, line: Line) -> Document:
    """Prices of one and of all of the line, net of its discounts; `without_discount` is the list price."""
    code, price = basket.market.currency, basket.price(line)
    # What one costs is rounded by itself: times the quantity it need not be what all of them cost.
    unit = priced(_each(line.net, line.quantity), line.rate, includes_tax=basket.includes_tax)
    display = {
        "with_tax": _both(unit.with_tax, price.with_tax, code),
        "without_tax": _both(unit.without, price.without, code),
        "tax": _both(unit.tax, price.tax, code),
    }
    if basket.is_legacy:
        return display
    off = line.item_discount + line.cart_discount
    display["discount"] = _both(_each(off, line.quantity), off, code)
    if line.kind == "promotion":
        nothing = {"amount": 0, "currency": "", "formatted": "0"}
        return {**display, "without_discount": {"unit": nothing, "value": nothing}}
    display["without_discount"] = _both(line.unit, line.list_value, code)
    parts = {line.code: line.item_discount, basket.code: line.cart_discount}
    named = {name: shown(amount, code) for name, amount in parts.items() if amount}
    return {**display, **({"discounts": named} if named else {})}


def _each(amount: int, quantity: int) -> int:
    return -(-amount // quantity) if amount < 0 else amount // quantity


def _both(unit: int, value: int, code: str) -> Document:
    return {"unit": shown(unit, code), "value": shown(value, code)}
