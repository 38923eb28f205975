"""The Insider part of the admin API.

GET  /_sandbox/insider/applied?offset&limit     users as they were stored, one for each user of a request
GET  /_sandbox/insider/dropped?offset&limit     {"code", "name"} of what was thrown away behind a 200
GET  /_sandbox/insider/hooks                    the events that would have started journeys
GET  /_sandbox/insider/catalog?offset&limit     the catalogue's records
POST /_sandbox/insider/rules                    {"retention_days", "read_lag_seconds", "lost_answers"}
POST /_sandbox/insider/define                   {"attributes": [...], "events": {name: [params]}, "identifiers", "locales"}
POST /_sandbox/insider/clear                    forget all profiles, requests and records
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import msgspec

from cdi_cli.sandbox.http_server import Request
from cdi_cli.sandbox.insider.catalog import Catalogue
from cdi_cli.sandbox.insider.contacts import Contacts, Rules
from cdi_cli.sandbox.insider.panel import Panel

_SLICE_MAX = 10_000


class _Rules(msgspec.Struct):
    retention_days: dict[str, int] | None = None
    read_lag_seconds: float | None = None
    lost_answers: int | None = None


class _Definitions(msgspec.Struct):
    attributes: list[str] = []
    events: dict[str, list[str]] = {}
    identifiers: list[str] = []
    locales: list[str] = []


def routes(contacts: Contacts, catalogue: Catalogue) -> dict[tuple[str, str], Callable[[Request], Any]]:
    """What the admin API answers for Insider, by method and path."""
    return {
        ("GET", "insider/applied"): lambda request: [asdict(entry) for entry in _slice(request, contacts.applied)],
        ("GET", "insider/dropped"): lambda request: [asdict(entry) for entry in _slice(request, contacts.dropped)],
        ("GET", "insider/hooks"): lambda _request: contacts.hooks,
        ("GET", "insider/catalog"): lambda request: _slice(request, list(catalogue.items.values())),
        ("POST", "insider/rules"): lambda request: _rule(contacts.rules, request),
        ("POST", "insider/define"): lambda request: _define(contacts.panel, request),
        ("POST", "insider/clear"): lambda _request: _clear(contacts, catalogue),
    }


def _rule(rules: Rules, request: Request) -> dict[str, Any]:
    given = msgspec.json.decode(request.body or b"{}", type=_Rules)
    for name in ("retention_days", "read_lag_seconds", "lost_answers"):
        if (value := getattr(given, name)) is not None:
            setattr(rules, name, value)
    return asdict(rules)


def _define(panel: Panel, request: Request) -> dict[str, int]:
    given = msgspec.json.decode(request.body or b"{}", type=_Definitions)
    panel.attributes |= set(given.attributes)
    panel.identifiers |= set(given.identifiers)
    panel.locales |= set(given.locales)
    for name, params in given.events.items():
        panel.events.setdefault(name, set()).update(params)
    return {"attributes": len(panel.attributes), "events": len(panel.events)}


def _clear(contacts: Contacts, catalogue: Catalogue) -> dict[str, bool]:
    contacts.clear()
    catalogue.clear()
    return {"cleared": True}


def _slice(request: Request, entries: Sequence[Any]) -> Sequence[Any]:
    offset, limit = (_number(request.param(name), usual) for name, usual in (("offset", 0), ("limit", 1000)))
    return entries[offset : offset + min(limit, _SLICE_MAX)]


def _number(text: str | None, usual: int) -> int:
    return int(text) if text is not None and text.isdecimal() else usual
