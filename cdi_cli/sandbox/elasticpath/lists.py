"""Lists: filter, sort, pages of at most a hundred, a wall at the ten thousandth record, `links` that are not to be trusted.

`meta.page` and `meta.results.total` are right; `links.next` of products is missing on the page before the last, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from cdi_cli.sandbox.elasticpath.filters import parse
from cdi_cli.sandbox.elasticpath.money import Document
from cdi_cli.sandbox.elasticpath.options import ElasticPathOptions
from cdi_cli.sandbox.elasticpath.replies import bad_request
from cdi_cli.sandbox.elasticpath.table import Kind, Query
from cdi_cli.sandbox.http_server import Request

_OLD_FILTERS_HEADER = "ep-disable-beta-filtering"
LIMIT_DEFAULT, LIMIT_MAX, OFFSET_WALL = 25, 100, 10_000


@dataclass(frozen=True, slots=True)
class Paging:
    """The part of a list that was asked for."""

    limit: int
    offset: int


def paging_of(request: Request) -> Paging:
    """The page that a request asks for, the limit cut to a hundred; raises the 400."""
    limit, offset = (_whole(request, name, default) for name, default in (("limit", LIMIT_DEFAULT), ("offset", 0)))
    if limit < 1:
        raise bad_request("page[limit] must be at least 1")
    if offset >= OFFSET_WALL:
        raise bad_request(f"page[offset] must be less than {OFFSET_WALL}")
    return Paging(min(limit, LIMIT_MAX), offset)


def _whole(request: Request, name: str, default: int) -> int:
    text = request.param(f"page[{name}]")
    if text is None:
        return default
    if not text.isdecimal():
        raise bad_request(f"page[{name}] must be a whole number")
    return int(text)


def query_of(request: Request, kind: Kind, options: ElasticPathOptions, paging: Paging) -> Query:
    """What a request asks of a kind, as far as the switches let it; raises the 400."""
    text = request.param("filter")
    has_new_parser = options.new_filters and request.headers.get(_OLD_FILTERS_HEADER, "").lower() != "true"
    conditions = parse(text, kind.grammar, has_new_parser=has_new_parser) if text is not None else []
    sort = request.param("sort") if kind.sorts and options.sorts else None
    if sort is not None and sort.removeprefix("-") not in kind.sorts:
        raise bad_request(f"Sorting by {sort} is not supported")
    return Query(tuple(conditions), sort or kind.order, paging.offset if options.pages else 0, paging.limit)


def envelope(
    data: list[Document], total: int, paging: Paging, request: Request, *, is_pcm: bool, wrong_next: bool
) -> Document:
    """The body of a list."""
    pages = max(-(-total // paging.limit), 1)
    current = paging.offset // paging.limit + 1
    meta = {
        "page": {"limit": paging.limit, "offset": paging.offset, "current": current, "total": pages},
        "results": {"total": total},
    }
    links: Document = {
        "current": _link(request, paging.limit, paging.offset),
        "first": _link(request, paging.limit, 0),
        "last": _link(request, paging.limit, (pages - 1) * paging.limit) if pages > 1 or is_pcm else None,
        "prev": _link(request, paging.limit, max(0, paging.offset - paging.limit)) if paging.offset else None,
    }
    if current < pages:
        links["next"] = _link(request, paging.limit, paging.offset + paging.limit)
        if is_pcm and wrong_next and current == pages - 1:
            del links["next"]
    elif not is_pcm:
        links["next"] = None
    return {"data": data, "meta": meta, "links": links}


def _link(request: Request, limit: int, offset: int) -> str:
    host = request.headers.get("host", "127.0.0.1")
    given = [(name, value) for name, value in request.params if not name.startswith("page[")]
    pairs = [("page[offset]", str(offset)), ("page[limit]", str(limit)), *given]
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in pairs)
    return f"http://{host}{request.path}?{query}"
