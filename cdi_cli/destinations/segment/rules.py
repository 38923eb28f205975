"""What Segment would drop after having answered 200, as checks to make before.

Each check stands for a drop code of Segment's Delivery Overview (sheet "Segment", section 4: `no_user_anon_id`,
`id_not_string`, `event_not_string`, `properties_not_object`, `consent_..._should_be_bool`, ...). Details name lengths and
types, never values: they are shown and kept.
"""

from __future__ import annotations

from collections.abc import Mapping

from cdi_cli.destinations._base import Rejected
from cdi_cli.events import Event

MESSAGE_ID_CHARACTERS_MAX = 99
PROPERTIES_MAX = 10_000
CATEGORY_CHARACTERS_MAX = 34
CONSENT_EVENT = "Segment Consent Preference Updated"

_TYPES = frozenset({"track", "identify", "group", "page", "screen", "alias"})
_NAMED = {"track": "segment_event_not_string", "page": "segment_name_not_string", "screen": "segment_name_not_string"}


def violation(event: Event) -> Rejected | None:
    """Why Segment would drop the event whatever its size, or None."""
    return (
        _of_type(event.type)
        or _of_message_id(event.id)
        or _of_timestamp(event.at)
        or _of_ids(event)
        or _of_name(event.type, event.name)
        or _of_properties(event)
        or _of_context(event.context, event.name)
    )


def _of_type(kind: str) -> Rejected | None:
    if kind not in _TYPES:
        return Rejected("segment_type_unknown", "the message type is none of track, identify, group, page, screen, alias")
    return None


def _of_message_id(identifier: object) -> Rejected | None:
    if not isinstance(identifier, str) or not identifier:
        return Rejected("segment_message_id_missing", "`messageId` is empty or not text; Segment could not tell a repeat")
    units = len(identifier) if identifier.isascii() else len(identifier.encode("utf-16-le", "surrogatepass")) // 2
    if units > MESSAGE_ID_CHARACTERS_MAX:
        return Rejected(
            "segment_message_id_too_long", f"`messageId` has {units} characters, Segment takes {MESSAGE_ID_CHARACTERS_MAX}"
        )
    return None


def _of_timestamp(at: object) -> Rejected | None:
    if not isinstance(at, str) or not at:
        return Rejected("segment_timestamp_missing", "`timestamp` is empty or not text")
    return None


def _of_ids(event: Event) -> Rejected | None:
    user, anonymous = event.user_id, event.anonymous_id
    if user is None and anonymous is None:
        return Rejected("segment_no_id", "the event has neither `userId` nor `anonymousId`")
    for field, value in (("userId", user), ("anonymousId", anonymous)):
        if value is not None and not _is_text(value):
            return Rejected("segment_id_not_string", f"`{field}` is empty or not text")
    if event.type == "alias" and (user is None or anonymous is None):
        return Rejected("segment_no_id", "an alias needs both `userId` and the `anonymousId` that it replaces")
    if event.type == "group" and group_id(event) is None:
        return Rejected("segment_no_group_id", "a group event needs `groupId` in its context, or the trait `id`")
    return None


def group_id(event: Event) -> str | None:
    """The id of the group that a `group` event is about: `groupId` of the context, else the trait `id`."""
    for values, key in ((event.context, "groupId"), (event.properties, "id")):
        if isinstance(values, dict) and _is_text(found := values.get(key)):
            return str(found)
    return None


def _of_name(kind: str, name: object) -> Rejected | None:
    if kind in _NAMED and not _is_text(name):
        return Rejected(_NAMED[kind], f"the name of a {kind} event is empty or not text")
    return None


def _of_properties(event: Event) -> Rejected | None:
    properties: object = event.properties
    if not isinstance(properties, dict) or event.body[:1] != b"{":
        field = "traits" if event.type in ("identify", "group") else "properties"
        return Rejected(f"segment_{field}_not_object", f"`{field}` is not an object")
    if len(properties) > PROPERTIES_MAX:
        return Rejected(
            "segment_too_many_properties", f"the event has {len(properties):,} properties, Segment keeps {PROPERTIES_MAX:,}"
        )
    return None


def _of_context(context: object, name: str) -> Rejected | None:
    if not isinstance(context, Mapping):
        return Rejected("segment_context_not_object", "`context` is not an object")
    if "consent" not in context:
        if name == CONSENT_EVENT:
            return Rejected("segment_consent_missing", f"`{CONSENT_EVENT}` carries no `context.consent`")
        return None
    return _of_consent(context["consent"])


def _of_consent(consent: object) -> Rejected | None:
    if not isinstance(consent, Mapping):
        return Rejected("segment_consent_not_object", "`context.consent` is not an object")
    if "categoryPreferences" not in consent:
        return Rejected("segment_consent_missing", "`context.consent` has no `categoryPreferences`")
    version = consent.get("version", 0)
    if isinstance(version, bool) or not isinstance(version, int | float):
        return Rejected("segment_consent_version_not_number", "`context.consent.version` is not a number")
    preferences = consent["categoryPreferences"]
    if not isinstance(preferences, Mapping):
        return Rejected("segment_consent_not_object", "`context.consent.categoryPreferences` is not an object")
    for category, is_granted in preferences.items():
        if not isinstance(is_granted, bool):
            return Rejected("segment_consent_not_bool", "a consent category is neither true nor false")
        if not _is_text(category) or len(category) > CATEGORY_CHARACTERS_MAX:
            return Rejected(
                "segment_consent_category_invalid",
                f"a consent category's name is empty or longer than {CATEGORY_CHARACTERS_MAX} characters",
            )
    return None


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != ""
