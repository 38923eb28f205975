"""Products of commercetools as variants: which price counts, stock, texts by locale, and what is not sold any more."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from commercetools_stub import StubProject, catalogue, opened, sample

from cdi_cli.clock import Clock, Instant, Window
from cdi_cli.commerce import Money, Product, ProductTexts
from cdi_cli.errors import ScopeError
from cdi_cli.sources import Nothing, Unreadable
from cdi_cli.sources.commercetools.prices import Market, prices_of
from cdi_cli.sources.commercetools.records_products import CatalogPrice, StandalonePrice
from cdi_cli.sources.commercetools.sku_lookups import SKU_CHARACTERS_MAX, portions

NOW = Instant("2026-06-01T00:00:00.000Z")
CLOCK = Clock(now=lambda: datetime(2026, 6, 1, tzinfo=UTC))
TEMPLATE = "https://shop.example.com/{locale}/p/{slug}"


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CT_SECRET", "s3cret-value")


def cents(amount: int, currency: str = "EUR", digits: int = 2) -> dict[str, Any]:
    return {"type": "centPrecision", "currencyCode": currency, "centAmount": amount, "fractionDigits": digits}


def price(amount: int, currency: str = "EUR", **more: Any) -> dict[str, Any]:
    return {"id": f"p-{amount}", "value": cents(amount, currency), **more}


def record(**variant: Any) -> dict[str, Any]:
    """The sample product with one more variant; `variant` replaces fields of the main one."""
    found: dict[str, Any] = copy.deepcopy(sample("product"))
    current = found["masterData"]["current"]
    current["masterVariant"] |= {"sku": "SHIRT-S", **variant}
    current["variants"] = [{**copy.deepcopy(current["masterVariant"]), "id": 2, "sku": "SHIRT-M"}]
    current["name"] = {"en": "Shirt", "de": "Hemd"}
    current["slug"] = {"en": "shirt", "de": "hemd"}
    current["categories"] = [{"typeId": "category", "id": "leaf"}]
    return found


async def variants(
    *products: dict[str, Any], records: dict[str, list[dict[str, Any]]] | None = None, **settings: Any
) -> list[list[Any]]:
    """What the source makes of product records, in a project that holds these other records."""
    project = StubProject({**catalogue(), **(records or {})})
    async with opened(project, clock=CLOCK, product_url_template=TEMPLATE, **settings) as source:
        return list(await source.read("products", [json.dumps(each).encode() for each in products]))


def chosen(*prices: dict[str, Any], market: Market = Market(), standalone: bool = False) -> Any:  # noqa: B008 - immutable
    """Present and original prices as (currency, minor units)."""
    kind = tuple[StandalonePrice, ...] if standalone else tuple[CatalogPrice, ...]
    decoded: Any = msgspec.json.decode(json.dumps(prices), type=kind)
    present, original = prices_of(decoded, market, NOW)
    return ({name: each.minor for name, each in found.items()} for found in (present, original))


async def test_each_variant_is_a_product_of_its_own() -> None:
    """Known by its SKU, with what the product says of all of them and how order lines name it."""
    ((first, second),) = await variants(record())

    assert (first.id, second.id, first.sku) == ("SHIRT-S", "SHIRT-M", "SHIRT-S")
    assert {first.product_id, second.product_id, first.group, second.group} == {record()["id"]}
    assert (first.name, first.categories, first.url) == (
        "Shirt",
        ("Clothes > Shirts",),
        "https://shop.example.com/en/p/shirt",
    )
    assert first.description == "Sample description"
    assert first.prices == first.original_prices == {"EUR": Money(10000, "EUR")}
    assert first.images == (first.image_url,) == ("https://commercetools.com/cli/data/253245821_1.jpg",)
    assert first.is_published


async def test_a_variant_without_sku_is_known_by_both_ids() -> None:
    """A variant's id is unique in its product only."""
    ((first, _),) = await variants(record(sku=None))

    assert (first.id, first.sku) == (f"{record()['id']}-1", None)


async def test_a_product_that_is_not_published_is_only_named() -> None:
    """Each variant is to be hidden; that its texts or prices change is no reason to hide it again, nor to ask for stock."""
    hidden = record()
    hidden["masterData"]["published"] = False
    ((first, second),) = await variants(hidden)

    assert [each.is_published for each in (first, second)] == [False, False]
    assert (first.sku, first.product_id, first.name, first.prices, first.locales) == ("SHIRT-S", hidden["id"], None, {}, {})


async def test_variants_that_are_kept_apart_are_counted() -> None:
    """A Modular project serves products without variants: nothing that could be sold."""
    modular = record()
    del modular["masterData"]["current"]["masterVariant"]
    modular["masterData"]["current"]["variants"] = []

    assert await variants(modular) == [[Nothing("no_variants")]]


async def test_a_record_that_cannot_be_read_costs_itself_alone() -> None:
    """A price that is valid until never is told by its place, not by its value."""
    broken = record(prices=[price(100, validUntil="secret words")])
    ((reading,), good) = await variants(broken, record())

    assert isinstance(reading, Unreadable)
    assert reading.record_id == broken["id"]
    assert reading.detail == "Expected a date-time with a zone - at `$.validUntil`"
    assert len(good) == 2


@pytest.mark.parametrize(
    ("prices", "market", "expected"),
    [
        ([price(100, customerGroup={"id": "g"}), price(200, channel={"id": "c"}), price(900)], Market(), {"EUR": 900}),
        ([price(100, recurrencePolicy={"id": "r"})], Market(), {}),
        ([price(100, country="DE")], Market(), {}),
        ([price(100), price(90, country="DE"), price(80, country="AT")], Market(countries={"": "DE"}), {"EUR": 90}),
        ([price(100), price(90, country="DE")], Market(countries={"USD": "DE"}), {"EUR": 100}),
        ([price(100, "USD"), price(90)], Market(("EUR",)), {"EUR": 90}),
        ([price(100, "USD"), price(90)], Market(), {"EUR": 90, "USD": 100}),
        ([price(100), price(90, validFrom="2026-05-01T00:00:00.000Z")], Market(), {"EUR": 90}),
        ([price(100), price(90, validFrom="2026-06-01T00:00:00.001Z")], Market(), {"EUR": 100}),
        ([price(100), price(90, validUntil="2026-06-01T00:00:00.000Z")], Market(), {"EUR": 100}),
        ([price(100), price(90, validUntil="2026-06-01T02:00:00.001+02:00")], Market(), {"EUR": 90}),
        ([price(90, validFrom="2026-05-01T00:00:00.000Z"), price(100, country="DE")], Market(countries={"": "DE"}), {"EUR": 100}),
        ([price(100), price(90)], Market(), {"EUR": 100}),
    ],
)  # fmt: skip
def test_the_price_is_the_closest_one_that_everybody_can_have(prices: Any, market: Market, expected: dict[str, int]) -> None:
    """Country before dates before order; the bounds are half-open."""
    present, original = chosen(*prices, market=market)

    assert present == original == expected


def test_a_discount_lowers_the_present_price_alone() -> None:
    """In the digits of its currency, exact."""
    discounted = price(900, discounted={"value": cents(700), "discount": {"id": "d"}})
    present, original = chosen(discounted)

    assert (present, original) == ({"EUR": 700}, {"EUR": 900})


def test_a_standalone_price_that_is_off_does_not_count() -> None:
    """`active` false is a price in the making."""
    off = {**price(50), "sku": "A", "active": False}
    present, _ = chosen(off, {**price(100), "sku": "A"}, standalone=True)

    assert present == {"EUR": 100}


async def test_standalone_prices_and_stock_are_looked_up_by_sku() -> None:
    """Only for products whose prices are apart, of all supply channels together; another SKU's are not mixed up."""
    apart = {**record(), "priceMode": "Standalone"}
    found = {
        "standalone-prices": [
            {**price(500), "id": "1", "sku": "SHIRT-S"},
            {**price(600), "id": "2", "sku": "SHIRT-M"},
            {**price(1), "id": "3", "sku": "OTHER"},
        ],
        "inventory": [
            {"id": "1", "sku": "SHIRT-S", "availableQuantity": 3},
            {"id": "2", "sku": "SHIRT-S", "availableQuantity": 4, "supplyChannel": {"id": "c"}},
            {"id": "3", "sku": "SHIRT-M", "availableQuantity": -2},
        ],
    }
    ((first, second),) = await variants(apart, records=found)

    assert (first.prices["EUR"].minor, second.prices["EUR"].minor) == (500, 600)
    assert [(each.stock_count, each.is_in_stock) for each in (first, second)] == [(7, True), (0, False)]


@pytest.mark.parametrize(
    ("availability", "expected"),
    [
        (None, (None, None)),
        ({"isOnStock": False}, (None, False)),
        ({"isOnStock": True, "availableQuantity": 5}, (5, True)),
        ({"channels": {"c": {"isOnStock": False}, "d": {"isOnStock": True, "availableQuantity": 2}}}, (2, True)),
        ({"availableQuantity": 0}, (0, False)),
    ],
)
async def test_stock_falls_back_on_the_record(availability: Any, expected: Any) -> None:
    """Where the project keeps no inventory entries; nothing at all where it keeps no stock."""
    ((first, _),) = await variants(record(availability=availability))

    assert (first.stock_count, first.is_in_stock) == expected


async def test_look_ups_can_be_switched_off() -> None:
    """Without them neither prices apart nor stock are asked for."""
    project = StubProject(catalogue())
    off = {"standalone_prices": False, "inventory": False, "product_categories": False}
    async with opened(project, lookups=off) as source:
        ((first, _),) = await source.read("products", [json.dumps({**record(), "priceMode": "Standalone"}).encode()])

    assert isinstance(first, Product)
    assert (first.prices, first.stock_count, first.categories) == ({}, None, ())
    assert [path for path, _ in project.asked] == ["/shop"]


async def test_texts_are_told_in_each_locale_that_has_a_name() -> None:
    """A locale takes its own text, then its language's, never another's; names of categories stand in for missing ones."""
    translated = record()
    current = translated["masterData"]["current"]
    current["description"] = {"de": "Aus Leinen"}
    current["attributes"] = []
    current["masterVariant"]["attributes"] = [
        {"name": "colour", "value": {"key": "red", "label": {"en": "red", "de": "rot"}}},
        {"name": "size", "value": {"key": "s", "label": "S"}},
    ]
    trees = [
        {"id": "root", "name": {"en": "Clothes", "de": "Kleidung"}},
        {"id": "leaf", "name": {"en": "Shirts"}, "parent": {"typeId": "category", "id": "root"}},
    ]
    ((first, _),) = await variants(translated, records={"categories": trees}, locales=["de-AT", "fr-FR"])

    assert first.description == "Aus Leinen"
    assert first.attributes == {"colour": "red", "size": "S"}
    assert first.locales == {
        "de-AT": ProductTexts(
            name="Hemd",
            description="Aus Leinen",
            url="https://shop.example.com/de-AT/p/hemd",
            categories=("Kleidung > Shirts",),
            attributes={"colour": "rot", "size": "S"},
        )
    }


async def test_without_configured_locales_those_of_the_project_are_told() -> None:
    """The stub's project has German and English."""
    ((first, _),) = await variants(record())

    assert list(first.locales) == ["de", "en"]
    assert first.locales["de"].name == "Hemd"


async def test_only_simple_attributes_are_told() -> None:
    """Texts, numbers, booleans and labels; the variant's own before the product's; the brand is a field of its own."""
    values = {
        "brand": "Acme", "text": "x", "number": 1.5, "count": 3, "flag": False, "localized": {"en": "hello", "de": "hallo"},
        "label": {"key": "k", "label": "L"}, "reference": {"typeId": "product", "id": "x"}, "set": ["a"], "empty": "",
        "money": cents(1), "nested": [{"name": "a", "value": 1}], "nothing": None,
    }  # fmt: skip
    shown = record(attributes=[{"name": name, "value": value} for name, value in values.items()])
    shown["masterData"]["current"]["attributes"] = [{"name": "text", "value": "y"}, {"name": "care", "value": "cold"}]
    ((first, _),) = await variants(shown)

    assert first.brand == "Acme"
    assert first.attributes == {
        "care": "cold", "count": 3, "flag": False, "label": "L", "localized": "hello", "number": 1.5, "text": "x",
    }  # fmt: skip
    assert list(first.attributes) == sorted(first.attributes)


async def test_a_missing_permission_names_the_switch() -> None:
    """Prices that are not read would be told as missing."""
    project = StubProject(catalogue())

    async def forbidden(writer: Any, _request: Any) -> bool:
        body = {"statusCode": 403, "message": "Insufficient scope", "errors": [{"code": "insufficient_scope"}]}
        return await project._reply(writer, 403, body)

    project.faults["standalone-prices"] = [forbidden]
    async with opened(project) as source:
        with pytest.raises(ScopeError) as caught:
            await source.read("products", [json.dumps({**record(), "priceMode": "Standalone"}).encode()])

    assert "view_standalone_prices" in (caught.value.hint or "")
    assert "lookups.standalone_prices: false" in (caught.value.hint or "")


async def test_look_ups_are_bounded_and_read_to_their_end() -> None:
    """At most a hundred SKUs a request, each paged by id, in fewer rows where the server cannot serve so many."""
    rows = [{"id": f"i-{number:04d}", "sku": "SHIRT-S", "availableQuantity": 1} for number in range(620)]
    project = StubProject({**catalogue(), "inventory": rows}, rows_max=lambda kind: 250 if kind == "inventory" else None)
    many = [record(sku=f"SKU-{number}") for number in range(150)]
    async with opened(project) as source:
        ((first, _),) = await source.read("products", [json.dumps(record()).encode()])
        await source.read("products", [json.dumps(each).encode() for each in many])

    assert isinstance(first, Product)
    assert first.stock_count == 620
    asked = [query["where"][0] for path, query in project.asked if path.endswith("/inventory") and len(query["where"]) == 1]
    assert max(where.count('"') // 2 for where in asked) == 100


def test_a_sku_of_any_length_finds_its_place() -> None:
    """A predicate holds about 4,000 characters; a SKU that no predicate can hold is left out."""
    found = list(portions(["a" * 1500, "b" * 1500, "c" * 1500, "line\nbreak", "d" * 9000]))

    assert [[each[0] for each in portion] for portion in found] == [["a", "b"], ["c"], ["d"]]
    assert all(len("".join(portion)) <= SKU_CHARACTERS_MAX or len(portion) == 1 for portion in found)


async def test_reconciling_reads_a_creation_window() -> None:
    """What changed without its product is found by reading all of them, by the time that never changes."""
    project = StubProject({"products": [record()]})
    window = Window(Instant("1970-01-01T00:00:00.000Z"), Instant("1970-01-02T00:00:00.000Z"))
    async with opened(project) as source:
        pages = [page async for page in source.pages("products", window, None, by="reconcile")]

    assert [len(page.records) for page in pages] == [1]
    assert all("createdAt" in query["where"][0] for path, query in project.asked if path.endswith("/products"))
