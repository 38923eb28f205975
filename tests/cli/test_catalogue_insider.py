"""The product catalogue from commercetools to Insider as cron feeds it: what is shown, what changes, what is hidden."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import canary
import pytest
from cli_project import CliProject

from cdi_cli.clock import SYSTEM_CLOCK
from cdi_cli.sandbox import SandboxThread, cdi_yaml
from cdi_cli.sandbox.commercetools.mutate import mutate, variant_deleted

SOURCE = """\
locales: [en, de]
price_country: DE
product_url_template: "https://shop.example/{locale}/{sku}"
"""
SECTION = """\
destinations:
  insider:
    type: insider
    partner_name: sandbox
    request_token: "${{CDI_INSIDER_TOKEN}}"
    catalog_token: "${{CDI_CATALOG_TOKEN}}"
    endpoint: {url}/insider
    catalog_endpoint: {url}/insider
    locales: [en_US, de_DE]
    require_consent: [Advertising]
pipelines:
  main:
    source: shop
    destinations: [insider]
    streams: [products, product_deletions]
    sync: {{settle: 0s, overlap: 5m}}
    consent:
      Advertising: {{field: custom.fields.marketingConsent}}
"""


class CatalogueProject(CliProject):
    """A project whose pipeline feeds the sandbox's catalogue."""

    def write_settings(self) -> None:
        """Write `cdi.yaml`, with Insider in the place of Segment."""
        options = self.sandbox.options
        self.environment["CDI_INSIDER_TOKEN"] = options.insider_token
        self.environment["CDI_CATALOG_TOKEN"] = options.insider_catalog_token
        before = cdi_yaml(self.sandbox.url, options).partition("destinations:\n  segment:")[0]
        more = "".join(f"    {line}\n" for line in SOURCE.splitlines())
        before = before.replace("    client_secret:", f"{more}    client_secret:")
        self.settings.write_text(before + SECTION.format(url=self.sandbox.url), encoding="utf-8")

    def sync(self) -> dict[str, Any]:
        """One sync; returns what was delivered and why other things were not."""
        self.sandbox.clock.advance(2)
        run = self.run("sync", "--json", "--rate", "100000")
        assert run.code == 0, run.err
        (found,) = [run.json()] if isinstance(run.json(), dict) else run.json()
        return dict(found)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[CatalogueProject]:
    """A project beside a shop that keeps messages."""
    options = canary.options(now=SYSTEM_CLOCK.instant(), messages=True)
    with SandboxThread(options) as sandbox, CatalogueProject(tmp_path, sandbox) as made:
        yield made


def products(project: CatalogueProject, *, is_published: bool = True) -> list[dict[str, Any]]:
    """The shop's products."""
    found = project.sandbox.shop.documents("products")
    return [each for each in found if each["masterData"]["published"] is is_published]


def variants(product: dict[str, Any]) -> list[dict[str, Any]]:
    """The variants of a product."""
    current = product["masterData"]["current"]
    return [current["masterVariant"], *current["variants"]]


def items(project: CatalogueProject) -> dict[tuple[str, str], dict[str, Any]]:
    """What Insider's catalogue holds."""
    return project.sandbox.insider_catalog.items


def test_every_variant_on_sale_is_in_every_locale_of_the_catalogue(project: CatalogueProject) -> None:
    """With the shop's words, prices and stock; what is not on sale was never shown, so there is nothing to hide."""
    first = project.summary()
    on_sale = {variant["sku"] for product in products(project) for variant in variants(product)}
    off_sale = {variant["sku"] for product in products(project, is_published=False) for variant in variants(product)}

    assert off_sale
    assert set(items(project)) == {(sku, locale) for sku in on_sale for locale in ("en_US", "de_DE")}
    assert first["events"] == {"Product Updated": len(on_sale)}
    stock = {each["sku"]: each["availableQuantity"] for each in project.sandbox.shop.documents("inventory")}
    for product in products(project):
        current = product["masterData"]["current"]
        for variant in variants(product):
            english, german = (items(project)[variant["sku"], locale] for locale in ("en_US", "de_DE"))
            assert (english["name"], german["name"]) == (current["name"]["en"], current["name"]["de"])
            assert german["url"] == f"https://shop.example/de/{variant['sku']}"
            assert (english["stock_count"], english["in_stock"]) == (stock[variant["sku"]], int(stock[variant["sku"]] > 0))
            assert (english["groupcode"], len(english["category"])) == (product["id"], 3)
            assert set(english["price"]) == set(english["original_price"]) == {"EUR", "USD", "GBP", "JPY", "KWD"}


def test_discounts_and_prices_apart_are_what_the_shop_says(project: CatalogueProject) -> None:
    """A discounted price beside the one before; of standalone prices that of Germany, and none that does not count."""
    project.summary()
    number_6 = next(each for each in products(project) if each["key"].endswith("-6"))
    standalone = {
        price["sku"]: price["value"]["centAmount"] / 100
        for price in project.sandbox.shop.documents("standalone-prices")
        if price.get("country") == "DE" and price["value"]["currencyCode"] == "EUR"
    }
    apart = [each for each in products(project) if each["priceMode"] == "Standalone"]

    for variant in variants(number_6):
        (euro,) = (each for each in variant["prices"] if each["value"]["currencyCode"] == "EUR")
        item = items(project)[variant["sku"], "en_US"]
        assert item["original_price"]["EUR"] == euro["value"]["centAmount"] / 100
        assert item["price"]["EUR"] == euro["discounted"]["value"]["centAmount"] / 100
    assert apart
    for variant in (variant for product in apart for variant in variants(product)):
        assert items(project)[variant["sku"], "en_US"]["price"]["EUR"] == standalone[variant["sku"]]


def test_only_what_changed_is_sent_and_what_is_gone_is_hidden(project: CatalogueProject) -> None:
    """A new name, a product off sale, one that was deleted, a variant that was removed; then nothing more."""
    project.summary()
    shop = project.sandbox.shop
    with_many = [each for each in products(project) if len(variants(each)) > 1 and each["priceMode"] == "Embedded"]
    renamed, hidden, deleted, cut = with_many[:4]
    current = renamed["masterData"]["current"]
    name = {"en": "Renamed", "de": "Umbenannt"}
    shop.update("products", renamed["id"], {"masterData": {**renamed["masterData"], "current": {**current, "name": name}}})
    shop.update("products", hidden["id"], {"masterData": {**hidden["masterData"], "published": False}})
    mutate(shop, {"do": "delete", "kind": "products", "id": deleted["id"]})
    removed = variants(cut)[-1]
    left = {**cut["masterData"]["current"], "variants": cut["masterData"]["current"]["variants"][:-1]}
    shop.update("products", cut["id"], {"masterData": {**cut["masterData"], "current": left}})
    shop.add("messages", variant_deleted(cut, removed, at=shop.clock.instant()))

    changed = project.sync()
    again = project.sync()

    gone = [variant["sku"] for product in (hidden, deleted) for variant in variants(product)] + [removed["sku"]]
    assert changed["events"] == {"Product Updated": len(gone) + len(variants(renamed))}
    assert again["events"] == {}
    for sku in gone:
        for locale in ("en_US", "de_DE"):
            assert (items(project)[sku, locale]["is_status_passive"], items(project)[sku, locale]["in_stock"]) == (1, 0)
    for variant in variants(renamed):
        assert items(project)[variant["sku"], "de_DE"]["name"] == "Umbenannt"
    assert "is_status_passive" not in items(project)[variants(cut)[0]["sku"], "en_US"]


def test_prices_and_stock_that_changed_by_themselves_are_found_by_reading_all_products(project: CatalogueProject) -> None:
    """They leave their product's times alone, so that a sync does not see them; of all variants only theirs are sent."""
    project.summary()
    shop = project.sandbox.shop
    apart = next(each for each in products(project) if each["priceMode"] == "Standalone")
    sku = variants(apart)[0]["sku"]
    (germany,) = (each for each in shop.documents("standalone-prices") if each["sku"] == sku and "country" in each)
    stocked = next(each for each in shop.documents("inventory") if each["sku"] == variants(products(project)[0])[0]["sku"])
    shop.update("standalone-prices", germany["id"], {"value": {**germany["value"], "centAmount": 123}})
    shop.update("inventory", stocked["id"], {"availableQuantity": 0})

    synced = project.sync()
    reread = project.summary("--restart")

    assert synced["events"] == {}
    assert reread["events"] == {"Product Updated": 2}
    assert items(project)[sku, "en_US"]["price"]["EUR"] == 1.23
    assert items(project)[stocked["sku"], "de_DE"]["in_stock"] == 0
