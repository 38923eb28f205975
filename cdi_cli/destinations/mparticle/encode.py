"""One event as one mParticle batch, complete and in JSON; a request body is these bytes between brackets.

    {"environment":E,"events":[{"data":{"timestamp_unixtime_ms":T,"source_message_id":..,...},"event_type":..}],
     "source_request_id":..,"user_identities":{..},"consent_state":{..}?,"context":{..}?}
    {"environment":E,"source_request_id":..,"user_identities":{..},"user_attributes":{..}?,...}  (a profile, a membership)

The keys stand in this order always: what comes before T is the same for every event, so `occurred_ms` can read T without
parsing the batch. Shapes and limits: sheet "mParticle", sections 2 and 3; tests hold each batch against the vendor's schema.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

import msgspec
from msgspec import UNSET, UnsetType

from cdi_cli.clock import to_datetime
from cdi_cli.destinations._base import Filtered, Rejected
from cdi_cli.destinations.mparticle import names
from cdi_cli.destinations.mparticle.attributes import (
    NAME_CHARACTERS_MAX,
    RefusalError,
    Value,
    event_attributes,
    product_attributes,
    text,
    units,
    user_attributes,
)
from cdi_cli.destinations.mparticle.identity import consent_state, identities
from cdi_cli.destinations.mparticle.settings import MparticleSettings
from cdi_cli.events import Event

BATCH_BYTES_MAX = 128_000
"""What mParticle takes of one batch, 128 KB; read as thousands, the stricter way."""

MESSAGE_NAMESPACE = UUID("5b3c7a52-2f0e-5d34-8f9a-0c5f2a1d7e46")
"""Makes `source_message_id` of an event's id, for the same event the same for ever."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_OF_USERS = frozenset({"identify", "group"})
"""Messages that say something of a user and are no events: a group is attributes of its members (sheet, section 3)."""
_TYPES = frozenset({"track", "page", "screen"}) | _OF_USERS

_json = msgspec.json.Encoder()


class _Data(msgspec.Struct, gc=False):
    """The `data` of an event, in wire order; what is unset is left out."""

    timestamp_unixtime_ms: int
    source_message_id: str
    event_name: str | UnsetType = UNSET
    custom_event_type: str | UnsetType = UNSET
    screen_name: str | UnsetType = UNSET
    currency_code: str | UnsetType = UNSET
    is_non_interactive: bool | UnsetType = UNSET
    product_action: dict[str, Any] | UnsetType = UNSET
    custom_attributes: dict[str, Any] | UnsetType = UNSET


class _Event(msgspec.Struct, gc=False):
    data: _Data
    event_type: str


class _Batch(msgspec.Struct, gc=False):
    """The batch, in wire order; what is unset is left out."""

    environment: str
    events: list[_Event] | UnsetType
    source_request_id: str
    user_identities: dict[str, str]
    user_attributes: dict[str, Value] | UnsetType = UNSET
    consent_state: dict[str, Any] | UnsetType = UNSET
    context: dict[str, Any] | UnsetType = UNSET


class Encoder:
    """Encodes events as batches, as one destination's settings say."""

    def __init__(self, settings: MparticleSettings) -> None:
        self._settings = settings
        self._context: dict[str, Any] | UnsetType = UNSET
        if settings.data_plan_id is not None:
            version = {} if settings.data_plan_version is None else {"plan_version": settings.data_plan_version}
            self._context = {"data_plan": {"plan_id": settings.data_plan_id, **version}}
        self._head = b'{"environment":"' + settings.environment.encode() + b'","events":[{"data":{"timestamp_unixtime_ms":'
        self._trims = settings.oversized == "trim"

    def event(self, event: Event) -> bytes | Rejected | Filtered:
        """The event as a batch, or why mParticle would refuse, cut or drop it; never raises.

        What happens to a product and to nobody is filtered: the Events API has no catalogue.
        """
        if event.family == names.PRODUCT_FAMILY:
            return Filtered("no_catalogue")
        try:
            encoded = self._encoded(event, self._settings.custom_attributes)
            if len(encoded) > BATCH_BYTES_MAX and self._trims and event.type not in _OF_USERS:
                encoded = self._encoded(event, [])
        except RefusalError as refusal:
            return refusal.rejected
        except UnicodeEncodeError:
            return Rejected("mparticle_not_unicode", "a text of the event is not valid Unicode")
        except (TypeError, ValueError, OverflowError, RecursionError):
            return Rejected("mparticle_not_json", "the event holds a value that JSON cannot express")
        if len(encoded) > BATCH_BYTES_MAX:
            return Rejected(
                "mparticle_batch_too_large", f"the event takes {len(encoded):,} bytes, mParticle takes {BATCH_BYTES_MAX:,}"
            )
        return encoded

    def occurred_ms(self, encoded: bytes) -> int | None:
        """When an encoded event happened (milliseconds since 1970); None for a profile."""
        if not encoded.startswith(self._head):
            return None
        start = len(self._head)
        return int(encoded[start : encoded.index(b",", start)])

    def _encoded(self, event: Event, attributes: list[str] | None) -> bytes:
        at_ms = _check(event)
        settings = self._settings
        consent = consent_state(event, settings, at_ms)
        is_profile = event.type in _OF_USERS
        batch = _Batch(
            environment=settings.environment,
            events=UNSET if is_profile else [self._event(event, at_ms, attributes)],
            source_request_id=request_id(event.id, settings.environment),
            user_identities=identities(event, settings),
            consent_state=consent if consent is not None else UNSET,
            context=self._context,
        )
        if is_profile:
            batch.user_attributes = self._user(event, batch.user_identities) or UNSET
        return _json.encode(batch)

    def _user(self, event: Event, known: dict[str, str]) -> dict[str, Value]:
        if event.type == "group":
            identifier = {"id": event.context["groupId"]} if "groupId" in event.context else {}
            traits = {f"{names.GROUP_PREFIX}{name}": value for name, value in (identifier | event.properties).items()}
            return user_attributes(traits, {}, trim=self._trims)
        without = frozenset({names.EMAIL}) if "email" in known else frozenset[str]()
        return user_attributes(event.properties, names.TRAITS, without=without, trim=self._trims)

    def _event(self, event: Event, at_ms: int, only: list[str] | None) -> _Event:
        data = _Data(at_ms, message_id(event.id))
        properties = event.properties
        action = names.action_of(event.kind, event.name, self._settings.event_actions) if event.type == "track" else None
        without = frozenset[str]()
        if action is not None:
            event_type, fields = "commerce_event", names.fields_of(action)
            data.product_action = {"action": action, **_fields(properties, fields)}
            products = [self._product(product, only) for product in _products(properties.get(names.PRODUCTS))]
            if products:
                data.product_action["products"] = products
            data.currency_code = _field(names.CURRENCY, properties.get(names.CURRENCY), "text") or UNSET
            data.is_non_interactive = True
            without = names.BESIDE | fields.keys()
        elif event.type == "track":
            event_type, data.event_name, data.custom_event_type = (
                "custom_event",
                event.name,
                names.custom_type_of(event.kind),
            )
        else:
            event_type, data.screen_name = "screen_view", event.name
        data.custom_attributes = event_attributes(properties, without=without, only=only, trim=self._trims) or UNSET
        return _Event(data, event_type)

    def _product(self, product: dict[str, Any], only: list[str] | None) -> dict[str, Any]:
        found = _fields(product, names.PRODUCT_FIELDS)
        attributes = product_attributes(product, without=names.PRODUCT_FIELDS.keys(), only=only, trim=self._trims)
        return found | ({"custom_attributes": attributes} if attributes else {})


def request_id(event_id: str, environment: str) -> str:
    """The `source_request_id`: mParticle drops its repeats for one key, so what was tried in development has its own."""
    return event_id if environment == "production" else f"{environment}:{event_id}"


def message_id(event_id: str) -> str:
    """The `source_message_id`: a UUID made of the event's id."""
    return str(uuid5(MESSAGE_NAMESPACE, event_id))


def _check(event: Event) -> int:
    """Refuse what cannot be sent whatever it says; the event's time in milliseconds since 1970."""
    if event.type not in _TYPES:
        raise RefusalError("type_unsupported", "the Events API has no call for this type of message")
    if not isinstance(event.id, str) or not event.id:
        raise RefusalError("request_id_missing", "the event's id is empty or not text; mParticle could not tell a repeat")
    if event.type not in _OF_USERS:
        if not isinstance(event.name, str) or not event.name:
            raise RefusalError("event_name_missing", "the event's name is empty or not text")
        if (length := units(event.name)) > NAME_CHARACTERS_MAX:
            raise RefusalError("event_name_too_long", f"the name has {length:,} characters, of which mParticle keeps 256")
    if not isinstance(event.properties, dict):
        raise RefusalError("properties_not_object", "the event's properties are not an object")
    if not isinstance(event.context, dict):
        raise RefusalError("context_not_object", "the event's context is not an object")
    return _milliseconds(event.at)


def _milliseconds(at: Any) -> int:
    try:
        since = (to_datetime(at) - _EPOCH) // _MILLISECOND
    except (TypeError, ValueError):
        raise RefusalError("timestamp_missing", "the event's time is missing or no date-time") from None
    if since < 0:
        raise RefusalError("timestamp_too_early", "the event's time is before 1970, which its Unix time cannot express")
    return since


def _products(value: Any) -> list[dict[str, Any]]:
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise RefusalError("products_not_list", f"`{names.PRODUCTS}` is no list of objects")
    return value


def _fields(values: dict[str, Any], fields: dict[str, tuple[str, names.FieldType]]) -> dict[str, Any]:
    """The fields that have a value, under mParticle's names."""
    return {
        field: _field(name, values[name], kind) for name, (field, kind) in fields.items() if values.get(name) is not None
    }


def _field(name: str, value: Any, kind: names.FieldType) -> Any:
    """The value of a field of a commerce event in its one type; raises RefusalError where it has another."""
    if value is None:
        return None
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if kind == "text":
        if isinstance(value, str) or is_number:
            return text(value)
    elif is_number and kind == "number":
        return value
    elif is_number and value == int(value):
        return int(value)
    noun = {"text": "text", "number": "a number", "integer": "a whole number"}[kind]
    raise RefusalError("field_of_wrong_type", f"`{name}` is not {noun}, which mParticle needs there")
