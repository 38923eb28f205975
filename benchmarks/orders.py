"""Orders for measurements: one realistic record as a template, filled in so fast that the server does not get in the way."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID

BASE = datetime(2025, 1, 1, tzinfo=UTC)
STEP = timedelta(milliseconds=100)
"""Orders lie so far apart; every order has an instant of its own."""

_ID, _TIME, _NUMBER, _CUSTOMER = "@ID@", "@TIME@", "@NUMBER@", "@CUSTOMER@"


def _money(minor: int) -> dict[str, object]:
    return {"type": "centPrecision", "currencyCode": "EUR", "centAmount": minor, "fractionDigits": 2}


def _uuid(random: Random) -> str:
    return str(UUID(int=random.getrandbits(128), version=4))


def _line(number: int, padding: int, random: Random) -> dict[str, object]:
    prices = [
        {"id": _uuid(random), "value": _money(random.randint(999, 9999)), "country": "DE", "key": _uuid(random)[:13]}
        for _ in range(padding)
    ]
    return {
        "id": _uuid(random),
        "productId": f"00000000-0000-4000-8000-0000000000{number:02d}",
        "name": {"en": f"Comfortable shirt {number}", "de": f"Bequemes Hemd {number}"},
        "productSlug": {"en": f"comfortable-shirt-{number}"},
        "variant": {
            "id": 1,
            "sku": f"SKU-{number}",
            "prices": prices,
            "images": [{"url": f"https://img.example/shirt-{number}.jpg", "dimensions": {"w": 1400, "h": 1400}}],
            "attributes": [{"name": "brand", "value": "Acme"}, {"name": "color", "value": {"key": "blue", "label": "Blue"}}],
        },
        "price": {"id": _uuid(random), "value": _money(1999)},
        "quantity": 2,
        "totalPrice": _money(3998),
        "taxedPrice": {"totalNet": _money(3360), "totalGross": _money(3998)},
        "taxRate": {"name": "VAT", "amount": 0.19, "includedInPrice": True, "country": "DE"},
        "state": [{"quantity": 2, "state": {"typeId": "state", "id": "7c2e2694-aefe-43d7-888e-6a99514caaca"}}],
        "priceMode": "Platform",
        "lineItemMode": "Standard",
        "discountedPricePerQuantity": [],
    }


def template(order_bytes: int, random: Random) -> bytes:
    """One order of about `order_bytes` as JSON with four marks to fill in: 8 lines above 10,000 bytes, else 1."""
    lines = 8 if order_bytes > 10_000 else 1
    order: dict[str, object] = {
        "type": "Order",
        "id": _ID,
        "version": 3,
        "createdAt": _TIME,
        "lastModifiedAt": _TIME,
        "orderNumber": _NUMBER,
        "customerId": _CUSTOMER,
        "customerEmail": "jo@example.com",
        "totalPrice": _money(3998 * lines + 490),
        "taxedPrice": {"totalNet": _money(3360 * lines + 412), "totalGross": _money(3998 * lines + 490)},
        "orderState": "Complete",
        "paymentState": "Paid",
        "shippingMode": "Single",
        "shippingInfo": {
            "shippingMethodName": "Standard",
            "price": _money(490),
            "taxRate": {"amount": 0.19, "includedInPrice": True},
        },
        "shippingAddress": {"firstName": "Jo", "lastName": "Doe", "streetName": "Main", "city": "Berlin", "country": "DE"},
        "country": "DE",
        "locale": "de-DE",
        "origin": "Customer",
        "store": {"typeId": "store", "key": "web-de"},
        "cart": {"typeId": "cart", "id": "cart-77"},
        "customLineItems": [],
        "discountCodes": [],
        "lineItems": [],
    }
    padding = 0
    while True:
        order["lineItems"] = [_line(number, padding, random) for number in range(lines)]
        text = json.dumps(order, separators=(",", ":"))
        if len(text) >= order_bytes - 60:
            return text.encode()
        padding += 1


def instant(index: int) -> str:
    """The creation time of order `index`."""
    at = BASE + STEP * index
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"


def index_at(text: str) -> int:
    """The first order that was created at or after an instant."""
    since = datetime.fromisoformat(text) - BASE
    return max(0, -(-since // STEP) if since >= timedelta(0) else 0)


def _split(text: str) -> tuple[list[tuple[bytes, str]], bytes]:
    """A template as (text, mark that follows it) pairs and the text behind the last mark."""
    parts: list[tuple[bytes, str]] = []
    while True:
        marks = [(text.find(mark), mark) for mark in (_ID, _TIME, _NUMBER, _CUSTOMER) if mark in text]
        if not marks:
            return parts, text.encode()
        place, mark = min(marks)
        parts.append((text[:place].encode(), mark))
        text = text[place + len(mark) :]


class Renderer:
    """Makes the page `[start, end)` of orders as JSON bytes; variants keep it from compressing better than real data."""

    VARIANTS = 32

    def __init__(self, order_bytes: int) -> None:
        random = Random(7)
        self._variants = [_split(template(order_bytes, random).decode()) for _ in range(self.VARIANTS)]

    def order(self, index: int) -> bytes:
        """Order `index`; its id is a real UUID, the same in every run."""
        values = {
            _ID: str(UUID(int=(index * 0x9E3779B97F4A7C15F39CC0605CEDC835) % 2**128, version=4)).encode(),
            _TIME: instant(index).encode(),
            _NUMBER: b"N-%d" % index,
            _CUSTOMER: b"customer-%d" % (index % 5000),
        }
        parts, tail = self._variants[index % self.VARIANTS]
        return b"".join(part for text, mark in parts for part in (text, values[mark])) + tail

    def page(self, start: int, end: int, limit: int) -> bytes:
        """The envelope that commercetools would serve."""
        rows = b",".join(map(self.order, range(start, end)))
        return b'{"limit":%d,"offset":0,"count":%d,"results":[%s]}' % (limit, end - start, rows)
