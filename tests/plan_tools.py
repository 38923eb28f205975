"""What the tests of the tracking plan share: small plans on disk, and commerce entities to map."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from cdi_cli.clock import Instant
from cdi_cli.commerce import (
    Address,
    Cart,
    Consent,
    Customer,
    LineItem,
    Money,
    Order,
    Product,
    ProductTexts,
    Refund,
    Shipment,
)
from cdi_cli.data import data_folder
from cdi_cli.events.lifecycle import KINDS, Occurrence
from cdi_cli.plan import EventRule, compile_plan, load_plan

HEAD = 'name: test\nversion: "1.2.3"\n'
AT = Instant("2026-01-31T12:00:00.000Z")


def write_plan(folder: Path, files: dict[str, str]) -> Path:
    """A plan folder with these files; `plan.yaml` is a minimal one unless it is given."""
    for name, text in {"plan.yaml": HEAD, **files}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def one_rule(
    folder: Path,
    properties: str,
    *,
    trigger: str = "order.completed",
    head: str = "",
    denied: frozenset[str] = frozenset(),
    **files: str,
) -> EventRule:
    """The only rule of a plan whose event holds these properties (YAML, indented by two)."""
    event = f"event: Tested\ntrigger: {trigger}\nproperties:\n{properties}"
    plan = {"plan.yaml": HEAD + head, "events/tested.yaml": event}
    plan.update({f"definitions/{name}.yaml": text for name, text in files.items()})
    compiled = compile_plan(load_plan(write_plan(folder, plan), denied_fields=denied))
    return compiled.rules(trigger)[0]


def copy_default_plan(folder: Path) -> Path:
    """A copy of the plan that ships with cdi, to change."""
    return Path(shutil.copytree(data_folder("tracking_plan"), folder / "plan"))


def euro(minor: int) -> Money:
    """An amount in cents of EUR."""
    return Money(minor, "EUR")


def a_line(**changes: Any) -> LineItem:
    """A line of two shirts."""
    fields: dict[str, Any] = {
        "id": "line-1",
        "product_id": "shirt",
        "name": "Shirt",
        "price": euro(1999),
        "quantity": 2,
        "total": euro(3998),
        "position": 1,
        "sku": "SKU-1",
    }
    return LineItem(**{**fields, **changes})


def an_order(**changes: Any) -> Order:
    """An order of one line; total 45.48 = revenue 39.98 + shipping 2.50 + tax 3.00."""
    fields: dict[str, Any] = {
        "id": "order-1",
        "version": 3,
        "created_at": AT,
        "placed_at": AT,
        "updated_at": AT,
        "state": "Open",
        "currency": "EUR",
        "total": euro(4548),
        "revenue": euro(3998),
        "shipping": euro(250),
        "tax": euro(300),
        "lines": (a_line(),),
    }
    return Order(**{**fields, **changes})


def a_full_order() -> Order:
    """An order in which every field has a value."""
    lines = (
        a_line(brand="Acme", category="Shirts", variant="L", discount=euro(200), coupon="MAY", url="https://shop.example/p"),
        a_line(id="fee-1", product_id=None, sku=None, name="Credit", price=euro(-500), quantity=1, position=2, kind="fee"),
    )
    address = Address(street="Main 1", city="Berlin", state="BE", postal_code="10115", country="DE", first_name="Jo")
    return an_order(
        number="N-1001",
        customer_id="customer-1",
        email="jo@example.com",
        phone="+4930123",
        discount=euro(200),
        coupons=("MAY", "WELCOME"),
        checkout_id="cart-1",
        payment_state="Paid",
        shipment_state="Shipped",
        payment_method="card",
        shipping_method="standard",
        shipping_address=address,
        billing_address=address,
        country="DE",
        locale="de-DE",
        store="web-de",
        channel="online",
        consent=Consent({"analytics": "granted"}),
        lines=lines,
    )


def a_customer(**changes: Any) -> Customer:
    """A customer of whom only the required fields are known."""
    fields: dict[str, Any] = {"id": "customer-1", "version": 1, "created_at": AT, "updated_at": AT}
    return Customer(**{**fields, **changes})


def a_full_customer() -> Customer:
    """A customer in whose profile every field that the default plan maps has a value."""
    return a_customer(
        email="jo@example.com",
        number="C-7",
        external_id="erp-7",
        first_name="Jo",
        last_name="Doe",
        title="Dr",
        phone="+4930123",
        company="Acme",
        is_email_verified=False,
        customer_group="gold",
        store="web-de",
        address=Address(street="Main 1", city="Berlin", state="BE", postal_code="10115", country="DE"),
    )


def a_cart(**changes: Any) -> Cart:
    """A cart of one line at checkout."""
    fields: dict[str, Any] = {
        "id": "cart-1",
        "version": 1,
        "created_at": AT,
        "updated_at": AT,
        "state": "Active",
        "currency": "EUR",
        "total": euro(4248),
        "revenue": euro(3998),
        "shipping": euro(250),
        "lines": (a_line(),),
        "is_checkout": True,
        "channel": "online",
    }
    return Cart(**{**fields, **changes})


def a_refund() -> Refund:
    """A refund of part of an order, by the bank."""
    return Refund(
        id="refund-1", amount=euro(1999), at=AT, payment_id="pay-1", kind="chargeback", lines=(a_line(quantity=1),)
    )


def a_shipment() -> Shipment:
    """A delivery with a tracking number."""
    return Shipment(id="parcel-1", at=AT, carrier="DHL", tracking_number="JD01", lines=(a_line(),))


def a_product(**changes: Any) -> Product:
    """A variant in which every field that the default plan maps has a value."""
    fields: dict[str, Any] = {
        "id": "SKU-1",
        "version": 7,
        "created_at": AT,
        "updated_at": AT,
        "product_id": "shirt",
        "group": "shirt",
        "name": "Shirt",
        "description": "A shirt of linen",
        "sku": "SKU-1",
        "brand": "Acme",
        "categories": ("Clothes > Shirts", "Sale"),
        "prices": {"EUR": euro(1999), "JPY": Money(3200, "JPY", 0)},
        "original_prices": {"EUR": euro(2499), "JPY": Money(3200, "JPY", 0)},
        "is_in_stock": True,
        "stock_count": 12,
        "url": "https://shop.example/en/p/shirt",
        "image_url": "https://shop.example/i/1.jpg",
        "images": ("https://shop.example/i/1.jpg", "https://shop.example/i/2.jpg"),
        "attributes": {"colour": "red", "weight": 1.5, "organic": True},
        "locales": {
            "de-DE": ProductTexts(
                name="Hemd",
                url="https://shop.example/de/p/hemd",
                categories=("Kleidung > Hemden",),
                attributes={"colour": "rot", "weight": 1.5, "organic": True},
            )
        },
    }
    return Product(**{**fields, **changes})


def occurrence(kind: str, **subjects: Any) -> Occurrence:
    """An occurrence of a kind, with these subjects; the first is the entity it happens to."""
    assert subjects.keys() == KINDS[kind].subjects.keys()
    return Occurrence(kind, AT, next(iter(subjects.values())), subjects)


def completed(order: Order | None = None) -> Occurrence:
    """An order that was completed."""
    return occurrence("order.completed", order=order or an_order())
