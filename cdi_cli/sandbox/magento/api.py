"""The web API: addresses, store codes, permissions, and lists by `searchCriteria`.

/magento[/index.php]/rest[/{store code}]/V1/...    on premises and in the cloud
/magento/{tenant}/V1/...                           the Cloud Service: no `/rest/`, the store in a `Store` header
/magento/ims/token/v3                              its token service
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import msgspec

from cdi_cli.sandbox.http_server import Request, Response
from cdi_cli.sandbox.magento import single
from cdi_cli.sandbox.magento.auth import Gatekeeper
from cdi_cli.sandbox.magento.criteria import Criteria, criteria_of
from cdi_cli.sandbox.magento.projection import parse, project
from cdi_cli.sandbox.magento.replies import MagentoError, internal, no_route, page, page_too_large, unknown_store
from cdi_cli.sandbox.magento.rows import OrderRow
from cdi_cli.sandbox.magento.shop import Shop
from cdi_cli.sandbox.magento.stores import CODES, DEFAULT
from cdi_cli.sandbox.magento.table import Document, Found, Scope

_encode = msgspec.json.encode
_REST = re.compile(r"/magento(?:/index\.php)?/rest(?:/([^/]+))?/(V1/.+)")
_PAGE_SIZE_DEFAULT = 20
"""With the input limits on, for a list that names no page size."""


@dataclass(frozen=True, slots=True)
class List:
    """A list endpoint: the table it shows, and the ACL resource it needs."""

    table: str
    resource: str
    is_small: bool = False


LISTS = {
    "V1/orders": List("orders", "Magento_Sales::actions_view"),
    "V1/customers/search": List("customers", "Magento_Customer::customer"),
    "V1/products": List("products", "Magento_Catalog::products"),
    "V1/categories/list": List("categories", "Magento_Catalog::categories", is_small=True),
    "V1/creditmemos": List("creditmemos", "Magento_Sales::sales_creditmemo"),
    "V1/invoices": List("invoices", "Magento_Sales::sales_invoice"),
    "V1/shipments": List("shipments", "Magento_Sales::shipment"),
    "V1/carts/search": List("carts", "Magento_Cart::manage"),
    "V1/coupons/search": List("coupons", "Magento_SalesRule::quote", is_small=True),
    "V1/salesRules/search": List("rules", "Magento_SalesRule::quote", is_small=True),
    "V1/customerGroups/search": List("groups", "Magento_Customer::group", is_small=True),
    "V1/inventory/source-items": List("source-items", "Magento_InventoryApi::source"),
}


class MagentoApi:
    """Answers requests below `/magento/`."""

    def __init__(self, shop: Shop, gatekeeper: Gatekeeper) -> None:
        self._shop = shop
        self._gatekeeper = gatekeeper

    def handle(self, request: Request) -> Response:
        """The answer to a request; `request.path` still begins with `/magento`."""
        accepted = request.headers.get("accept", "*/*")
        if not any(kind in accepted for kind in ("*/*", "application/*", "application/json", "application/xml")):
            return page(500)
        try:
            return self._route(request)
        except MagentoError as error:
            return error.response()

    def _route(self, request: Request) -> Response:
        options = self._gatekeeper.options
        if request.path == "/magento/ims/token/v3" and request.method == "POST":
            return self._gatekeeper.ims_token(request)
        cloud = f"/magento/{options.tenant}/"
        if request.path.startswith(cloud):
            code, path, require = (
                request.headers.get("store"),
                request.path.removeprefix(cloud),
                self._gatekeeper.require_ims,
            )
        else:
            match = _REST.fullmatch(request.path)
            if match is None:
                raise no_route()
            code, path, require = match[1], match[2], self._gatekeeper.require
        scope = self._scope(request, code)
        if path == "V1/integration/admin/token" and request.method == "POST" and not request.path.startswith(cloud):
            return self._gatekeeper.admin_token(request)
        if request.method != "GET":
            raise no_route()
        listed = LISTS.get(path)
        if listed is not None:
            require(request, listed.resource)
            return self._list(request, listed, scope)
        endpoint = single.find(path)
        if endpoint is None:
            raise no_route()
        require(request, endpoint.resource)
        return _answer(request, endpoint.answer(self._shop, request, scope))

    def _scope(self, request: Request, code: str | None) -> Scope:
        if code is None:
            code = DEFAULT.code
        if code not in CODES:
            raise unknown_store()
        host = request.headers.get("host", "127.0.0.1")
        return Scope(CODES[code], f"http://{host}/", self._gatekeeper.options.old_core)

    def _list(self, request: Request, listed: List, scope: Scope) -> Response:
        options = self._gatekeeper.options
        criteria = criteria_of(request)
        size = criteria.page_size
        if options.input_limits:
            if size is None:
                size = _PAGE_SIZE_DEFAULT
            if size > options.page_size_max:
                raise page_too_large(options.page_size_max)
        found = self._find(listed, criteria, size, repeats_last_page=options.old_core)
        if any(isinstance(row, OrderRow) and row.is_poisoned for row in found.rows):
            raise internal()
        items = [row.document(scope) for row in found.rows]
        return _answer(request, {"items": items, "search_criteria": criteria.echo, "total_count": found.total})

    def _find(self, listed: List, criteria: Criteria, size: int | None, *, repeats_last_page: bool) -> Found:
        if listed.is_small:
            table = self._shop.small_table(listed.table)
            return table.find(criteria, page_size=size, repeats_last_page=repeats_last_page)
        return self._shop.find(listed.table, criteria, page_size=size, repeats_last_page=repeats_last_page)


def _answer(request: Request, body: object) -> Response:
    """The body, or what `fields` names of it: a list that is empty then becomes null."""
    text = request.param("fields")
    if text and isinstance(body, dict):
        projected: Document = project(body, parse(text))
        if projected.get("items") == []:
            projected["items"] = None
        body = projected
    return Response(200, _encode(body))
