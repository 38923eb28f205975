"""Events as lines: Segment-spec messages, in this order of keys.

    {"type","messageId","timestamp","userId"?,"anonymousId"?|"previousId"?,"groupId"?,"event"?|"name"?,
     "properties"|"traits","context"?}

`messageId` comes second, so that a line's id is found without reading the rest (`ids_in`). A line has at most a million
bytes, which is what `cdi push` reads.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from cdi_cli.destinations._base import Rejected
from cdi_cli.destinations.file.settings import Per
from cdi_cli.events import Event
from cdi_cli.events.ids import slug

LINE_BYTES_MAX = 1_000_000
GROUP_BYTES_MAX = 100
"""Of a sub-folder's name; file systems take 255."""

_TYPES = frozenset({"track", "identify", "group", "page", "screen", "alias"})
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT[0-9:.]+Z")
_ID = re.compile(rb'\{"type":"[a-z]+","messageId":("(?:[^"\\]|\\.)+")')
_encode = msgspec.json.Encoder().encode


class _Line(msgspec.Struct, rename="camel", gc=False):
    """The wire form, in wire order; what is unset is left out."""

    type: str
    message_id: str
    timestamp: str
    user_id: str | UnsetType = UNSET
    anonymous_id: str | UnsetType = UNSET
    previous_id: str | UnsetType = UNSET
    group_id: str | UnsetType = UNSET
    event: str | UnsetType = UNSET
    name: str | UnsetType = UNSET
    properties: msgspec.Raw | UnsetType = UNSET
    traits: msgspec.Raw | UnsetType = UNSET
    context: dict[str, Any] | UnsetType = UNSET


class _Head(msgspec.Struct, gc=False):
    """What decides which file a line goes to."""

    type: str
    timestamp: str
    event: str = ""


_head = msgspec.json.Decoder(_Head).decode


def line_of(event: Event) -> bytes | Rejected:
    """The event as a line without its end, or why it cannot be one; never raises."""
    if event.type not in _TYPES:
        return Rejected("file_type_unknown", "the message type is none of track, identify, group, page, screen, alias")
    if not event.id:
        return Rejected("file_no_message_id", "`messageId` is empty: readers could not tell a repeat")
    if not _INSTANT.fullmatch(event.at):
        return Rejected("file_no_timestamp", "`timestamp` is not an instant in UTC")
    try:
        line = _encode(_line(event))
    except UnicodeEncodeError:
        return Rejected("file_not_unicode", "a text of the event is not valid Unicode")
    except (TypeError, ValueError, OverflowError, RecursionError):
        return Rejected("file_not_json", "the event's context holds a value that JSON cannot express")
    if len(line) > LINE_BYTES_MAX:
        return Rejected("file_event_too_large", f"the event takes {len(line):,} bytes, a line has up to {LINE_BYTES_MAX:,}")
    return line


def _line(event: Event) -> _Line:
    line = _Line(event.type, event.id, event.at)
    if event.user_id is not None:
        line.user_id = event.user_id
    if event.anonymous_id is not None:
        # What an alias replaces is kept as its anonymous id.
        setattr(line, "previous_id" if event.type == "alias" else "anonymous_id", event.anonymous_id)
    if event.context:
        line.context = event.context
    if event.type == "track":
        line.event = event.name
    if event.type in ("page", "screen") and event.name != event.type:  # else it has no name of its own
        line.name = event.name
    if event.type == "group" and isinstance(group := event.context.get("groupId"), str):
        line.group_id = group
    if event.type in ("identify", "group"):
        line.traits = msgspec.Raw(event.body)
    else:
        line.properties = msgspec.Raw(event.body)
    return line


def group_of(line: bytes, per: Per) -> str:
    """The sub-folder that a line goes to, "" for none; safe as a name whatever the event is called."""
    if per == "run":
        return ""
    head = _head(line)
    if per == "day":
        return head.timestamp[:10]
    name = slug(head.event or head.type).encode()[:GROUP_BYTES_MAX].decode(errors="ignore")
    return name.strip("-_") or "event"


def id_of(event: Event) -> bytes:
    """An event's id as it stands in its line, quotes included."""
    return _encode(event.id)


def ids_in(lines: Iterable[bytes]) -> Iterator[bytes]:
    """The ids of whole lines of ours, as `id_of` gives them; other lines are passed over."""
    for line in lines:
        if (found := _ID.match(line)) is not None and line.endswith(b"}\n"):
            yield found.group(1)
