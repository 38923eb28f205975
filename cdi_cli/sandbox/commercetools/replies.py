"""Answers of the commercetools API that are not data: its error bodies, word for word where they are known.

Texts were taken from the API reference's examples and from answers that users of the API published.
"""

from __future__ import annotations

import msgspec

from cdi_cli.sandbox.http_server import Response

_encode = msgspec.json.encode


class ApiError(Exception):
    """A request the API refuses; becomes the error envelope `{"statusCode", "message", "errors": [...]}`."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message

    def response(self) -> Response:
        """The envelope; errors of the OAuth kind repeat their code as `error`."""
        body: dict[str, object] = {
            "statusCode": self.status,
            "message": self.message,
            "errors": [{"code": self.code, "message": self.message}],
        }
        if self.code.islower():
            body["error"] = self.code
        return Response(self.status, _encode(body))


def invalid_input(parameter: str, problem: str) -> ApiError:
    """400: a parameter that cannot be read."""
    return ApiError(400, "InvalidInput", f"Malformed parameter: {parameter}: {problem}")


def invalid_token() -> ApiError:
    """401: the access token is missing, unknown, expired or revoked."""
    return ApiError(401, "invalid_token", "invalid_token")


def invalid_client() -> ApiError:
    """401 of the token endpoint: unknown client or wrong secret."""
    return ApiError(401, "invalid_client", "Please provide valid client credentials using HTTP Basic Authentication.")


def insufficient_scope(missing: tuple[str, ...]) -> ApiError:
    """403: the token is fine but lacks all of the scopes that would do."""
    names = ", ".join(missing)
    return ApiError(403, "insufficient_scope", f"Insufficient scope. One of the following scopes is missing: {names}.")


def not_found(path: str) -> ApiError:
    """404: no such project, resource kind or endpoint."""
    return ApiError(404, "ResourceNotFound", f"URI not found: {path}")


def resource_not_found(record_id: str) -> ApiError:
    """404: a record that does not exist."""
    return ApiError(404, "ResourceNotFound", f"The Resource with ID '{record_id}' was not found.")


_CODES = {
    400: ("InvalidInput", "The request is invalid."),
    401: ("invalid_token", "invalid_token"),
    403: ("insufficient_scope", "Insufficient scope. One of the following scopes is missing: manage_project."),
    404: ("ResourceNotFound", "The requested resource was not found."),
    413: ("ContentTooLarge", "The response is too large. Reduce the limit."),
    429: ("RateLimitExceeded", "Too many requests."),
    500: ("General", "Oops, an error occurred!"),
    502: ("BadGateway", "The server encountered a temporary error."),
    503: ("OverCapacity", "The service is having trouble handling the load."),
    504: ("GatewayTimeout", "The request timed out."),
}


def scripted(status: int) -> Response:
    """The body that goes with a status when a fault names only the status."""
    code, message = _CODES.get(status, ("General", f"Status {status}"))
    return ApiError(status, code, message).response()
