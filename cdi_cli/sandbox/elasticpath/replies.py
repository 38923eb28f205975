"""Answers that are not data: `{"errors": [...]}`, whose `status` is a number here, a text there, and missing elsewhere."""

from __future__ import annotations

import uuid
from typing import Any

import msgspec

from cdi_cli.sandbox.http_server import Response

_encode = msgspec.json.encode
_TITLES = {
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    409: "Write conflict detected",
    414: "URI Too Long",
    422: "Unprocessable Entity",
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}


class ApiError(Exception):
    """A request that is refused; `fields` are those of the one entry of `errors`."""

    def __init__(self, code: int, /, **fields: Any) -> None:
        super().__init__(str(fields.get("title", code)))
        self.status = code
        self.fields = fields

    def response(self, *, is_object: bool = False) -> Response:
        """The body; `is_object`: as SPEC's own example of a 401 has it, without the list."""
        return Response(self.status, _encode({"errors": self.fields if is_object else [self.fields]}))


def unauthorised() -> ApiError:
    """401: no token, an unknown one, or one that has ended."""
    return ApiError(401, status=401, title="Unable to validate access token")


def wrong_client() -> ApiError:
    """401 of the token service."""
    return ApiError(401, status=401, title="Unauthorized", detail="Unable to authenticate the client")


def forbidden() -> ApiError:
    """403: a shopper's token asks for what only an application key may see."""
    return ApiError(403, status=403, title="Forbidden", detail="You do not have permission to access this resource")


def bad_filter() -> ApiError:
    """400, word for word the one answer to a field, an operator or an operand that the filter parser does not know."""
    return ApiError(400, title="Bad Request", detail="Could not parse the supplied filter")


def bad_request(detail: str) -> ApiError:
    """400 with a status that is a text."""
    return ApiError(400, status="400", title="Bad Request", detail=detail)


def not_found(noun: str) -> ApiError:
    """404: `Order not found`."""
    return ApiError(404, status="404", title="Not Found", detail=f"{noun} not found")


def no_route() -> ApiError:
    """404: a path that never was."""
    return ApiError(404, status=404, title="Not Found", detail="The requested resource could not be found")


def too_long() -> ApiError:
    """414: a request line of 8 KB or more."""
    return ApiError(414, status=414, title=_TITLES[414])


def too_many() -> ApiError:
    """429; nothing says when to come again."""
    return ApiError(429, status=429, title=_TITLES[429], detail="Rate limit exceeded")


def scripted(status: int) -> ApiError:
    """What goes with a status when a fault names only the status; a 500 carries the request's id."""
    if status == 401:
        return unauthorised()
    request_id = {"request_id": str(uuid.uuid4())} if status == 500 else {}
    return ApiError(status, status=status, title=_TITLES.get(status, f"Status {status}"), **request_id)
