"""The HTTP API of one project: paths, parameters and envelopes of the query endpoints.

GET|HEAD /{project}                                  the project
GET|HEAD /{project}[/in-store/key={store}]/{kind}    a page: limit, offset, sort, where, var.*, expand, withTotal
GET      /{project}[/in-store/key={store}]/{kind}/{id | key=... | order-number=...}
POST     /{project}/graphql                          id sweeps only, see `graphql`
"""

from __future__ import annotations

import re
import uuid

import msgspec

from cdi_cli.sandbox.commercetools import graphql
from cdi_cli.sandbox.commercetools.auth import TokenOffice
from cdi_cli.sandbox.commercetools.collection import Query, SortKey
from cdi_cli.sandbox.commercetools.expand import expanded, lookup_in
from cdi_cli.sandbox.commercetools.parameters import (
    LIMIT_DEFAULT,
    LIMIT_MAX,
    OFFSET_MAX,
    expansions,
    flag,
    number,
    predicate,
    sort_keys,
)
from cdi_cli.sandbox.commercetools.predicate_syntax import And, Compare, Nested, PredicateError
from cdi_cli.sandbox.commercetools.replies import (
    ApiError,
    invalid_input,
    not_found,
    resource_not_found,
    scripted,
)
from cdi_cli.sandbox.commercetools.shop import KINDS, Shop
from cdi_cli.sandbox.http_server import Request, Response

_IN_STORE = re.compile(r"in-store/key=([A-Za-z0-9_-]+)/(.+)")
_STORE_FIELD = {"orders": "store", "carts": "store", "customers": "stores"}


class CommercetoolsApi:
    """Answers requests below `/commercetools/`; every answer carries an `X-Correlation-ID`."""

    def __init__(self, shop: Shop, office: TokenOffice, project_key: str, *, page_bytes_max: int | None = None) -> None:
        self._shop = shop
        self._office = office
        self._project_key = project_key
        self._page_bytes_max = page_bytes_max

    def handle(self, request: Request) -> Response:
        """The answer to a request; `request.path` still begins with `/commercetools`."""
        path = request.path.removeprefix("/commercetools")
        try:
            response = self._route(request, path)
        except ApiError as error:
            response = error.response()
        except PredicateError as error:
            response = invalid_input("where", str(error)).response()
        correlation = request.headers.get("x-correlation-id") or f"{self._project_key}/{uuid.uuid4()}"
        response.headers["X-Correlation-ID"] = correlation
        return response

    def _route(self, request: Request, path: str) -> Response:
        if path == "/auth/oauth/token" and request.method == "POST":
            return self._office.token(request)
        if path == "/auth/oauth/introspect" and request.method == "POST":
            return self._office.introspect(request)
        project, _, rest = path.removeprefix("/api/").partition("/")
        if not path.startswith("/api/") or project != self._project_key:
            raise not_found(path)
        if rest == "graphql" and request.method == "POST":
            return graphql.answer(request, self._shop, self._office)
        if request.method not in ("GET", "HEAD"):
            raise ApiError(405, "MethodNotAllowed", f"{request.method} is not allowed on this endpoint.")
        if rest == "":
            self._office.require(request, "project")
            return Response(200, msgspec.json.encode(self._shop.project))
        in_store = _IN_STORE.fullmatch(rest)
        store_key, rest = (in_store[1], in_store[2]) if in_store else (None, rest)
        kind, _, name = rest.partition("/")
        if kind not in KINDS or (store_key is not None and kind not in _STORE_FIELD):
            raise not_found(path)
        self._office.require(request, kind, store_key)
        return self._one(request, kind, name) if name else self._page(request, kind, store_key)

    def _page(self, request: Request, kind: str, store_key: str | None) -> Response:
        where = predicate(request, kind)
        if store_key is not None:
            in_store = Nested(_STORE_FIELD[kind], Compare("key", "=", store_key))
            where = in_store if where is None else And((in_store, where))
        staged = flag(request, "staged", default=False)
        if request.method == "HEAD":
            return Response(200 if self._shop.any(kind, where, staged=staged) else 404)
        query = Query(
            where=where,
            sort=sort_keys(request, kind),
            limit=number(request, "limit", LIMIT_DEFAULT, LIMIT_MAX),
            offset=number(request, "offset", 0, OFFSET_MAX),
            with_total=flag(request, "withTotal", default=True),
        )
        paths = expansions(request)
        rows = self._shop.query(kind, query, staged=staged)
        head = f'{{"limit":{query.limit},"offset":{query.offset},"count":{len(rows.records)},'
        if rows.total is not None:
            head += f'"total":{rows.total},'
        find = lookup_in(self._shop)
        bodies = [expanded(record, paths, find) for record in rows.records] if paths else [r.body for r in rows.records]
        body = b"".join((head.encode(), b'"results":[', b",".join(bodies), b"]}"))
        if self._page_bytes_max is not None and len(body) > self._page_bytes_max:
            return scripted(413)
        return Response(200, body)

    def _one(self, request: Request, kind: str, name: str) -> Response:
        field, is_named, value = name.partition("=")
        staged = flag(request, "staged", default=False)
        if is_named and field in ("key", "order-number"):
            condition = Compare("key" if field == "key" else "orderNumber", "=", value)
            rows = self._shop.query(kind, Query(condition, (SortKey(("id",)),), 1, with_total=False), staged=staged)
            record = rows.records[0] if rows.records else None
        else:
            record = self._shop.get(kind, name, staged=staged)
        if record is None:
            raise resource_not_found(name)
        return Response(200, expanded(record, expansions(request), lookup_in(self._shop)))
