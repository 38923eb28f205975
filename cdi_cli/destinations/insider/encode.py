"""From an event to its bytes: a user with one event, or with its attributes; or a product's records for the catalogue.

A user's fragment is its place in `users`, as it is sent. A product's is `{"catalog":"ingest","records":[...]}`, from which
`send` takes the records of each locale. The first bytes tell them apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec

from cdi_cli.clock import Clock, to_datetime
from cdi_cli.destinations._base import Filtered, Rejected
from cdi_cli.destinations.insider import catalog
from cdi_cli.destinations.insider.lines import item_id_of, line_params
from cdi_cli.destinations.insider.names import EVENT_NAMES, LINE_EVENTS, NAME, PARAMETERS, snake
from cdi_cli.destinations.insider.profile import attributes, identifiers, locale_of
from cdi_cli.destinations.insider.settings import InsiderSettings
from cdi_cli.destinations.insider.values import Refusal, as_type, leaves
from cdi_cli.events import Event

BATCH_BYTES = 5_000_000
"""What Insider takes in one request, uncompressed (sheet "Insider", section 2)."""
EVENT_BYTES = 1_000_000
"""Our own bound for one user: Insider names none but the request's. An order of 1,500 lines fits."""
RECORD_BYTES = 512_000
"""One record of the catalogue (section 2)."""
RETENTION_MARGIN = timedelta(hours=1)
"""What is about to be too old is taken for too old: it may be by the time it arrives."""
CATALOG = b'{"catalog":'

_json = msgspec.json.Encoder()


class User(msgspec.Struct, gc=False):
    """A user as the upsert takes it, in wire order; what is unset is left out."""

    identifiers: dict[str, Any]
    attributes: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    not_append: bool | msgspec.UnsetType = msgspec.UNSET
    events: list[dict[str, Any]] | msgspec.UnsetType = msgspec.UNSET


class Encoder:
    """Encodes the events of one account; `clock` says how old they are."""

    def __init__(self, settings: InsiderSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        skip_hook = (settings.skip_hook, True)
        callback = {} if settings.error_callback is None else {"error_callback_endpoint": settings.error_callback}
        self._heads = [_json.encode({"skip_hook": skips, **callback})[:-1] + b',"users":[' for skips in skip_hook]

    @property
    def event_id_param(self) -> str | None:
        """The custom parameter that holds an event's id, if any does."""
        return self._settings.event_id_param

    def head(self, *, is_backfill: bool) -> bytes:
        """What stands before the users of a request; `]}` stands behind them."""
        return self._heads[is_backfill]

    def event(self, event: Event) -> bytes | Rejected | Filtered:
        """The event's bytes, why Insider would refuse it, or why it would not keep it; never raises."""
        try:
            encoded = self._catalog(event) if event.kind.startswith("product.") else self._user(event)
        except Refusal as refusal:
            return Rejected(refusal.reason, refusal.detail)
        except UnicodeEncodeError:
            return Rejected("insider_not_unicode", "a text of the event is not valid Unicode")
        except (TypeError, ValueError, ArithmeticError, RecursionError):
            return Rejected("insider_not_json", "the event holds a value that JSON cannot express")
        if isinstance(encoded, bytes) and len(encoded) > EVENT_BYTES:
            return Rejected("insider_event_too_large", f"the event takes {len(encoded):,} bytes, more than {EVENT_BYTES:,}")
        return encoded

    def event_name(self, kind: str, event_type: str, name: str) -> str:
        """Insider's name for an event; empty when nothing of the plan's name can be one."""
        own = self._settings.event_names.get(name) or self._settings.event_names.get(kind)
        if own is not None:
            return own
        return EVENT_NAMES[kind] if event_type == "track" and kind in EVENT_NAMES else snake(name)

    def _user(self, event: Event) -> bytes | Filtered:
        if event.type in ("identify", "group"):
            return self._profile(event)
        if event.type not in ("track", "page", "screen"):
            raise Refusal("insider_type_unsupported", "Insider has nothing for this type of message")
        name = self.event_name(event.kind, event.type, event.name)
        if not NAME.fullmatch(name):
            raise Refusal(
                "insider_event_name", "nothing of the event's name can be one in Insider: give it one in `event_names`"
            )
        if self._is_too_old(event, name):
            return Filtered("retention")
        named = identifiers(event, self._settings)
        if not named:
            return Filtered("no_identifier")
        at = event.at[:19] + "Z"
        events = [{"event_name": name, "timestamp": at, "event_params": params} for params in self._params(event, name)]
        return _json.encode(User(named, events=events))

    def _profile(self, event: Event) -> bytes | Filtered:
        named = identifiers(event, self._settings)
        if not named:
            return Filtered("no_identifier")
        values = attributes(event, self._settings)
        return _json.encode(User(named, attributes=values, not_append=True)) if values else Filtered("no_attributes")

    def _is_too_old(self, event: Event, name: str) -> bool:
        try:
            at = to_datetime(event.at)
            age = self._clock.now() - at
        except (TypeError, ValueError):
            raise Refusal("insider_timestamp_invalid", "the event's time is not an instant") from None
        return age > timedelta(days=self._settings.retention(name)) - RETENTION_MARGIN

    def _params(self, event: Event, name: str) -> list[dict[str, Any]]:
        found = line_params(event, self._settings) if name in LINE_EVENTS else [self._plain_params(event)]
        own = self._settings.event_id_param
        locale = locale_of(event)
        for params in found:
            if locale is not None:
                params.setdefault("locale", locale)
            if own is not None:
                params["custom"][own] = event.id
            if not params["custom"]:
                del params["custom"]
        return found

    def _plain_params(self, event: Event) -> dict[str, Any]:
        """Parameters of an event that is not about a single product; of products it names the ids."""
        default: dict[str, Any] = {}
        custom: dict[str, Any] = {}
        products = event.properties.get("products")
        for path, value in leaves({name: value for name, value in event.properties.items() if name != "products"}):
            kind = PARAMETERS.get(path)
            if kind is not None and (fitting := as_type(value, kind)) is not None:
                default[path] = fitting
            elif name := snake(path):
                custom.setdefault(name, value)
        if isinstance(products, list):
            ids = [item_id_of(line, self._settings) for line in products if isinstance(line, dict)]
            if known := [each for each in ids if each is not None]:
                custom.setdefault("product_ids", known)
        return default | {"custom": custom}

    def _catalog(self, event: Event) -> bytes | Filtered:
        if not self._settings.has_catalog:
            return Filtered("catalog_off")
        mode, found = catalog.records(event, self._settings)
        encoded = [_json.encode(record) for record in found]
        if max(map(len, encoded)) > RECORD_BYTES:
            raise Refusal("insider_product_too_large", f"a record of the product takes more than {RECORD_BYTES:,} bytes")
        return CATALOG + _json.encode(mode) + b',"records":[' + b",".join(encoded) + b"]}"


def joined(head: bytes, users: Sequence[bytes]) -> bytes:
    """The body of a request."""
    return head + b",".join(users) + b"]}"
