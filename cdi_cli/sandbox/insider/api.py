"""Insider's user API (`/api/user/...`) and catalogue API (`/v2/...`), below `/insider`.

Headers are checked first, with Insider's texts; the two APIs have a token each. The form of a profile that is read back is
not documented: `{"data": {"identifiers", "attributes", "events": [{"event_name", "timestamp", "event_params"}]}}` is ours.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec

from cdi_cli.sandbox.http_server import Request, Response
from cdi_cli.sandbox.insider import mistakes
from cdi_cli.sandbox.insider.catalog import CALLS, Catalogue
from cdi_cli.sandbox.insider.catalog import refused as refused_by_catalogue
from cdi_cli.sandbox.insider.contacts import Contacts, InsiderRequest, Profile

PREFIX = "/insider"
USERS_MAX = 1000
BODY_BYTES_MAX = 5_000_000
_TOO_BIG = "request body is bigger than maximum allowed size 5,000,000 bytes"
_NO_USER = "no such user for these identifiers: no data"


class _RefusalError(Exception):
    """The request is refused; `status` and the text are the answer."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class InsiderApi:
    """Answers requests below `/insider/`."""

    def __init__(self, contacts: Contacts, catalogue: Catalogue, partner: str, token: str, catalog_token: str) -> None:
        self._contacts = contacts
        self._catalogue = catalogue
        self._partner = partner
        self._tokens = (token, catalog_token)
        self._routes: dict[tuple[str, str], Callable[[Request], Any]] = {
            ("POST", "/api/user/v1/upsert"): self._upsert,
            ("POST", "/api/user/v1/profile"): self._profile,
            ("POST", "/api/user/v3/metadata/columns"): self._columns,
            ("POST", "/api/user/v1/attribute/delete"): self._delete_attributes,
            ("PATCH", "/api/user/v1/identity"): self._change_identity,
            ("DELETE", "/api/user/v1/identity"): self._remove_identity,
            ("POST", "/api/user/v1/delete"): self._delete,
            ("POST", "/api/user/v1/anonymize"): self._anonymise,
        }

    def handle(self, request: Request) -> Response:
        """The answer to a request; `request.path` still begins with `/insider`."""
        path = request.path.removeprefix(PREFIX)
        call = path.removeprefix("/v2/")
        is_catalogue = path.startswith("/v2/") and call in CALLS and request.method == "POST"
        route = self._routes.get((request.method, path))
        if route is None and not is_catalogue:
            return Response(404, b'{"error":"not found"}')
        if refusal := self._check_headers(request, is_catalogue=is_catalogue):
            return refusal
        if is_catalogue:
            return self._catalogue.handle(call, request.body)
        try:
            answer = route(request) if route is not None else {}
        except _RefusalError as error:
            return Response(error.status, msgspec.json.encode({"error": str(error)}))
        return answer if isinstance(answer, Response) else Response(200, msgspec.json.encode(answer))

    def _check_headers(self, request: Request, *, is_catalogue: bool) -> Response | None:
        if request.headers.get("x-partner-name") != self._partner:
            return refused_by_catalogue(400, "Partner is invalid.")
        if request.headers.get("x-request-token") != self._tokens[is_catalogue]:
            if is_catalogue:
                return refused_by_catalogue(401, "Partner token authentication is unsuccessful.")
            return refused(401)
        if request.headers.get("content-type", "").partition(";")[0] != "application/json":
            return Response(400, b'{"error":"content type must be application/json"}')
        return None

    def _upsert(self, request: Request) -> Response:
        if len(request.body) > BODY_BYTES_MAX:
            raise _RefusalError(_TOO_BIG)
        body = _decoded(request)
        users = body.get("users")
        if not isinstance(users, list) or not users:
            raise _RefusalError("users must be defined: bad request")
        if len(users) > USERS_MAX:
            raise _RefusalError(f"users must be at most {USERS_MAX}: bad request")
        errors: mistakes.Mistakes = {}
        good: list[tuple[int, dict[str, Any]]] = []
        for number, user in enumerate(users):
            found = mistakes.of_user(user, number, self._contacts.rules.block_list)
            errors |= found
            if not found:
                good.append((number, user))
        failed = len(users) - len(good)
        record = InsiderRequest(len(users), len(request.body), failed, body.get("skip_hook") is True)
        self._contacts.receive(good, record)
        if self._contacts.rules.lost_answers > 0:
            self._contacts.rules.lost_answers -= 1
            return Response(504, b"<html>504 Gateway Time-out</html>", content_type="text/html")
        successful = {"count": len(good)} if good else {}
        fail = {"count": failed, "errors": errors} if failed else {}
        return Response(200, msgspec.json.encode({"data": {"successful": successful, "fail": fail}}))

    def _profile(self, request: Request) -> dict[str, Any]:
        body = _decoded(request)
        attributes, events = body.get("attributes"), body.get("events")
        if not attributes and not events:
            raise _RefusalError("either attributes or events must be specified: bad request")
        profile = self._found(body)
        found: dict[str, Any] = {"identifiers": dict(profile.identifiers)}
        if attributes:
            names = profile.attributes if "*" in attributes else attributes
            found["attributes"] = {name: profile.attributes[name] for name in names if name in profile.attributes}
        if events:
            found["events"] = self._events(profile, events)
        return {"data": found} | ({"quota": {"used": 1, "limit": 1000}} if body.get("quota") is True else {})

    def _events(self, profile: Profile, wanted: Any) -> list[dict[str, Any]]:
        """The events asked for, of the span asked for; raises what Insider would for a question without them."""
        try:
            since, until = float(wanted["start_date"]), float(wanted["end_date"])
            params = {each["event_name"]: set(each["params"]) for each in wanted["wanted"]}
        except (KeyError, TypeError, ValueError):
            raise _RefusalError("start_date, end_date and wanted are required: bad request") from None
        return [
            {
                "event_name": event["event_name"],
                "timestamp": event["timestamp"],
                "event_params": {
                    name: value for name, value in event["event_params"].items() if name in params[event["event_name"]]
                },
            }
            for event in self._contacts.visible(profile)
            if event["event_name"] in params and since <= datetime.fromisoformat(event["timestamp"]).timestamp() <= until
        ]

    def _columns(self, request: Request) -> list[dict[str, Any]]:
        table = _decoded(request).get("table")
        if table not in ("contacts", "events"):
            raise _RefusalError("table is invalid: bad request")
        return self._contacts.panel.columns(table)

    def _delete_attributes(self, request: Request) -> dict[str, Any]:
        for user in _decoded(request).get("users") or []:
            profile = self._contacts.find(user.get("identifiers"))
            if profile is None:
                continue
            for part, prefix in ((user, ""), (user.get("custom") or {}, "c_")):
                for name in part.get("whole") or []:
                    profile.attributes.pop(f"{prefix}{name}", None)
                for name, values in (part.get("partial") or {}).items():
                    kept = profile.attributes.get(f"{prefix}{name}")
                    if isinstance(kept, list):
                        profile.attributes[f"{prefix}{name}"] = [each for each in kept if each not in values]
        return {}

    def _change_identity(self, request: Request) -> dict[str, Any]:
        body = _decoded(request)
        old, new = body.get("old_identifier") or {}, body.get("new_identifier") or {}
        if len(old) != 1 or len(new) != 1:
            raise _RefusalError("there must be exactly 1 entry for both new and old identifiers: bad request")
        if old == new:
            raise _RefusalError("identifier values are the same: bad request")
        if self._contacts.find(new) is not None:
            raise _RefusalError("new identifier already has a user assigned to it: bad request")
        self._found({"identifiers": old})
        ((name, value),), ((_, changed),) = old.items(), new.items()
        self._contacts.rename(name, value, changed)
        return {}

    def _remove_identity(self, request: Request) -> dict[str, Any]:
        identifiers = _decoded(request).get("identifiers") or {}
        profile = self._found({"identifiers": identifiers})
        if len(profile.identifiers) == 1:
            raise _RefusalError("you cannot delete the sole identifier specified for a user: bad request")
        ((name, value), *_) = identifiers.items()
        self._contacts.rename(name, value, None)
        return {}

    def _delete(self, request: Request) -> dict[str, Any]:
        self._contacts.remove(self._found(_decoded(request)))
        return {}

    def _anonymise(self, request: Request) -> dict[str, Any]:
        profile = self._found(_decoded(request))
        profile.attributes.clear()
        for name, value in list(profile.identifiers.items()):
            self._contacts.rename(name, value, None)
        return {}

    def _found(self, body: dict[str, Any]) -> Profile:
        profile = self._contacts.find(body.get("identifiers"))
        if profile is None:
            raise _RefusalError(_NO_USER, 404)
        return profile


def refused(status: int, path: str = "") -> Response:
    """What a scripted status answers, in the words of the API that `path` belongs to."""
    texts = {
        400: {"error": "users must be defined: bad request"},
        401: {"message": "Partner token authentication failed."},
        403: {"message": "Access Denied"},
        404: {"error": _NO_USER},
        429: {"error": "rejected: too many requests"},
    }
    if "/v2/" in path:
        return refused_by_catalogue(status, "Request data is not in valid JSON format." if status == 400 else "refused")
    return Response(status, msgspec.json.encode(texts.get(status, {"error": "internal error"})))


def _decoded(request: Request) -> dict[str, Any]:
    try:
        return msgspec.json.decode(request.body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _RefusalError("body is not valid JSON: bad request") from error
