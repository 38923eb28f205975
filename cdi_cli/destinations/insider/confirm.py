"""Looking for events whose arrival is in doubt: read the profile back and compare (sheet "Insider", sections 1 and 2).

An event is there when the profile has, for each of its parts (the lines of an order), one of that name and time whose
parameters agree. Parameters that Insider did not store (nobody defined them) decide nothing; where none is left but name and
time, or where only some of the lines are there, it cannot be told. Nor can it where something there is of the same event id
(or order) and yet differs: an order may have changed since it was sent. What nobody has is not there.

A profile is there when what was stored of it agrees. A product is never "there": the catalogue takes a repeat without harm,
so it is simply sent again.

The form of the answer is not documented, so several are read: a list of events, or lists by name; parameters beside the name
or in an object; times as text or as seconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from cdi_cli.clock import to_datetime
from cdi_cli.destinations.insider.client import InsiderClient
from cdi_cli.destinations.insider.encode import CATALOG, Encoder, User
from cdi_cli.errors import ProtocolError
from cdi_cli.events import Event

_PATH = "/api/user/v1/profile"
_READ_NAMES = {"gdpr_optin": "gdpr"}
"""Attributes that are read under another name than they are written (GUIDE of Insider's own n8n node)."""
_AROUND_SECONDS = 1
_COMMON = frozenset({"currency", "locale", "quantity", "c_position"})
"""Parameters that many events share: that they agree proves nothing."""
_user = msgspec.json.Decoder(User).decode
Stored = dict[str, Any]


async def confirm(client: InsiderClient, encoder: Encoder, events: Sequence[Event]) -> list[bool | None]:
    """True, False or None for each event; one reading for each user."""
    found: list[bool | None] = [None] * len(events)
    by_user: dict[bytes, list[tuple[int, User]]] = {}
    for number, event in enumerate(events):
        encoded = encoder.event(event)
        if not isinstance(encoded, bytes):
            continue
        if encoded.startswith(CATALOG):
            found[number] = False
            continue
        user = _user(encoded)
        by_user.setdefault(msgspec.json.encode(user.identifiers), []).append((number, user))
    for sent in by_user.values():
        answers = await _of_user(client, [user for _, user in sent], encoder.event_id_param)
        for (number, _), answer in zip(sent, answers, strict=True):
            found[number] = answer
    return found


async def _of_user(client: InsiderClient, sent: Sequence[User], event_id_param: str | None) -> list[bool | None]:
    response = await client.read(_PATH, _question(sent), "Insider profile")
    if response.status == 404:
        return [False] * len(sent)
    answer = response.json()
    data = answer.get("data", answer) if isinstance(answer, dict) else None
    if not isinstance(data, dict):
        raise ProtocolError("Insider profile: the answer is no profile", hint="check that `endpoint` is that of Insider")
    stored = list(_stored(data.get("events")))
    return [
        _has_events(stored, user.events, event_id_param)
        if isinstance(user.events, list)
        else _has_attributes(data.get("attributes"), user.attributes)
        for user in sent
    ]


def _question(sent: Sequence[User]) -> dict[str, Any]:
    """What to ask about one user: exactly what was sent, in the span of time that it was sent for."""
    wanted: dict[str, dict[str, None]] = {}
    names: dict[str, None] = {}
    seconds: list[int] = []
    for user in sent:
        for event in user.events if isinstance(user.events, list) else []:
            seconds.append(int(to_datetime(event["timestamp"]).timestamp()))
            wanted.setdefault(event["event_name"], {}).update(dict.fromkeys(_flat(event["event_params"])))
        if isinstance(user.attributes, dict):
            names.update((_READ_NAMES.get(name, name), None) for name in _flat(user.attributes))
    question: dict[str, Any] = {"identifiers": sent[0].identifiers}
    if names:
        question["attributes"] = list(names)
    if wanted:
        question["events"] = {
            "start_date": min(seconds) - _AROUND_SECONDS,
            "end_date": max(seconds) + _AROUND_SECONDS,
            "wanted": [{"event_name": name, "params": list(params)} for name, params in wanted.items()],
        }
    return question | {"quota": True}


def _flat(values: Mapping[str, Any]) -> Stored:
    """Parameters or attributes under the names that they are read by: custom ones begin with `c_`."""
    custom = values.get("custom", {})
    return {name: value for name, value in values.items() if name != "custom"} | {
        f"c_{name}": value for name, value in custom.items()
    }


def _stored(events: Any) -> Iterator[tuple[str, int, Stored]]:
    """Name, time in seconds and parameters of each event of an answer."""
    if isinstance(events, dict):
        events = [{"event_name": name} | each for name, some in events.items() if isinstance(some, list) for each in some]
    for event in events if isinstance(events, list) else []:
        if not isinstance(event, dict) or (at := _seconds(event.get("timestamp"))) is None:
            continue
        params = next((event[name] for name in ("event_params", "params") if isinstance(event.get(name), dict)), event)
        yield str(event.get("event_name", "")), at, _flat(params)


def _seconds(value: Any) -> int | None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return int(value)
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return int((moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp())


def _has_events(
    stored: Sequence[tuple[str, int, Stored]], events: Sequence[Mapping[str, Any]], event_id_param: str | None
) -> bool | None:
    """Whether each of these events has one of its own among those that are stored."""
    left = list(stored)
    present, is_certain, may_have_changed = 0, True, False
    for event in events:
        at = int(to_datetime(event["timestamp"]).timestamp())
        params = _flat(event["event_params"])
        candidates = [each for each in left if each[:2] == (event["event_name"], at)]
        scores = [_agreement(params, each[2]) for each in candidates]
        best = max((score for score in scores if score is not None), default=None)
        if best is None:
            may_have_changed |= any(_is_kin(params, each[2], event_id_param) for each in candidates)
            continue
        left.remove(candidates[scores.index(best)])
        present += 1
        is_certain = is_certain and best > 0
    if present == 0:
        return None if may_have_changed else False
    return True if present == len(events) and is_certain else None


def _agreement(sent: Stored, stored: Stored) -> int | None:
    """How many parameters agree; None when one does not."""
    common = [name for name in sent if stored.get(name) is not None]
    if any(not _is_same(sent[name], stored[name]) for name in common):
        return None
    return len([name for name in common if name not in _COMMON])


def _is_kin(sent: Stored, stored: Stored, event_id_param: str | None) -> bool:
    """Whether what is stored, which differs, may be the event as it was when it was sent; the surest sign decides."""
    for name in (f"c_{event_id_param}", "event_group_id"):
        if name in sent and stored.get(name) is not None:
            return _is_same(sent[name], stored[name])
    return any(name not in _COMMON and name in stored and _is_same(sent[name], stored[name]) for name in sent)


def _has_attributes(stored: Any, sent: Any) -> bool | None:
    """Whether what is stored of a profile agrees with what was sent; attributes that nobody defined decide nothing."""
    if not isinstance(stored, dict) or not isinstance(sent, dict):
        return None
    expected = {_READ_NAMES.get(name, name): value for name, value in _flat(sent).items()}
    common = [name for name in expected if stored.get(name) is not None]
    if any(not _is_same(expected[name], stored[name]) for name in common):
        return False
    missing = [name for name in expected if name not in common and not name.startswith("c_")]
    if missing:
        return False
    return True if common else None


def _is_same(one: Any, other: Any) -> bool:
    """Whether a value came back as it was sent; numbers may come back as text."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_is_same, one, other))
    if isinstance(one, bool) or isinstance(other, bool) or isinstance(one, str) == isinstance(other, str):
        return bool(one == other)
    try:
        return float(one) == float(other)
    except (TypeError, ValueError):
        return False
