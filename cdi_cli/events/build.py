"""From an occurrence and its mapped properties to an event: identity, context, id, digests."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from cdi_cli.commerce import Customer, Entity, Group, Product
from cdi_cli.events.consent import ConsentPolicy, as_of_event, consent_of, country_of
from cdi_cli.events.event import Event, EventType
from cdi_cli.events.groups import MEMBERSHIP_SINCE
from cdi_cli.events.identity import IdentitySettings, identity_of
from cdi_cli.events.ids import IdFormat, content_of, event_id, key_of
from cdi_cli.events.lifecycle import KINDS, Occurrence

PRODUCT_FAMILY = "product"
_encode = msgspec.json.Encoder().encode


class EventBuilder:
    """Builds events of one pipeline; holds what they share (id namespace, identity policy, plan).

    `event_version` is the plan's major version, for Segment's Protocols; `plan` its name and whole version, which every
    event carries as `context.trackingPlan` (None: it carries none). `consent`: what counts as consent in which country
    (None: only what was given).
    """

    def __init__(
        self,
        ids: IdFormat,
        identity: IdentitySettings,
        *,
        event_version: int,
        plan: tuple[str, str] | None = None,
        consent: ConsentPolicy | None = None,
    ) -> None:
        self._ids = ids
        self._identity = identity
        self._consent = consent
        self._protocols = {"event_version": event_version}
        self._plan = {"name": plan[0], "version": plan[1]} if plan is not None else None

    @property
    def workspace(self) -> str:
        """What all ids of the pipeline begin with."""
        return self._ids.workspace

    @property
    def namespace(self) -> str:
        """What ids of events made of the pipeline's records begin with, where they have no form of their own."""
        return f"cdi:{self._ids.workspace}:{self._ids.source}:"

    def build(
        self, occurrence: Occurrence, name: str, event_type: EventType, properties: dict[str, Any], *, stamp: str = ""
    ) -> Event | None:
        """The event, or None when the record names nobody it could belong to; a product's belongs to nobody.

        `stamp` tells apart ids of an equal content and version, where a platform's versions stand still while records
        change; it must be the same whenever the same reading is repeated.
        """
        entity = occurrence.entity
        user_id, anonymous_id = (None, None) if isinstance(entity, Product) else identity_of(entity, self._identity)
        if user_id is None and anonymous_id is None and not isinstance(entity, Product):
            return None
        context = self.context(entity, is_guest=user_id is None)
        body = _encode(properties)
        kind = KINDS[occurrence.kind]
        content, discriminator = content_of(body), occurrence.discriminator
        group = occurrence.subjects.get("group")
        entity_id, created_at = entity.id, entity.created_at
        if isinstance(group, Group):
            context["groupId"] = group.id
            # A membership is one thing whichever record tells of it, so nothing of the record itself is part of it.
            entity_id, created_at = f"{user_id or anonymous_id}:{group.id}", MEMBERSHIP_SINCE
            content = content_of(body + _encode(user_id or anonymous_id))
            discriminator = content.hex()
        elif kind.repeats == "content":
            content = content_of(body + _encode((user_id, anonymous_id, _lasting(context, kind.family))))
            # The version keeps a return to an earlier content (consent given, then withdrawn again) from sharing its id.
            discriminator = f"{entity.version}-{content.hex()}{f'-{stamp}' if stamp else ''}"
        if self._plan is not None:
            # After the digest: a profile is not sent again because a description in the plan was corrected.
            context["trackingPlan"] = self._plan
        made_of = {"family": kind.family, "entity_id": entity_id, "event": name}
        number = getattr(entity, "number", None)
        identifier = event_id(self._ids, **made_of, discriminator=discriminator, entity_number=number)
        place = identifier
        if occurrence.is_cumulative:
            place = self._place_of(occurrence, name)
            content = cumulative_content(occurrence)
        whole = None
        if kind.repeats == "content" or (kind.has_whole and discriminator):
            whole = event_id(self._ids, **made_of, discriminator="", entity_number=number)
        if kind.repeats == "content" and whole is not None:
            place = whole
        return Event(
            id=identifier,
            kind=kind.name,
            type=event_type,
            name=name,
            at=occurrence.at,
            user_id=user_id,
            anonymous_id=anonymous_id,
            properties=properties,
            context=context,
            body=body,
            family=kind.family,
            entity_id=entity.id,
            created_at=created_at,
            key=key_of(place),
            content=content,
            whole_key=key_of(whole) if whole is not None and kind.has_whole else None,
        )

    def key_of_payment(self, occurrence: Occurrence, name: str) -> bytes:
        """Where the ledger keeps how much of a payment was told to have gone back (`Occurrence.is_cumulative`)."""
        return key_of(self._place_of(occurrence, name))

    def _place_of(self, occurrence: Occurrence, name: str) -> str:
        """The id that all cumulative refunds of one payment share."""
        order, refund = occurrence.entity, occurrence.subjects["refund"]
        made_of = {"family": KINDS[occurrence.kind].family, "entity_id": order.id, "event": name}
        number = getattr(order, "number", None)
        return event_id(self._ids, **made_of, discriminator=f"payment-{refund.payment_id}", entity_number=number)

    def context(self, entity: Entity, *, is_guest: bool) -> dict[str, Any]:
        """The Segment `context`: locale, consent, group, store, channel, country, and a guest's e-mail as a trait."""
        context: dict[str, Any] = {"protocols": self._protocols}
        if isinstance(entity, Product):
            return context
        if entity.locale:
            context["locale"] = entity.locale
        if entity.consent.categories:
            context["consent"] = consent_of(entity.consent, country_of(entity), self._consent)
        if is_guest and entity.email:
            context["traits"] = {"email": entity.email}
        if not isinstance(entity, Customer) and entity.business_unit:
            context["groupId"] = entity.business_unit
        places = ("store", "channel", "country")
        if shop := {place: value for place in places if (value := getattr(entity, place, None))}:
            context["shop"] = shop
        return context

    def stamp(self, context: dict[str, Any], country: str | None, categories: Iterable[str]) -> dict[str, Any]:
        """The context of a ready-made event with what every event of the pipeline carries.

        What its `consent` says stands, and what it calls `denied` is not given, whatever its preferences say. Of these
        categories, those that it says nothing of are given in a country where that counts as consent.
        """
        stamped = {**context, "protocols": {**context.get("protocols", {}), **self._protocols}}
        if self._plan is not None:
            stamped["trackingPlan"] = self._plan
        said = stamped.get("consent", {})
        given = said.get("categoryPreferences", {})
        if denied := said.get("denied"):
            given = {**given, **dict.fromkeys(denied, False)}
            stamped["consent"] = said = {**said, "categoryPreferences": given}
        region = self._consent.region(country) if self._consent is not None else None
        if self._consent is None or region is None:
            return stamped
        silent = [category for category in categories if category not in given]
        if assumed := [category for category in silent if self._consent.regime(category, region) == "opt_out"]:
            stamped["consent"] = {
                **said,
                "categoryPreferences": {**given, **dict.fromkeys(assumed, True)},
                "assumed": [*said.get("assumed", []), *assumed],
                "region": region,
            }
        return stamped


def cumulative_content(occurrence: Occurrence) -> bytes:
    """What went back so far, as the ledger keeps it (8 bytes): a larger sum is a later one."""
    return int(occurrence.subjects["refund"].so_far.minor).to_bytes(8, "big")


def changed(event: Event, *, properties: dict[str, Any], name: str | None = None, context: Any = None) -> Event:
    """The event with other properties (and name and context where given), under the id and digests that it had.

    The digest stands for what the record said, so that a repeat is recognised whatever was stripped or renamed.
    """
    return msgspec.structs.replace(
        event,
        name=name or event.name,
        properties=properties,
        body=_encode(properties),
        context=context if context is not None else event.context,
    )


def _lasting(context: dict[str, Any], family: str) -> dict[str, Any]:
    """The context that makes an event a new one where it changes: not what a customer's record says beside an order's."""
    if family == "customer" or "asOfNow" not in context.get("consent", ()):
        return context
    return {**context, "consent": as_of_event(context["consent"])}


def missing_consent(event: Event, required: tuple[str, ...]) -> str | None:
    """The first required category that the event's person has not granted, or None when all are: a product is nobody."""
    if event.family == PRODUCT_FAMILY:
        return None
    given = event.context.get("consent", {}).get("categoryPreferences", {})
    return next((category for category in required if not given.get(category, False)), None)
