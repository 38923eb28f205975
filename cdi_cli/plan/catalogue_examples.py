"""Example values for the catalogue: what the plan gives itself, else something likely that keeps to the plan's rules.

They are made up, and the same in every catalogue, so that pages can be compared.
"""

from __future__ import annotations

from typing import Any, Final

from cdi_cli.plan.check import SchemaError, compile_schema
from cdi_cli.plan.model import Property
from cdi_cli.plan.schema import property_schema


class _NoExample:
    """The type of `NO_EXAMPLE`."""


NO_EXAMPLE: Final = _NoExample()
"""Stands for "nothing can be shown"; None is a value."""

_TEXTS = {
    "affiliation": "web-de",
    "brand": "Example",
    "carrier": "DHL",
    "category": "Shirts",
    "channel": "online",
    "city": "Berlin",
    "company": "Example Ltd",
    "country": "DE",
    "coupon": "WELCOME10",
    "coupons": "WELCOME10",
    "currency": "EUR",
    "customer_group": "gold",
    "description": "A shirt of linen",
    "email": "jo@example.com",
    "external_id": "ERP-7",
    "first_name": "Jo",
    "group": "shirt-7",
    "id": "8f2c1e",
    "image_url": "https://shop.example/shirt-7.jpg",
    "kind": "product",
    "last_name": "Doe",
    "locale": "de-DE",
    "name": "Linen shirt",
    "number": "1001",
    "payment_method": "card",
    "payment_state": "Paid",
    "phone": "+4930123456",
    "postal_code": "10115",
    "product_id": "shirt-7",
    "shipment_state": "Shipped",
    "shipping_method": "standard",
    "sku": "SHIRT-7-L",
    "state": "Berlin",
    "store": "web-de",
    "street": "Main Street 1",
    "title": "Dr",
    "tracking_number": "JD014600",
    "url": "https://shop.example/shirt-7",
    "variant": "blue, L",
}
_ORDER_STATES = {"order.state": "Complete", "cart.state": "Active"}
_AMOUNTS = {
    "amount": 19.99,
    "discount": 5.0,
    "price": 19.99,
    "revenue": 39.98,
    "shipping": 2.5,
    "subtotal": 39.98,
    "tax": 3.0,
    "total": 45.48,
    "value": 45.48,
}
"""An order of two shirts: total = revenue + shipping + tax."""

_INTEGERS = {"quantity": 2, "position": 1}
_FORMATS = {
    "date-time": "2026-01-31T12:00:00.000Z",
    "date": "2026-01-31",
    "email": "jo@example.com",
    "idn-email": "jo@example.com",
    "uri": "https://shop.example/",
    "uuid": "6f1f6f0a-7c2e-5d1c-9a53-0d3b7a1d8f10",
}


def example_of(planned: Property) -> Any:
    """A value that the property could have, or NO_EXAMPLE where none comes to mind that keeps to its rules."""
    schema = property_schema(planned, allows_unplanned=True)
    try:
        is_valid = compile_schema(schema).is_valid
    except SchemaError:
        return NO_EXAMPLE
    return next((value for value in _candidates(planned) if is_valid(value)), NO_EXAMPLE)


def _candidates(planned: Property) -> list[Any]:
    """Values that may fit, the best first."""
    if planned.is_constant:
        return [planned.constant]
    keywords = planned.keywords
    found = [*_list(keywords.get("examples"))]
    found += [keywords["const"]] if "const" in keywords else []
    found += _list(keywords.get("enum"))
    found += [keywords["default"]] if "default" in keywords else []
    if "object" in planned.types:
        inner = {each.name: value for each in planned.properties if (value := example_of(each)) is not NO_EXAMPLE}
        found += [inner] if inner else []
    if "array" in planned.types and planned.items is not None:
        element = example_of(planned.items)
        found += [[element]] if element is not NO_EXAMPLE else []
    return found + _likely(planned)


def _likely(planned: Property) -> list[Any]:
    """Made-up values by format, source and name."""
    source = planned.sources[0] if planned.sources else None
    words = [source.text.rpartition(".")[2]] if source is not None else []
    words.append(planned.name.lower())
    found: list[Any] = []
    if "string" in planned.types:
        found += [_FORMATS[planned.keywords["format"]]] if planned.keywords.get("format") in _FORMATS else []
        found += [_ORDER_STATES[source.text]] if source is not None and source.text in _ORDER_STATES else []
        found += [_FORMATS["date-time"]] if source is not None and source.shape.kind == "instant" else []
        found += [_TEXTS[word] for word in words if word in _TEXTS]
        found += [_TEXTS["id"]] if any(word.endswith("_id") for word in words) else []
    if {"number", "integer"} & set(planned.types):
        known = _INTEGERS | _AMOUNTS if "number" in planned.types else _INTEGERS
        found += [known[word] for word in words if word in known]
        found += [19.99, 2] if "number" in planned.types else [2, 1]
    if "boolean" in planned.types:
        found += [True, False]
    return found


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list) else []
