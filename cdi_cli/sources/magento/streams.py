"""What the source offers, and how each stream is asked for (sheet "magento", sections 1 and 2.5)."""

from __future__ import annotations

from dataclasses import dataclass

from cdi_cli.sources._base import Stream

STREAMS = (
    Stream(
        "customers",
        "customer",
        scope="Magento_Customer::customer",
        by_reconcile=True,
        description="customer accounts as profiles, with the newsletter consent of their own store view",
    ),
    Stream(
        "orders",
        "order",
        scope="Magento_Sales::actions_view",
        description="orders with their credit memos and shipments; an edited order stays one order",
    ),
    Stream(
        "creditmemos",
        "order",
        scope="Magento_Sales::sales_creditmemo",
        description="changed credit memos, read as the orders whose money went back",
    ),
    Stream("carts", "cart", scope="Magento_Cart::manage", description="carts that reached checkout"),
    Stream(
        "products",
        "product",
        is_default=False,
        scope="Magento_Catalog::products",
        by_reconcile=True,
        description="the catalogue: texts and prices of all store views, special prices, categories, stock",
    ),
)
"""In the order of reading. The scope is the ACL resource, which a missing permission's 401 names."""


@dataclass(frozen=True, slots=True)
class Listing:
    """How a list is asked for: its path, the field that filters and sorts by id, and the one that holds it.

    `store_field`: the field that tells a record's store view or website, where records can be filtered by one.
    """

    path: str
    scope: str
    id_field: str = "entity_id"
    record_id: str = "entity_id"
    store_field: str | None = None


LISTINGS: dict[str, Listing] = {
    "customers": Listing("/customers/search", "Magento_Customer::customer", record_id="id", store_field="website_id"),
    "orders": Listing("/orders", "Magento_Sales::actions_view", store_field="store_id"),
    "creditmemos": Listing("/creditmemos", "Magento_Sales::sales_creditmemo", store_field="store_id"),
    "carts": Listing("/carts/search", "Magento_Cart::manage", record_id="id", store_field="store_id"),
    "products": Listing("/products", "Magento_Catalog::products", record_id="id"),
    "invoices": Listing("/invoices", "Magento_Sales::sales_invoice"),
    "shipments": Listing("/shipments", "Magento_Sales::shipment"),
    "customer_groups": Listing("/customerGroups/search", "Magento_Customer::group", id_field="id", record_id="id"),
    "categories": Listing("/categories/list", "Magento_Catalog::categories", record_id="id"),
}
"""The streams, and the lists that are only looked up."""

SCOPED_STREAMS = frozenset({"customers", "products"})
"""Streams whose records differ by the store view that they are asked for under."""
