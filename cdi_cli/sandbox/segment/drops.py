"""Why Segment drops a message that it has answered 200 to: the discard codes, and the test for each.

Codes are those of Segment's Delivery Overview ("Failed on Ingest"). Four have no documented spelling and are ours:
`too_many_events` (more than 2,500 in a batch), `message_id_too_long` (100 characters or more), `suppressed_user` and
`blocked_by_plan`.
"""

from __future__ import annotations

from typing import Any

import msgspec

MESSAGE_ID_CHARACTERS_MAX = 99
KINDS = frozenset({"track", "identify", "group", "page", "screen", "alias"})
_CONSENT_EVENT = "Segment Consent Preference Updated"
_ABSENT = msgspec.Raw()


class Message(msgspec.Struct, gc=False):
    """The fields of a message that decide its fate; everything else stays in the raw bytes."""

    type: Any = None
    messageId: Any = None
    userId: Any = None
    anonymousId: Any = None
    previousId: Any = None
    groupId: Any = None
    event: Any = None
    name: Any = None
    category: Any = None
    timestamp: Any = None
    originalTimestamp: Any = None
    properties: msgspec.Raw = _ABSENT
    traits: msgspec.Raw = _ABSENT
    context: msgspec.Raw = _ABSENT
    integrations: msgspec.Raw = _ABSENT


def drop_code(message: Message, batch_context: bytes = b"") -> str | None:
    """The code under which a message is dropped; None if it is good."""
    if message.type not in KINDS if isinstance(message.type, str) else True:
        return "bad_request"
    code = _identity(message) or _content(message)
    if code is not None:
        return code
    context = bytes(message.context) or batch_context
    if message.event == _CONSENT_EVENT or b'"consent"' in context:
        return _consent(context, is_required=message.event == _CONSENT_EVENT)
    return None


def _identity(message: Message) -> str | None:
    for value in (message.userId, message.anonymousId):
        if value is not None and (not isinstance(value, str) or not value):
            return "id_not_string"
    if message.type == "alias":
        return None if message.previousId and message.userId else "id_required"
    if message.userId is None and message.anonymousId is None:
        return "no_user_anon_id"
    if message.type == "group" and not isinstance(message.groupId, str):
        return "id_required"
    if message.messageId is not None:
        if not isinstance(message.messageId, str):
            return "id_not_string"
        if len(message.messageId) > MESSAGE_ID_CHARACTERS_MAX:
            return "message_id_too_long"
    return None


def _content(message: Message) -> str | None:
    if message.type == "track":
        if message.event is None:
            return "event_not_defined"
        if not isinstance(message.event, str) or not message.event:
            return "event_not_string"
    if message.type in ("page", "screen"):
        if message.name is not None and (not isinstance(message.name, str) or not message.name):
            return "name_not_string"
        if message.category is not None and (not isinstance(message.category, str) or not message.category):
            return "category_not_string"
    if not _is_object(message.properties):
        return "properties_not_object"
    return None if _is_object(message.traits) else "traits_not_object"


def _is_object(raw: msgspec.Raw) -> bool:
    """Whether a value is an object, or is not there at all (null counts as absent)."""
    text = bytes(memoryview(raw)[:4])
    return not text or text[:1] == b"{" or text == b"null"


def _consent(context: bytes, *, is_required: bool) -> str | None:
    """The rules for `context.consent`; the preference event must carry categories."""
    try:
        consent = msgspec.json.decode(context, type=dict[str, Any]).get("consent") if context else None
    except msgspec.DecodeError:
        return "bad_request"
    categories = consent.get("categoryPreferences") if isinstance(consent, dict) else None
    if categories is None:
        return "consent_categorypreferences_should_exist" if is_required else None
    if not isinstance(categories, dict):
        return "consent_categorypreferences_fields_should_be_object"
    if not all(isinstance(value, bool) for value in categories.values()):
        return "consent_categorypreferences_fields_should_be_bool"
    version = consent.get("version") if isinstance(consent, dict) else None
    if version is not None and (isinstance(version, bool) or not isinstance(version, int | float)):
        return "consent_version_should_be_number"
    return None
