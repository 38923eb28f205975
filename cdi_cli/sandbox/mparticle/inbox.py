"""What became of every batch: applied, dropped with a code, or recognised as a repeat; all behind the same 202.

Repeats are found by `source_request_id` for 30 days on the sandbox clock, per API key (one key here). A repeat with other
content is dropped like any other, under the code `changed_content`, since it is a loss. Codes are ours, mParticle has none.

| code | what was wrong |
|---|---|
| schema_violation | the batch breaks the vendor's schema |
| changed_content | a `source_request_id` used again for other content |
| historical_no_events, historical_no_timestamp, historical_too_young | the rules of the historical endpoint |
| too_many_batches, too_many_events | beyond 100 in one request |
| too_many_names | a new event or screen name after 1,000 |
| batch_too_large | over 128 KB |
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from typing import Any

import msgspec

from cdi_cli.sandbox.clock import SandboxClock
from cdi_cli.sandbox.mparticle.limits import RateLimiter
from cdi_cli.sandbox.mparticle.shapes import problems

DEDUPE_SECONDS = 30 * 86_400.0
HISTORICAL_AGE_MIN = timedelta(hours=72)
BATCHES_MAX = 100
NAMES_MAX = 1_000
BATCH_BYTES_MAX = 128_000
NAME_CHARACTERS_MAX = 256
VALUE_CHARACTERS_MAX = 4_096
ATTRIBUTES_MAX = 100
_IDENTITY_ORDER = ("customer_id", "email", "mobile_number", "other", "other_id_2")


@dataclass(frozen=True, slots=True)
class Applied:
    """A batch that took effect: as stored, and whether event outputs got it."""

    batch: dict[str, Any]
    is_historical: bool
    is_forwarded: bool


@dataclass(frozen=True, slots=True)
class Dropped:
    """A batch that was answered 202 and then thrown away, as it was sent; `detail` says more for a violation."""

    code: str
    batch: Any
    detail: str = ""


@dataclass(slots=True)
class MparticleRequest:
    """One accepted bulk call and what became of its batches."""

    path: str
    batch_count: int
    body_bytes: int
    applied: int = 0
    duplicates: int = 0
    dropped: int = 0


@dataclass(slots=True)
class Profile:
    """A user as mParticle knows it: what arrived last wins."""

    identities: dict[str, Any] = field(default_factory=dict)
    attributes: dict[str, Any] = field(default_factory=dict)
    consent: dict[str, Any] = field(default_factory=dict)


class MparticleInbox:
    """Everything a workspace received; read it from any thread. `erasures` and `modifications` came to its other APIs."""

    def __init__(self, clock: SandboxClock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self.limiter = RateLimiter()
        self.too_large_status = 413
        self._forget()

    def _forget(self) -> None:
        self._seen: dict[str, tuple[float, bytes]] = {}
        self._names: set[str] = set()
        self._profiles: dict[tuple[str, str], Profile] = {}
        self.applied: list[Applied] = []
        self.dropped: list[Dropped] = []
        self.duplicates: list[str] = []
        self.truncated: list[str] = []
        self.requests: list[MparticleRequest] = []
        self.erasures: list[dict[str, Any]] = []
        self.modifications: list[dict[str, Any]] = []

    def clear(self) -> None:
        """Forget everything received, all ids and names; the limiter is off again."""
        with self._lock:
            self._forget()
            self.limiter.clear()
            self.too_large_status = 413

    def profile(self, kind: str, value: str) -> Profile | None:
        """The user whose first identity, customer id before e-mail, is this one."""
        return self._profiles.get((kind, value))

    def receive(self, batches: list[Any], request: MparticleRequest, *, is_historical: bool) -> None:
        """Judge the batches of one request."""
        with self._lock:
            events = 0
            for number, batch in enumerate(batches):
                found = batch.get("events") if isinstance(batch, dict) else None
                events += len(found) if isinstance(found, list) else 0
                code = "too_many_batches" if number >= BATCHES_MAX else "too_many_events" if events > BATCHES_MAX else None
                self._judge(batch, request, code, is_historical=is_historical)
            self.requests.append(request)

    def _judge(self, batch: Any, request: MparticleRequest, code: str | None, *, is_historical: bool) -> None:
        found = problems(batch)
        detail = "; ".join(found)
        code = code or ("schema_violation" if found else None) or self._too_large(batch)
        if code is None and is_historical:
            code = self._historical(batch)
        if code is None:
            repeat = self._repeat(batch)
            if repeat == "duplicate":
                request.duplicates += 1
                self.duplicates.append(str(batch["source_request_id"]))
                return
            code = repeat or self._new_names(batch)
        if code is not None:
            request.dropped += 1
            self.dropped.append(Dropped(code, batch, detail))
            return
        self._remember(batch)
        request.applied += 1
        stored = self._stored(batch)
        is_forwarded = not is_historical and stored["environment"] == "production"
        self.applied.append(Applied(stored, is_historical, is_forwarded))
        self._update(stored)

    def _too_large(self, batch: Any) -> str | None:
        return "batch_too_large" if len(msgspec.json.encode(batch)) > BATCH_BYTES_MAX else None

    def _historical(self, batch: dict[str, Any]) -> str | None:
        times = [event["data"].get("timestamp_unixtime_ms") for event in batch.get("events") or ()]
        if not times:
            return "historical_no_events"
        if any(time is None for time in times):
            return "historical_no_timestamp"
        youngest = (self._clock.now() - HISTORICAL_AGE_MIN).timestamp() * 1000
        return "historical_too_young" if max(times) > youngest else None

    def _repeat(self, batch: dict[str, Any]) -> str | None:
        identifier = batch.get("source_request_id")
        if identifier is None:
            return None
        seen = self._seen.get(str(identifier))
        if seen is None or self._clock.seconds() - seen[0] >= DEDUPE_SECONDS:
            return None
        return "duplicate" if seen[1] == _digest(batch) else "changed_content"

    def _remember(self, batch: dict[str, Any]) -> None:
        identifier = batch.get("source_request_id")
        if identifier is not None:
            self._seen[str(identifier)] = (self._clock.seconds(), _digest(batch))

    def _new_names(self, batch: dict[str, Any]) -> str | None:
        found = {name for event in batch.get("events") or () for name in _event_names(event)}
        if len(self._names | found) > NAMES_MAX:
            return "too_many_names"
        self._names |= found
        return None

    def _stored(self, batch: dict[str, Any]) -> dict[str, Any]:
        """The batch as mParticle keeps it: defaults filled in, long things cut."""
        stored: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(batch))
        stored.setdefault("environment", "production")
        for event in stored.get("events") or ():
            data = event["data"]
            if data.get("timestamp_unixtime_ms") is None:
                data["timestamp_unixtime_ms"] = round(self._clock.now().timestamp() * 1000)
            if len(data.get("event_name") or "") > NAME_CHARACTERS_MAX:
                data["event_name"] = data["event_name"][:NAME_CHARACTERS_MAX]
                self.truncated.append("event_name")
            if data.get("custom_attributes"):
                data["custom_attributes"] = self._cut(data["custom_attributes"])
        if stored.get("user_attributes"):
            stored["user_attributes"] = self._cut(stored["user_attributes"])
        return stored

    def _cut(self, attributes: dict[str, Any]) -> dict[str, Any]:
        """Names and values cut to their limits; names that become equal overwrite each other, the 101st is dropped."""
        kept: dict[str, Any] = {}
        for name, value in attributes.items():
            is_long = isinstance(value, str) and len(value) > VALUE_CHARACTERS_MAX
            if len(name) > NAME_CHARACTERS_MAX or is_long:
                self.truncated.append("attribute")
            if len(kept) >= ATTRIBUTES_MAX:
                self.truncated.append("attributes")
                break
            kept[name[:NAME_CHARACTERS_MAX]] = value[:VALUE_CHARACTERS_MAX] if is_long else value
        return kept

    def _update(self, batch: dict[str, Any]) -> None:
        identities = batch.get("user_identities") or {}
        kind = next((kind for kind in _IDENTITY_ORDER if kind in identities), None)
        if kind is None:
            return
        profile = self._profiles.setdefault((kind, str(identities[kind])), Profile())
        profile.identities.update(identities)
        profile.attributes.update(batch.get("user_attributes") or {})
        for name in batch.get("deleted_user_attributes") or ():
            profile.attributes.pop(name, None)
        for regulation, purposes in (batch.get("consent_state") or {}).items():
            profile.consent.setdefault(regulation, {}).update(purposes)


def _event_names(event: dict[str, Any]) -> list[str]:
    data = event["data"]
    return [name[:NAME_CHARACTERS_MAX] for key in ("event_name", "screen_name") if (name := data.get(key))]


def _digest(batch: dict[str, Any]) -> bytes:
    return sha256(msgspec.json.encode(batch, order="sorted")).digest()
