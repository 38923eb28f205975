"""What routes of the admin API share: bodies, slices of listings, lists of lines, refusals."""

from __future__ import annotations

from typing import Any

import msgspec

from cdi_cli.sandbox.http_server import Request, Response

_LINES = "application/x-ndjson; charset=utf-8"
_SLICE_MAX = 10_000
_encode = msgspec.json.encode


class AdminError(ValueError):
    """A request makes no sense, the text says why: answered with 400."""


def body_of(request: Request, kind: Any) -> Any:
    """The decoded body, which must be of a type; raises AdminError."""
    try:
        return msgspec.json.decode(request.body or b"{}", type=kind)
    except msgspec.DecodeError as error:
        raise AdminError(f"the body is not what this route takes: {error}") from error


def changes_of(request: Request) -> list[dict[str, Any]]:
    """The changes of a `mutate` route, which takes one or a list; raises AdminError."""
    given = body_of(request, list[dict[str, Any]] | dict[str, Any])
    return given if isinstance(given, list) else [given]


def slice_of(request: Request) -> tuple[int, int]:
    """`offset` and `limit` of a listing, at most 10,000 entries at a time; raises AdminError."""
    texts = (request.param("offset") or "0", request.param("limit") or "1000")
    if not all(text.isdecimal() for text in texts):
        raise AdminError("`offset` and `limit` must be whole numbers")
    return int(texts[0]), min(int(texts[1]), _SLICE_MAX)


def lines(documents: list[dict[str, Any]]) -> Response:
    """A listing, one JSON document a line."""
    return Response(200, b"".join(_encode(document) + b"\n" for document in documents), content_type=_LINES)
