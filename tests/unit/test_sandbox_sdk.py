"""An independent judge of the sandbox's shapes: the commercetools SDK's typed models must be able to read them.

The SDK refuses enum values that it does not know, which the seed data holds on purpose; nothing else may be refused.
"""

from __future__ import annotations

from typing import Any

import pytest
from commercetools.platform import models
from marshmallow import ValidationError

from cdi_cli.clock import Instant
from cdi_cli.sandbox import Sandbox, SandboxOptions

JUDGES: dict[str, Any] = {
    "orders": models.Order,
    "carts": models.Cart,
    "customers": models.Customer,
    "payments": models.Payment,
    "products": models.Product,
    "product-projections": models.ProductProjection,
    "categories": models.Category,
    "discount-codes": models.DiscountCode,
    "customer-groups": models.CustomerGroup,
    "inventory": models.InventoryEntry,
    "standalone-prices": models.StandalonePrice,
    "stores": models.Store,
}
OPTIONS = {
    "small": SandboxOptions(orders=120, now=Instant("2026-11-01T00:00:00.000Z")),
    "padded": SandboxOptions(orders=40, now=Instant("2026-11-01T00:00:00.000Z"), order_bytes=9_000),
}

_OLD_CALLS = pytest.mark.filterwarnings("ignore:Passing field metadata", "ignore:`Field.fail` is deprecated")
"""What the SDK calls in its own dependencies is old; that is not the sandbox's doing."""


@_OLD_CALLS
@pytest.mark.parametrize("size", OPTIONS)
def test_sdk_reads_every_record(size: str) -> None:
    """All records but those with an enum value unknown to the SDK deserialise, of every kind."""
    shop = Sandbox(OPTIONS[size]).shop

    for kind, judge in JUDGES.items():
        documents = shop.documents(kind)[:120]
        refusals: list[str] = []
        for document in documents:
            try:
                assert judge.deserialize(document).id == document["id"]
            except ValidationError as error:
                refusals += [text for texts in error.messages_dict.values() for text in texts]
        assert len(refusals) < len(documents) / 2, kind
        assert all(text.startswith("Invalid enum value ") for text in refusals), (kind, refusals)


@_OLD_CALLS
def test_sdk_would_notice_a_wrong_shape() -> None:
    """The judge is not blind: a text where a number must be is refused."""
    (order,) = Sandbox(SandboxOptions(orders=1, poison=1)).shop.documents("orders")

    with pytest.raises((ValidationError, ValueError)):
        models.Order.deserialize(order)
