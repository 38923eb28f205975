"""The Unified Customer Database: profiles, their events, and what became of everything that was sent.

An event is appended as often as it arrives; nothing is ever recognised as a repeat. Behind a 200 are thrown away: events
older than they are kept, events, parameters, attributes and identifiers that the panel does not define. Each is recorded in
`dropped`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

from cdi_cli.sandbox.clock import SandboxClock
from cdi_cli.sandbox.insider.panel import ATTRIBUTES, PARAMS, Panel

RETENTION_DAYS = {"purchase": 730, "confirmation_page_view": 730, "sign_up_confirmation": 365}
RETENTION_DAYS_OTHER = 90
_PRIORITY = ("uuid", "email", "phone_number")
_SHORT = {"em": "email", "pn": "phone_number"}
_READ_NAMES = {"gdpr_optin": "gdpr"}


@dataclass(slots=True)
class Profile:
    """One person: identifiers by name (custom ones as `c_name`), attributes as they are read, events in order of arrival."""

    identifiers: dict[str, str] = field(default_factory=dict)
    attributes: dict[str, Any] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    is_processed: bool = True


@dataclass(frozen=True, slots=True)
class Applied:
    """One user of one request with what was stored of it: `events` or `attributes`, without what was thrown away."""

    request: int
    user: int
    identifiers: dict[str, Any]
    attributes: dict[str, Any]
    events: tuple[dict[str, Any], ...]
    skip_hook: bool


@dataclass(frozen=True, slots=True)
class Dropped:
    """Something that was answered 200 and thrown away: `code` says why, `name` what."""

    code: str
    name: str


@dataclass(slots=True)
class InsiderRequest:
    """One upsert that was carried out."""

    users: int
    body_bytes: int
    failed: int
    skip_hook: bool


@dataclass(slots=True)
class Rules:
    """How the account behaves: `retention_days` by event, `read_lag_seconds` until something can be read back.

    `lost_answers`: how many of the next upserts are carried out and then answered 504. `block_list`: values of identifiers
    with which a user is refused.
    """

    retention_days: dict[str, int] = field(default_factory=dict)
    read_lag_seconds: float = 0.0
    lost_answers: int = 0
    block_list: set[str] = field(default_factory=set)


class Contacts:
    """Everything that an account received; read it from any thread."""

    def __init__(self, clock: SandboxClock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self.panel = Panel()
        self.rules = Rules()
        self.clear()

    def clear(self) -> None:
        """Forget all profiles and everything received; the panel and the rules stay."""
        self._index: dict[tuple[str, str], Profile] = {}
        self.profiles: list[Profile] = []
        self.applied: list[Applied] = []
        self.dropped: list[Dropped] = []
        self.requests: list[InsiderRequest] = []
        self.hooks: list[str] = []

    def receive(self, users: list[tuple[int, dict[str, Any]]], request: InsiderRequest) -> None:
        """Store the good users of one request, by their place in it."""
        with self._lock:
            self.requests.append(request)
            for number, user in users:
                self._store(number, user, request)

    def find(self, identifiers: Any) -> Profile | None:
        """The profile that one of these identifiers belongs to, the strongest first."""
        return next((self._index[key] for key in self._keys(identifiers) if key in self._index), None)

    def remove(self, profile: Profile) -> None:
        """Forget a person."""
        self.profiles.remove(profile)
        self._index = {key: each for key, each in self._index.items() if each is not profile}

    def rename(self, name: str, old: str, new: str | None) -> None:
        """Change an identifier, or take it away."""
        profile = self._index.pop((name, old))
        del profile.identifiers[name]
        if new is not None:
            profile.identifiers[name] = new
            self._index[name, new] = profile

    def visible(self, profile: Profile) -> list[dict[str, Any]]:
        """The events of a person that can be read back already."""
        horizon = self._clock.seconds() - self.rules.read_lag_seconds
        return [event for event in profile.events if event["stored_at"] <= horizon]

    def _keys(self, identifiers: Any) -> list[tuple[str, str]]:
        if not isinstance(identifiers, dict):
            return []
        named = {_SHORT.get(name, name): value for name, value in identifiers.items() if name != "custom"}
        found = [(name, named[name]) for name in _PRIORITY if isinstance(named.get(name), str)]
        custom = identifiers.get("custom")
        for name, value in custom.items() if isinstance(custom, dict) else ():
            if self.panel.has_identifier(name):
                found.append((f"c_{name}", str(value)))
            else:
                self.dropped.append(Dropped("undefined_identifier", name))
        return found

    def _store(self, number: int, user: dict[str, Any], request: InsiderRequest) -> None:
        keys = self._keys(user.get("identifiers"))
        if not keys:
            self.dropped.append(Dropped("no_identifier", ""))
            return
        profile = next((self._index[key] for key in keys if key in self._index), None)
        if profile is None:
            profile = Profile()
            self.profiles.append(profile)
        if not profile.is_processed:
            self.dropped.append(Dropped("gdpr", ""))
            return
        for name, value in keys:  # an upsert never changes an identifier that is there
            if name not in profile.identifiers and (name, value) not in self._index:
                profile.identifiers[name] = value
                self._index[name, value] = profile
        attributes = self._attributes(user.get("attributes") or {})
        appends = bool(user["append"]) if "append" in user else not user.get("not_append", False)
        for name, value in attributes.items():
            read_name = _READ_NAMES.get(name, name)
            own = profile.attributes.get(read_name)
            is_appended = appends and isinstance(own, list) and isinstance(value, list)
            profile.attributes[read_name] = own + value if is_appended else value
        profile.is_processed = attributes.get("gdpr_optin") is not False
        kept = tuple(event for event in map(self._event, user.get("events") or []) if event is not None)
        for event in kept:
            profile.events.append({**event, "stored_at": self._clock.seconds()})
        if kept or attributes:
            self.applied.append(
                Applied(len(self.requests), number, user["identifiers"], attributes, kept, request.skip_hook)
            )
        if not request.skip_hook:
            self.hooks += [event["event_name"] for event in kept] + (["attributes"] if attributes else [])

    def _attributes(self, attributes: dict[str, Any]) -> dict[str, Any]:
        kept: dict[str, Any] = {}
        for name, value in attributes.items():
            if name == "custom":
                kept |= self._customs(value, self.panel.has_attribute, "undefined_attribute")
            elif name in ATTRIBUTES:
                kept[name] = value
            else:
                self.dropped.append(Dropped("mismapped_attribute", name))
        return kept

    def _event(self, event: dict[str, Any]) -> dict[str, Any] | None:
        name, at = event["event_name"], datetime.fromisoformat(event["timestamp"])
        if not self.panel.has_event(name):
            self.dropped.append(Dropped("undefined_event", name))
            return None
        days = self.rules.retention_days.get(name, RETENTION_DAYS.get(name, RETENTION_DAYS_OTHER))
        if (self._clock.now() - at.astimezone(UTC)).total_seconds() > days * 86_400:
            self.dropped.append(Dropped("ttl", name))
            return None
        kept: dict[str, Any] = {}
        for param, value in (event.get("event_params") or {}).items():
            if param == "custom":
                kept |= self._customs(value, partial(self.panel.has_param, name), "undefined_param")
            elif param in PARAMS:
                kept[param] = value
            else:
                self.dropped.append(Dropped("mismapped_param", param))
        return {"event_name": name, "timestamp": event["timestamp"], "event_params": kept}

    def _customs(self, values: Any, is_defined: Callable[[str], bool], code: str) -> dict[str, Any]:
        if not isinstance(values, dict):
            self.dropped.append(Dropped(code, "custom"))
            return {}
        self.dropped += [Dropped(code, name) for name in values if not is_defined(name)]
        return {f"c_{name}": value for name, value in values.items() if is_defined(name)}
