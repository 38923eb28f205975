"""Endpoints that are no lists: one record by its id, the stores, options of attributes, stock of a SKU."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cdi_cli.sandbox.http_server import Request
from cdi_cli.sandbox.magento.products import OPTIONS, Product
from cdi_cli.sandbox.magento.replies import internal, no_entity
from cdi_cli.sandbox.magento.rows import OrderRow
from cdi_cli.sandbox.magento.shop import Shop
from cdi_cli.sandbox.magento.stock import StockRow
from cdi_cli.sandbox.magento.stores import store_configs, store_views, websites
from cdi_cli.sandbox.magento.table import Document, Scope

Answer = Callable[[Shop, Request, Scope], Any]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What answers a path, and the ACL resource that it needs."""

    resource: str
    answer: Answer


def find(path: str) -> Endpoint | None:
    """The endpoint of a path (`V1/orders/12`); None if there is none."""
    for pattern, resource, make in _ENDPOINTS:
        match = re.fullmatch(pattern, path)
        if match is not None:
            return Endpoint(resource, make(*match.groups()))
    return None


def _record(kind: str) -> Callable[[str], Answer]:
    def make(key: str) -> Answer:
        def answer(shop: Shop, _request: Request, scope: Scope) -> Document:
            row = next((row for row in shop.rows(kind) if row.id == int(key)), None)
            if row is None:
                raise no_entity()
            if isinstance(row, OrderRow) and row.is_poisoned:
                raise internal()
            return row.document(scope)

        return answer

    return make


def _product(sku: str) -> Answer:
    def answer(shop: Shop, _request: Request, scope: Scope) -> Document:
        product = next((row for row in shop.rows("products") if isinstance(row, Product) and row.sku == sku), None)
        if product is None:
            raise no_entity()
        document = product.document(scope)
        stock = {"item_id": product.id, "product_id": product.id, "stock_id": 1, **_stock(shop, sku)}
        document["extension_attributes"]["stock_item"] = stock
        return document

    return answer


def _stock(shop: Shop, sku: str) -> Document:
    quantity = sum(row.quantity for row in shop.rows("source-items") if isinstance(row, StockRow) and row.sku == sku)
    return {"qty": quantity, "is_in_stock": quantity > 0, "manage_stock": True, "min_qty": 0, "backorders": 0}


def _stock_status(sku: str) -> Answer:
    def answer(shop: Shop, _request: Request, _scope: Scope) -> Document:
        stock = _stock(shop, sku)
        product = next((row for row in shop.rows("products") if isinstance(row, Product) and row.sku == sku), None)
        if product is None:
            raise no_entity()
        status = int(stock["is_in_stock"])
        known = {"product_id": product.id, "stock_id": 1, "qty": stock["qty"], "stock_status": status}
        return {**known, "stock_item": {"item_id": product.id, "product_id": product.id, "stock_id": 1, **stock}}

    return answer


def _low_stock() -> Answer:
    def answer(shop: Shop, request: Request, _scope: Scope) -> Document:
        most = float(request.param("qty") or 0)
        rows = [row for row in shop.rows("source-items") if isinstance(row, StockRow) and row.quantity <= most]
        items = [{"item_id": row.id, "product_id": row.id, "stock_id": 1, "qty": row.quantity} for row in rows]
        return {"items": items, "search_criteria": {"mapper_interface_name": ""}, "total_count": len(items)}

    return answer


def _options(code: str) -> Answer:
    def answer(_shop: Shop, _request: Request, _scope: Scope) -> list[Document]:
        if code not in OPTIONS:
            raise no_entity()
        return [{"label": " ", "value": ""}, *({"label": name, "value": str(key)} for name, key in OPTIONS[code].items())]

    return answer


def _tree() -> Answer:
    def answer(shop: Shop, _request: Request, _scope: Scope) -> Document:
        def branch(category: Document) -> Document:
            kept = ("id", "parent_id", "name", "is_active", "position", "level")
            below = [branch(each) for each in shop.categories if each["parent_id"] == category["id"]]
            return {
                **{name: category[name] for name in kept if name in category},
                "product_count": 0,
                "children_data": below,
            }

        return branch(shop.categories[1])

    return answer


_STORE = "Magento_Backend::store"
_ENDPOINTS: tuple[tuple[str, str, Callable[..., Answer]], ...] = (
    (r"V1/store/storeConfigs", _STORE, lambda: lambda _shop, _request, scope: store_configs(scope.base_url)),
    (r"V1/store/storeViews", _STORE, lambda: lambda _shop, _request, _scope: store_views()),
    (r"V1/store/websites", _STORE, lambda: lambda _shop, _request, _scope: websites()),
    (r"V1/orders/(\d+)", "Magento_Sales::actions_view", _record("orders")),
    (r"V1/creditmemo/(\d+)", "Magento_Sales::sales_creditmemo", _record("creditmemos")),
    (r"V1/invoices/(\d+)", "Magento_Sales::sales_invoice", _record("invoices")),
    (r"V1/shipment/(\d+)", "Magento_Sales::shipment", _record("shipments")),
    (r"V1/customers/(\d+)", "Magento_Customer::customer", _record("customers")),
    (r"V1/carts/(\d+)", "Magento_Cart::manage", _record("carts")),
    (r"V1/categories", "Magento_Catalog::categories", _tree),
    (r"V1/products/attributes/([a-z_]+)/options", "Magento_Catalog::attributes_attributes", _options),
    (r"V1/stockStatuses/(.+)", "Magento_CatalogInventory::cataloginventory", _stock_status),
    (r"V1/stockItems/lowStock/?", "Magento_CatalogInventory::cataloginventory", _low_stock),
    (r"V1/products/(.+)", "Magento_Catalog::products", _product),
)
