"""The Insider account as a simulated system: profiles, catalogue, APIs and rules of one sandbox."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import msgspec

from cdi_cli.sandbox.admin_tools import body_of, slice_of
from cdi_cli.sandbox.clock import SandboxClock
from cdi_cli.sandbox.http_server import Request, Response
from cdi_cli.sandbox.insider.api import InsiderApi, refused
from cdi_cli.sandbox.insider.catalog import Catalogue
from cdi_cli.sandbox.insider.contacts import Contacts
from cdi_cli.sandbox.options import SandboxOptions
from cdi_cli.sandbox.system import AdminRoute, SystemSpec

TOKEN_VARIABLE = "CDI_SANDBOX_INSIDER_TOKEN"  # noqa: S105 - a name, not a value
"""The environment variable that the settings text expects the user API's key in."""

CATALOG_TOKEN_VARIABLE = "CDI_SANDBOX_INSIDER_CATALOG_TOKEN"  # noqa: S105 - likewise
"""The environment variable that the settings text expects the catalogue API's key in."""


class _Rules(msgspec.Struct):
    retention_days: dict[str, int] | None = None
    read_lag_seconds: float | None = None
    lost_answers: int | None = None


class _Definitions(msgspec.Struct):
    attributes: list[str] = []
    events: dict[str, list[str]] = {}
    identifiers: list[str] = []
    locales: list[str] = []


class InsiderSystem:
    """One account; see `system.System`. `contacts` and `catalogue` are open to tests."""

    def __init__(self, options: SandboxOptions, clock: SandboxClock) -> None:
        self.contacts = Contacts(clock)
        self.catalogue = Catalogue(clock, self.contacts.panel)
        tokens = (options.insider_token, options.insider_catalog_token)
        self._api = InsiderApi(self.contacts, self.catalogue, options.insider_partner, *tokens)

    def handle(self, request: Request) -> Response:
        """The answer of the user API or of the catalogue API."""
        return self._api.handle(request)

    def failed(self, request: Request, status: int) -> Response:
        """A refusal in the words of the API that was asked."""
        return refused(status, request.path)

    def admin_routes(self) -> Mapping[tuple[str, str], AdminRoute]:
        """What was stored, thrown away and started, the catalogue, the account's rules and definitions, a fresh start."""
        contacts = self.contacts
        return {
            ("GET", "applied"): lambda request: [asdict(entry) for entry in _slice(request, contacts.applied)],
            ("GET", "dropped"): lambda request: [asdict(entry) for entry in _slice(request, contacts.dropped)],
            ("GET", "hooks"): lambda _request: contacts.hooks,
            ("GET", "catalog"): lambda request: _slice(request, list(self.catalogue.items.values())),
            ("POST", "rules"): self._rule,
            ("POST", "define"): self._define,
            ("POST", "clear"): self._clear,
        }

    def stats(self) -> dict[str, Any]:
        """Requests, and what became of users, events and products."""
        return {
            "requests": len(self.contacts.requests),
            "applied": len(self.contacts.applied),
            "profiles": len(self.contacts.profiles),
            "dropped": dict(Counter(entry.code for entry in self.contacts.dropped)),
            "catalog_requests": len(self.catalogue.requests),
            "catalog_items": len(self.catalogue.items),
        }

    def more_orders(self, _count: int) -> dict[str, int]:
        """Nothing: an account holds what it is sent."""
        return {}

    def _rule(self, request: Request) -> dict[str, Any]:
        given, rules = body_of(request, _Rules), self.contacts.rules
        for name in _Rules.__struct_fields__:
            if (value := getattr(given, name)) is not None:
                setattr(rules, name, value)
        return asdict(rules)

    def _define(self, request: Request) -> dict[str, int]:
        given, panel = body_of(request, _Definitions), self.contacts.panel
        panel.attributes |= set(given.attributes)
        panel.identifiers |= set(given.identifiers)
        panel.locales |= set(given.locales)
        for name, params in given.events.items():
            panel.events.setdefault(name, set()).update(params)
        return {"attributes": len(panel.attributes), "events": len(panel.events)}

    def _clear(self, _request: Request) -> dict[str, bool]:
        self.contacts.clear()
        self.catalogue.clear()
        return {"cleared": True}


def _slice(request: Request, entries: list[Any]) -> list[Any]:
    offset, limit = slice_of(request)
    return entries[offset : offset + limit]


def _settings(url: str, options: SandboxOptions) -> str:
    return f"""\
type: insider
partner_name: {options.insider_partner}
endpoint: {url}/insider
catalog_endpoint: {url}/insider
request_token: "${{{TOKEN_VARIABLE}}}"
catalog_token: "${{{CATALOG_TOKEN_VARIABLE}}}"
locales: [en_US, de_DE]
"""


SYSTEM = SystemSpec(
    name="insider",
    title="Insider",
    is_source=False,
    open=InsiderSystem,
    settings=_settings,
    environment=lambda options: {
        TOKEN_VARIABLE: options.insider_token,
        CATALOG_TOKEN_VARIABLE: options.insider_catalog_token,
    },
)
