"""GraphQL, as far as a cheap sweep over ids needs it: one root field, four arguments, scalar root fields.

    {customers(limit: 500, sort: ["id asc"], where: "id > \\"...\\""){results{id version}}}

Anything else is refused with HTTP 400 as invalid GraphQL, which is what the API answers since January 2026.
"""

from __future__ import annotations

import re

import msgspec

from cdi_cli.sandbox.commercetools import parameters
from cdi_cli.sandbox.commercetools.auth import TokenOffice
from cdi_cli.sandbox.commercetools.collection import Query
from cdi_cli.sandbox.commercetools.replies import ApiError, invalid_input
from cdi_cli.sandbox.commercetools.shop import Shop
from cdi_cli.sandbox.http_server import Request, Response

_KINDS = {"customers": "customers", "orders": "orders", "carts": "carts", "payments": "payments", "products": "products"}
_TEXT = r'"(?:[^"\\]|\\.)*"'
_ROOT = re.compile(
    r"\s*(?:query(?:\s+\w+)?\s*)?\{\s*(?P<kind>\w+)\s*"
    rf"(?:\((?P<arguments>(?:[^()\"]|{_TEXT})*)\))?\s*"
    r"\{\s*results\s*\{(?P<fields>[\w\s,]+)\}\s*\}\s*\}\s*"
)
_ARGUMENT = re.compile(rf"\s*(\w+)\s*:\s*(\d+|{_TEXT}|\[(?:\s*{_TEXT}\s*,?)*\])\s*,?")


class _Body(msgspec.Struct):
    query: str


def answer(request: Request, shop: Shop, office: TokenOffice) -> Response:
    """The answer to a `POST /graphql`."""
    try:
        text = msgspec.json.decode(request.body, type=_Body).query
    except msgspec.DecodeError as error:
        raise ApiError(400, "InvalidInput", "The request body is not a GraphQL request.") from error
    match = _ROOT.fullmatch(text)
    kind = _KINDS.get(match["kind"]) if match else None
    if match is None or kind is None:
        raise ApiError(400, "InvalidInput", "The sandbox answers only flat sweeps over one resource kind.")
    office.require(request, kind)
    query = _query(kind, _arguments(match["arguments"] or ""))
    fields = match["fields"].replace(",", " ").split()
    results = []
    for record in shop.query(kind, query).records:
        document = record.document()
        results.append({field: document.get(field) for field in fields})
    return Response(200, msgspec.json.encode({"data": {match["kind"]: {"results": results}}}))


def _arguments(text: str) -> dict[str, object]:
    found: dict[str, object] = {}
    position = 0
    while text[position:].strip():
        match = _ARGUMENT.match(text, position)
        if match is None:
            raise ApiError(400, "InvalidInput", f"Syntax error in the arguments near `{text[position : position + 20]}`.")
        found[match[1]] = msgspec.json.decode(match[2])
        position = match.end()
    return found


def _query(kind: str, arguments: dict[str, object]) -> Query:
    """The same limits and predicate rules as the REST endpoints have."""
    limit, offset = arguments.get("limit", parameters.LIMIT_DEFAULT), arguments.get("offset", 0)
    if not isinstance(limit, int) or limit > parameters.LIMIT_MAX:
        raise invalid_input("limit", f"The limit parameter must be in the range of [0..{parameters.LIMIT_MAX}]")
    if not isinstance(offset, int) or offset > parameters.OFFSET_MAX:
        raise invalid_input("offset", f"The offset parameter must be in the range of [0..{parameters.OFFSET_MAX}]")
    given = arguments.get("sort", [])
    texts = given if isinstance(given, list) else [given]
    sort = tuple(parameters.sort_key(str(text), kind) for text in texts)
    return Query(
        parameters.predicate_of([str(arguments["where"])] if "where" in arguments else [], {}, kind), sort, limit, offset
    )
