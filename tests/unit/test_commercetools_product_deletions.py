"""Products and variants that were deleted, told by messages: hidden, unless the SKU is sold again."""

from __future__ import annotations

import json
from typing import Any

import pytest
from commercetools_stub import StubProject, catalogue, opened

from cdi_cli.commerce import Product
from cdi_cli.sources import Nothing, Unreadable

AT = "2026-05-01T10:00:00.000Z"
CREATED = "2024-01-01T00:00:00.000Z"
PRODUCT = "11111111-0000-4000-8000-000000000001"


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CT_SECRET", "s3cret-value")


def message(kind: str, **payload: Any) -> dict[str, Any]:
    """A message about the product."""
    return {"id": "m-1", "createdAt": AT, "type": kind, "resource": {"typeId": "product", "id": PRODUCT}, **payload}


def deleted(*skus: str) -> dict[str, Any]:
    """A product with these variants was deleted."""
    first, *others = [{"id": number, "sku": sku} for number, sku in enumerate(skus, 1)]
    projection = {"id": PRODUCT, "createdAt": CREATED, "masterVariant": first, "variants": others}
    return message("ProductDeleted", currentProjection=projection)


def removed(sku: str) -> dict[str, Any]:
    """A variant was removed from the product."""
    return message("ProductVariantDeleted", variant={"id": 2, "sku": sku})


async def read(*messages: Any, **records: list[dict[str, Any]]) -> list[list[Any]]:
    """What the source makes of messages in a project that holds these records."""
    project = StubProject({**catalogue(), **{name.replace("_", "-"): rows for name, rows in records.items()}})
    async with opened(project) as source:
        return list(await source.read("product_deletions", [json.dumps(each).encode() for each in messages]))


async def test_each_variant_of_a_deleted_product_is_hidden() -> None:
    """Under the id, and of the creation time, that it had as a product: so that the ledger knows it."""
    ((first, second),) = await read(deleted("A", "B"))

    assert isinstance(first, Product)
    assert (first.id, second.id, first.product_id, first.created_at, first.updated_at) == ("A", "B", PRODUCT, CREATED, AT)
    assert not first.is_published


async def test_a_removed_variant_is_hidden_as_of_its_product() -> None:
    """The message does not say when the product was created; the product does."""
    ((variant,),) = await read(removed("B"), products=[{"id": PRODUCT, "createdAt": CREATED}])

    assert isinstance(variant, Product)
    assert (variant.id, variant.created_at, variant.is_published) == ("B", CREATED, False)


async def test_a_sku_that_is_sold_again_is_not_hidden() -> None:
    """By whichever product has it now, as main variant or as another."""
    projections = [{"id": "p2", "masterVariant": {"sku": "A"}, "variants": [{"sku": "C"}]}]
    ((first, second, third),) = await read(deleted("A", "B", "C"), product_projections=projections)

    assert (first, third) == (Nothing("sold_again"), Nothing("sold_again"))
    assert isinstance(second, Product)


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        (message("ProductDeleted"), "never_published"),
        (removed("B"), "product_deleted"),
        (message("ProductPublished"), "other_message"),
    ],
)
async def test_what_hides_nothing_is_counted(told: dict[str, Any], reason: str) -> None:
    """A product that was not published, a variant of a product that is gone too, another message."""
    assert await read(told) == [[Nothing(reason)]]


async def test_a_broken_message_costs_itself_alone() -> None:
    """Times that are none are told without their value."""
    broken = deleted("A")
    broken["currentProjection"]["createdAt"] = "yesterday"
    ((first,), (second,), (third,)) = await read(broken, {"id": "m-9"}, deleted("B"))

    assert isinstance(first, Unreadable)
    assert "yesterday" not in first.detail
    assert isinstance(second, Unreadable)
    assert isinstance(third, Product)
