"""The product catalogue from Magento to Insider: all that is on sale is taken, variants by the page of their product."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import canary
import pytest
from cli_project import CliProject

from cdi_cli.clock import SYSTEM_CLOCK
from cdi_cli.sandbox import SandboxThread, cdi_yaml
from cdi_cli.sandbox.magento.products import Product
from cdi_cli.sandbox.magento.table import Scope
from cdi_cli.sandbox.system import spec_of

LOCALES = ("en_US", "de_DE")


class CatalogueProject(CliProject):
    """A project whose pipeline feeds the sandbox's catalogue from Magento."""

    def write_settings(self) -> None:
        """Write `cdi.yaml`, with Insider in the place of Segment."""
        options, insider = self.sandbox.options, spec_of("insider")
        self.environment |= insider.environment(options)
        text = cdi_yaml(self.sandbox.url, options).replace("destinations: [segment]", "destinations: [insider]")
        before, _, rest = text.partition("destinations:\n  segment:")
        lines = "".join(f"    {line}\n" for line in insider.settings(self.sandbox.url, options).splitlines())
        pipeline = rest.partition("pipelines:\n")[2].replace("    consent:", "    streams: [products]\n    consent:")
        self.settings.write_text(f"{before}destinations:\n  insider:\n{lines}pipelines:\n{pipeline}", encoding="utf-8")

    def products(self) -> list[Product]:
        """The shop's products."""
        return [row for row in self.sandbox.magento.shop.rows("products") if isinstance(row, Product)]

    def items(self) -> dict[tuple[str, str], dict[str, Any]]:
        """What Insider's catalogue holds."""
        return self.sandbox.insider_catalog.items


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CatalogueProject]:
    """A project after a backfill."""
    options = canary.options(sources=("magento",), now=SYSTEM_CLOCK.instant())
    with (
        SandboxThread(options) as sandbox,
        CatalogueProject(tmp_path_factory.mktemp("catalogue"), sandbox) as made,
    ):
        made.summary()
        yield made


def parents(project: CatalogueProject) -> dict[str, Product]:
    """Configurable products by the SKU of each of their variants."""
    found = [each for each in project.products() if each.type == "configurable"]
    return {child.sku: each for each in found for child in each.children}


def test_all_that_is_sold_is_taken_in_every_locale(project: CatalogueProject) -> None:
    """No dead letter; a configurable product and a group are no SKU of an order, so they are not there."""
    sold = {each.sku for each in project.products() if each.type not in ("configurable", "grouped")}

    assert set(parents(project)) < sold
    assert set(project.items()) == {(sku, locale) for sku in sold for locale in LOCALES}
    assert project.run("dlq", "list", "--json").json() == []


def test_a_variant_has_page_group_and_picture_of_its_product(project: CatalogueProject) -> None:
    """And its own name and price; others have their own page."""
    found = parents(project)
    for each in project.products():
        if each.type in ("configurable", "grouped"):
            continue
        item = project.items()[each.sku, "en_US"]
        page = found.get(each.sku, each)
        assert item["url"].endswith(f"/{page.url_key}.html")
        assert item["image_url"].endswith(f"/{page.url_key}.jpg")
        assert item.get("groupcode") == (page.sku if each.sku in found else None)
        assert item["name"] == each.name


def test_what_is_sold_under_its_sku_is_in_the_catalogue(project: CatalogueProject) -> None:
    """The SKUs of orders are those of the catalogue; a line of a bundle has a SKU that the shop makes for it."""
    orders = [row.document(Scope()) for row in project.sandbox.magento.shop.rows("orders")]
    lines = [line for order in orders for line in order["items"] if "parent_item_id" not in line]
    sold = {line["sku"] for line in lines if line["product_type"] != "bundle"}

    assert sold & set(parents(project))
    assert sold <= {sku for sku, _ in project.items()}


def test_a_product_is_previewed_and_shown_by_its_sku(project: CatalogueProject) -> None:
    """A variant by its own; of what is sold by its variants it is said that it makes no event."""
    sku, parent = next(iter(parents(project).items()))

    (seen,) = project.run("preview", "product", sku, "--json").json()
    (shown,) = project.run("ledger", "show", "product", sku, "--json").json()
    (whole,) = project.run("preview", "product", parent.sku, "--json").json()

    assert (seen["entity"]["sku"], seen["entity"]["group"]) == (sku, parent.sku)
    assert [line["state"] for line in seen["events"][0]["ledger"]] == ["sent"]
    assert [line["state"] for line in shown["lines"]] == ["sent"]
    assert (whole["events"], whole["notes"]) == ([], ["the record makes no event: sold_by_variant"])


def test_a_product_that_goes_off_sale_takes_its_variants_along(tmp_path: Path) -> None:
    """As soon as they are all read again; none of the others is touched."""
    options = canary.options(sources=("magento",), now=SYSTEM_CLOCK.instant())
    with SandboxThread(options) as sandbox, CatalogueProject(tmp_path, sandbox) as project:
        project.summary()
        parent = next(iter(parents(project).values()))
        sandbox.magento.mutate({"do": "product", "product": parent.id, "changes": {"status": 2}})
        run = project.run("sync", "--reconcile", "--json", "--rate", "100000")

        hidden = {child.sku for child in parent.children}
        assert run.json()["events"] == {"Product Updated": len(hidden)}
        assert {sku for (sku, _), item in project.items().items() if item.get("is_status_passive")} == hidden
