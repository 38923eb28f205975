"""Answers that are not data: Magento's error bodies, word for word where they are known, and the pages of what is before it.

A message holds `%1` or `%name` for its parameters; clients substitute them.
"""

from __future__ import annotations

import secrets
from typing import Any

import msgspec

from cdi_cli.sandbox.http_server import Response

_encode = msgspec.json.encode
_HTML = "text/html; charset=UTF-8"


class MagentoError(Exception):
    """A request that is refused; becomes `{"message", "parameters"}`."""

    def __init__(self, status: int, message: str, parameters: list[Any] | dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.parameters = parameters

    def response(self) -> Response:
        """The body."""
        body: dict[str, Any] = {"message": self.message}
        if self.parameters is not None:
            body["parameters"] = self.parameters
        return Response(self.status, _encode(body))


def unauthorised(resource: str) -> MagentoError:
    """401, the one answer to an unknown or expired token, to bearer tokens that are switched off, and to a missing ACL."""
    return MagentoError(401, "The consumer isn't authorized to access %resources.", {"resources": resource})


def oauth_refused(message: str, *parameters: str, status: int = 401) -> MagentoError:
    """A refusal of an OAuth 1.0a request."""
    return MagentoError(status, message, list(parameters) or None)


def wrong_login() -> MagentoError:
    """401: an admin's name or password is wrong."""
    text = "The account sign-in was incorrect or your account is disabled temporarily. Please wait and try again later."
    return MagentoError(401, text)


def no_route() -> MagentoError:
    """404: a module that is not there, or a path that never was."""
    return MagentoError(404, "Request does not match any route.")


def no_entity() -> MagentoError:
    """404: a record that does not exist."""
    return MagentoError(404, "The entity that was requested doesn't exist. Verify the entity and try again.")


def unknown_store() -> MagentoError:
    """400: a store code that no store view has."""
    return MagentoError(400, "Specified request cannot be processed.")


def required(field: str) -> MagentoError:
    """400: a parameter is missing."""
    return MagentoError(400, '"%fieldName" is required. Enter and try again.', {"fieldName": field})


def wrong_type(value: str, kind: str) -> MagentoError:
    """400: a parameter of another type."""
    text = 'The "%value" value\'s type is invalid. The "%type" type was expected. Verify and try again.'
    return MagentoError(400, text, {"value": value, "type": kind})


def wrong_direction() -> MagentoError:
    """400: a sort direction that is neither."""
    text = "The sort order has to be specified as %1 for ascending order or %2 for descending order."
    return MagentoError(400, text, ["ASC", "DESC"])


def page_too_large(page_size_max: int) -> MagentoError:
    """400: the Web API input limits are on, and a page is larger than they allow."""
    return MagentoError(400, "Maximum SearchCriteria pageSize is %max", {"max": page_size_max})


def wrong_attribute(field: str) -> MagentoError:
    """400: an entity of the EAV kind has no such attribute."""
    return MagentoError(400, 'The "%1" attribute name is invalid. Reset the name and try again.', [field])


def internal() -> MagentoError:
    """500: an SQL error as well as a real fault; only the server's log tells."""
    report = f"webapi-{secrets.token_hex(7)}"
    return MagentoError(500, f"Internal Error. Details are available in Magento log file. Report ID: {report}")


_PAGES = {
    403: ("Attention Required! | Cloudflare", "Sorry, you have been blocked"),
    502: ("502 Bad Gateway", "502 Bad Gateway"),
    503: ("Service Temporarily Unavailable", "Service Temporarily Unavailable"),
    504: ("504 Gateway Time-out", "504 Gateway Time-out"),
}
"""Statuses that something other than the web API answers: a firewall, a proxy, the maintenance mode."""


def page(status: int) -> Response:
    """An HTML page; that of the maintenance mode has no `Retry-After`."""
    title, text = _PAGES.get(status, ("There has been an error processing your request", "Error"))
    body = f"<!doctype html>\n<html><head><title>{title}</title></head><body><h1>{text}</h1></body></html>"
    return Response(status, body.encode(), content_type=_HTML)


def scripted(status: int) -> Response:
    """What goes with a status when a fault names only the status."""
    if status in _PAGES:
        return page(status)
    if status == 401:
        return unauthorised("Magento_Sales::actions_view").response()
    if status == 404:
        return no_route().response()
    if status == 429:
        return MagentoError(429, "Too Many Requests").response()
    return internal().response() if status == 500 else MagentoError(status, f"Status {status}").response()
