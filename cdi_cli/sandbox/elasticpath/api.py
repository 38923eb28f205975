"""The API: `/elasticpath/oauth/access_token`, `/elasticpath/v2/...`, `/elasticpath/pcm/...`.

What is included comes in an object, keyed by kind. Everything but the token service wants a token of client credentials; one
of a shopper is refused, and a shopper's header narrows every list to that shopper, whom nobody knows here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from cdi_cli.sandbox.elasticpath.accounts import Account, Member
from cdi_cli.sandbox.elasticpath.auth import TokenOffice
from cdi_cli.sandbox.elasticpath.catalogue import Product, ProductPrice
from cdi_cli.sandbox.elasticpath.limits import Bucket
from cdi_cli.sandbox.elasticpath.lists import envelope, paging_of, query_of
from cdi_cli.sandbox.elasticpath.money import Document, currency_documents
from cdi_cli.sandbox.elasticpath.people import Customer
from cdi_cli.sandbox.elasticpath.replies import ApiError, no_route, not_found, too_long, unauthorised
from cdi_cli.sandbox.elasticpath.rows import OrderRow
from cdi_cli.sandbox.elasticpath.store import KINDS, Store
from cdi_cli.sandbox.elasticpath.table import Query, Row
from cdi_cli.sandbox.http_server import Request, Response

_encode = msgspec.json.encode
PREFIX = "/elasticpath/"
TARGET_BYTES_MAX = 8 * 1024
_LISTS = {
    "v2/orders": "orders", "v2/customers": "customers", "v2/accounts": "accounts", "v2/account-members": "account-members",
    "pcm/products": "products", "pcm/pricebooks": "pricebooks",
}  # fmt: skip
_SHOPPER_HEADERS = ("x-moltin-customer-token", "ep-account-management-authentication-token")
_ALL = Query((), "created_at", 0, 10**9)


class ElasticPathApi:
    """Answers requests below `/elasticpath/`."""

    def __init__(self, store: Store, office: TokenOffice, bucket: Bucket) -> None:
        self._store = store
        self._office = office
        self._bucket = bucket

    def handle(self, request: Request) -> Response:
        """The answer to a request; `request.path` still begins with `/elasticpath/`."""
        options = self._office.options
        try:
            if len(request.target) >= TARGET_BYTES_MAX:
                raise too_long()
            self._bucket.take(options.requests_per_second)
            path = request.path.removeprefix(PREFIX)
            if path == "oauth/access_token" and request.method == "POST":
                return self._office.token(request)
            if request.method != "GET" or path.split("/")[0] not in ("v2", "pcm"):
                raise no_route()
            self._office.require(request)
            return Response(200, _encode(self._route(request, path)))
        except ApiError as error:
            return error.response(is_object=error.status == 401 and options.error_object)

    def _route(self, request: Request, path: str) -> Document:
        if path in _LISTS:
            return self._list(request, _LISTS[path])
        if path == "v2/currencies":
            return {"data": currency_documents()}
        if path == "v2/carts":  # an application key sees no carts: they need a shopper's token
            raise unauthorised()
        parent, _, key = path.rpartition("/")
        if parent in _LISTS:
            return self._one(request, _LISTS[parent], key)
        found = _BELOW.get((parent.rpartition("/")[0], key))
        if found is None:
            return self._deep(path)
        kind, answer = found
        return answer(self, request, self._found(kind, parent.rpartition("/")[2]))

    def _deep(self, path: str) -> Document:
        match path.split("/"):
            case ["v2", "orders", order_id, "transactions", key]:
                row = self._found("orders", order_id)
                assert isinstance(row, OrderRow)
                found = next((each for each in row.transactions() if each["id"] == key), None)
                if found is None:
                    raise not_found("Transaction")
                return {"data": found}
            case ["v2", "files", key]:
                products = [row for row in self._store.rows("products") if isinstance(row, Product)]
                product = next((each for each in products if each.image_id == key), None)
                if product is None:
                    raise not_found("File")
                return {"data": product.file()}
            case ["v2", "carts", _key]:
                raise not_found("Cart")
        raise no_route()

    def _list(self, request: Request, name: str) -> Document:
        options, paging = self._office.options, paging_of(request)
        found = self._store.find(name, query_of(request, KINDS[name], options, paging))
        rows, total = found.rows, found.total
        if any(header in request.headers for header in _SHOPPER_HEADERS):
            rows, total = [], 0
        is_pcm = request.path.startswith(f"{PREFIX}pcm/")
        data = [row.document() for row in rows]
        body = envelope(data, total, paging, request, is_pcm=is_pcm, wrong_next=options.wrong_next)
        return body | self._included(request, rows)

    def _one(self, request: Request, name: str, key: str) -> Document:
        row = self._found(name, key)
        document = row.document()
        links = {"links": document["links"]} if document.get("links") else {}
        return {"data": document, **links, **self._included(request, [row])}

    def _found(self, name: str, key: str) -> Row:
        row = self._store.visible(name, key)
        if row is None:
            raise not_found(KINDS[name].noun)
        return row

    def _included(self, request: Request, rows: list[Row]) -> Document:
        """What `include` asks for, by kind."""
        wanted = [name.strip() for name in (request.param("include") or "").split(",")]
        included: Document = {}
        orders = [row for row in rows if isinstance(row, OrderRow)]
        products = [row for row in rows if isinstance(row, Product) and row.image_id]
        if "items" in wanted and (orders or not rows):
            included["items"] = [item for row in orders for item in row.items()]
        for name, plural in (("account", "accounts"), ("account_member", "account_members")):
            if name in wanted and orders:
                found = {each.id: each for row in orders if (each := getattr(row.whole().buyer, _BUYER[name])) is not None}
                included[plural] = [each.document() for each in found.values()]
        for name, plural in (("main_image", "main_images"), ("files", "files")):
            if name in wanted and products:
                included[plural] = [row.file() for row in products] if name == "main_image" else []
        return {"included": included} if included else {}

    def _items(self, _request: Request, row: Row) -> Document:
        assert isinstance(row, OrderRow)
        return {"data": row.items()}

    def _transactions(self, _request: Request, row: Row) -> Document:
        assert isinstance(row, OrderRow)
        return {"data": row.transactions()}

    def _addresses(self, _request: Request, row: Row) -> Document:
        assert isinstance(row, Customer)
        return {"data": row.addresses()}

    def _members_of(self, request: Request, row: Row) -> Document:
        assert isinstance(row, Account)
        members = [
            one for one in self._store.rows("account-members") if isinstance(one, Member) and row.id in one.account_ids
        ]
        memberships = [one for member in members for one in member.memberships() if _account_of(one) == row.id]
        return self._slice(request, memberships)

    def _accounts_of(self, request: Request, row: Row) -> Document:
        assert isinstance(row, Member)
        return self._slice(request, row.memberships())

    def _prices(self, request: Request, row: Row) -> Document:
        paging = paging_of(request)
        query = query_of(request, KINDS["prices"], self._office.options, paging)
        found = self._store.find("prices", Query(query.conditions, query.sort, 0, _ALL.limit))
        prices = [one.document() for one in found.rows if isinstance(one, ProductPrice) and one.book_id == row.id]
        start = query.offset
        data = prices[start : start + paging.limit]
        return envelope(data, len(prices), paging, request, is_pcm=True, wrong_next=False)

    def _slice(self, request: Request, documents: list[Document]) -> Document:
        paging = paging_of(request)
        data = documents[paging.offset : paging.offset + paging.limit]
        return envelope(data, len(documents), paging, request, is_pcm=False, wrong_next=False)


def _account_of(membership: Document) -> Any:
    return membership["relationships"]["account"]["data"]["id"]


_BUYER = {"account": "account", "account_member": "member"}
_Answer = Callable[[ElasticPathApi, Request, Row], Document]
_BELOW: dict[tuple[str, str], tuple[str, _Answer]] = {
    ("v2/orders", "items"): ("orders", ElasticPathApi._items),
    ("v2/orders", "transactions"): ("orders", ElasticPathApi._transactions),
    ("v2/customers", "addresses"): ("customers", ElasticPathApi._addresses),
    ("v2/accounts", "account-memberships"): ("accounts", ElasticPathApi._members_of),
    ("v2/account-members", "account-memberships"): ("account-members", ElasticPathApi._accounts_of),
    ("pcm/pricebooks", "prices"): ("pricebooks", ElasticPathApi._prices),
}
"""What lies below one record: (collection, last part of the path) -> its kind, and what answers."""
