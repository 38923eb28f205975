"""Ready-made messages (Segment's spec) as events of the plan: what each one is, and why it can be none.

What somebody else's file says is trusted in nothing: types are checked before anything downstream reads them. An event
without `messageId` gets one made of its content, the same in any file and line. `timestamp` is business time: without it
(and `originalTimestamp`) an event is refused, unless it may count as happening now.

The ledger files an event under the hour of its time: exports of one event give it with more digits or fewer, and a look-up
goes by time. One whose time was moved to another hour counts as another event.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import msgspec

from cdi_cli.clock import Instant, parse_instant
from cdi_cli.events import Event, EventBuilder, content_of, key_of
from cdi_cli.pipeline.push_lines import LINE_BYTES_MAX
from cdi_cli.plan import CompiledPlan, EventRule
from cdi_cli.plan.model import PLANNED_TYPES, VIEWS, holder_of

FAMILY = "push"
"""What the ledger files pushed events under."""
UNDATED = Instant("1970-01-01T00:00:00.000Z")
"""When an event without a time of its own was made, as the ledger has it: pushed again another day it is found again."""
NAME_CHARACTERS_MAX = 80
_NOT_TOLD = frozenset({"messageId", "writeKey"})
"""What the content of a message is told without: an empty id, and the key that dead letters do not keep."""
_INTEGRATIONS = "`integrations` is left out: the destination's settings decide"
_OF_A_RECORD = "made by a run from a record: runs and pushes do not know of each other what they sent"
_COUNTRY = re.compile(r"[A-Z]{2}")
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode
_encode_sorted = msgspec.json.Encoder(order="sorted").encode


@dataclass(frozen=True, slots=True)
class BadMessage:
    """A line that is no event; `reason` is a stable code, `detail` a sentence without personal data.

    `event_id`: where the message has one, so that its letter goes when the event is delivered. `name`: as far as known.
    """

    reason: str
    detail: str
    event_id: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Unplanned:
    """A good message of an event that the plan does not have."""

    name: str
    event_id: str


@dataclass(frozen=True, slots=True)
class Ready:
    """A ready-made event and the rule of the plan that it is checked by.

    `own_name`: the name of a page or screen that the plan has no file for, which goes out in place of the rule's. `notes`:
    what was left out of the message, and what should be known of it.
    """

    event: Event
    rule: EventRule
    own_name: str | None = None
    notes: tuple[str, ...] = ()


class _Bad(Exception):
    """The message cannot be an event; holds why."""

    def __init__(self, reason: str, detail: str) -> None:
        self.reason = reason
        self.detail = detail


class MessageReader:
    """Reads messages for one pipeline and destination; `now` stands in for a missing timestamp (None: it is refused).

    `required`: consent categories, of which the country's regime decides where a message says nothing.
    """

    def __init__(
        self, plan: CompiledPlan, builder: EventBuilder, required: Sequence[str], now: Instant | None = None
    ) -> None:
        rules = (*plan.others, *(rule for kind in plan.kinds for rule in plan.rules(kind)))
        self._rules = {(rule.type, rule.name): rule for rule in rules}
        self._builder = builder
        self._required = required
        self._now = now

    def read(self, line: bytes) -> Ready | Unplanned | BadMessage:
        """What a line is; never raises."""
        if length := getattr(line, "length", 0):
            return BadMessage("line_too_long", f"the line has {length:,} bytes, {LINE_BYTES_MAX:,} are read at most")
        try:
            message = _decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return BadMessage("bad_json", "the line is not valid JSON")
        if not isinstance(message, dict):
            return BadMessage("bad_message", "the line is no JSON object")
        event_id: str | None = None
        name: str | None = None
        try:
            kind, own = _kind_and_name(message)
            name = (own or kind)[:NAME_CHARACTERS_MAX]
            event_id = self._id(message)
            rule = self._rules.get((kind, own or kind)) or self._rules.get((kind, kind))
            if rule is None:
                return Unplanned(name, event_id)
            now = getattr(line, "taken_at", None) or self._now
            return self._ready(message, event_id, rule, own, now)
        except _Bad as bad:
            return BadMessage(bad.reason, bad.detail, event_id, name)

    def _ready(self, message: dict[str, Any], event_id: str, rule: EventRule, own: str | None, now: Instant | None) -> Ready:
        user_id, anonymous_id = _people(message, rule.type)
        at, created_at = self._times(message, now)
        holder = holder_of(rule.type)
        properties = _object(message, holder)
        body = _encode(properties)
        event = Event(
            id=event_id,
            kind=rule.kind,
            type=rule.type,
            name=rule.name,
            at=at,
            user_id=user_id,
            anonymous_id=anonymous_id,
            properties=properties,
            context=self._context(message, rule.type),
            body=body,
            family=FAMILY,
            entity_id=event_id,
            created_at=created_at,
            key=key_of(event_id),
            content=content_of(body),
        )
        notes = [_INTEGRATIONS] if message.get("integrations") else []
        if event_id.startswith(self._builder.namespace):
            notes.append(_OF_A_RECORD)
        return Ready(event, rule, own if rule.type in VIEWS and own != rule.name else None, tuple(notes))

    def _id(self, message: dict[str, Any]) -> str:
        given = message.get("messageId")
        if given in (None, ""):
            told = {key: value for key, value in message.items() if key not in _NOT_TOLD}
            digest = blake2b(_encode_sorted(told), digest_size=16).hexdigest()
            return f"cdi:{self._builder.workspace}:{FAMILY}:{digest}"
        if not isinstance(given, str):
            raise _Bad("bad_message", "`messageId` is not text")
        return given

    def _times(self, message: dict[str, Any], now: Instant | None) -> tuple[Instant, Instant]:
        """Business time, and when the event was made as the ledger has it."""
        given = message.get("timestamp") or message.get("originalTimestamp")
        if given is None:
            if now is None:
                raise _Bad("no_timestamp", "the event has no `timestamp`; `--now` takes such events as happening now")
            return now, UNDATED
        try:
            at = parse_instant(given)
        except (TypeError, ValueError, OverflowError):
            raise _Bad("bad_timestamp", "`timestamp` is no ISO 8601 date-time with a zone") from None
        return at, Instant(f"{at[:13]}:00:00.000Z")

    def _context(self, message: dict[str, Any], kind: str) -> dict[str, Any]:
        context = dict(_object(message, "context"))
        for part in ("consent", "shop", "traits", "protocols"):
            if context.get(part) is None:
                context.pop(part, None)
            elif not isinstance(context[part], dict):
                raise _Bad("bad_context", f"`context.{part}` is no object")
        shop = context.get("shop", {})
        if not all(isinstance(value, str) for value in shop.values()):
            raise _Bad("bad_context", "a value of `context.shop` is not text")
        if kind == "group":
            context["groupId"] = _name(message, "groupId") or _bad("no_group", "a group message needs a `groupId`")
        _check_consent(context.get("consent"))
        return self._builder.stamp(context, _country(context), self._required)


def _kind_and_name(message: dict[str, Any]) -> tuple[Any, str | None]:
    """The type of a message, and the name of its event, page or screen; None for one that has no name."""
    kind = message.get("type", "track" if "event" in message else None)
    if kind not in PLANNED_TYPES:
        if isinstance(message.get("batch"), list):
            raise _Bad("bad_message", "the line is a batch: write one message on each line")
        raise _Bad("bad_message", f"the message has no known `type` ({', '.join(PLANNED_TYPES)})")
    if kind == "track":
        name = message.get("event")
        if not isinstance(name, str) or not name:
            raise _Bad("bad_message", "the track message has no `event`")
        return kind, name
    named = message.get("name") if kind in VIEWS else None
    return kind, named if isinstance(named, str) and named else None


def _people(message: dict[str, Any], kind: str) -> tuple[str | None, str | None]:
    """User id, and anonymous id; of an alias, the id that it replaces."""
    user_id = _name(message, "userId")
    if kind == "alias":
        previous = _name(message, "previousId") or _name(message, "anonymousId")
        if user_id is None or previous is None:
            raise _Bad("no_identity", "an alias needs both `userId` and `previousId`")
        return user_id, previous
    anonymous_id = _name(message, "anonymousId")
    if user_id is None and anonymous_id is None:
        raise _Bad("no_identity", "the message has neither `userId` nor `anonymousId`")
    return user_id, anonymous_id


def _name(message: dict[str, Any], key: str) -> str | None:
    """An id as text: exports often have numbers; None for none."""
    value = message.get(key)
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise _Bad("bad_message", f"`{key}` is neither text nor a whole number")
    return str(value)


def _object(message: dict[str, Any], key: str) -> dict[str, Any]:
    value = message.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _Bad("bad_message", f"`{key}` is no object")
    return value


def _bad(reason: str, detail: str) -> str:
    raise _Bad(reason, detail)


def _check_consent(consent: Any) -> None:
    """Nothing but true may count as consent: a text "false" must not."""
    if consent is None:
        return
    given = consent.get("categoryPreferences", {})
    if not isinstance(given, dict) or not all(isinstance(value, bool) for value in given.values()):
        raise _Bad("bad_context", "`context.consent.categoryPreferences` must hold true or false for each category")
    for part in ("denied", "assumed", "asOfNow"):
        listed = consent.get(part, [])
        if not isinstance(listed, list) or not all(isinstance(category, str) for category in listed):
            raise _Bad("bad_context", f"`context.consent.{part}` is no list of categories")


def _country(context: dict[str, Any]) -> str | None:
    """Where the person is, by its ISO code; None where the message does not say it so."""
    location = context.get("location")
    for place in (context.get("shop"), location):
        country = place.get("country") if isinstance(place, dict) else None
        if isinstance(country, str) and _COUNTRY.fullmatch(country):
            return country
    return None


def country_in(event: Event) -> str | None:
    """Where the person of a ready-made event is; None where it does not say."""
    return _country(event.context)
