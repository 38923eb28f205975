"""Consent: what a person agreed to, and what the law of their country makes of those who said nothing.

A region is a list of countries with a regime. Under `opt_in` what is unknown counts as not given, under `opt_out` as given
until it is denied. A "no" is a no everywhere. A country of no region, and a record without a country, are under `opt_in`.

Consent is as of the event where the event's own record holds it; a category that a source looked up in the customer's
present record (`Consent.as_of_now`) is as of now, and may have changed since the event.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from cdi_cli.commerce import Cart, Consent, Customer, Order

Regime = Literal["opt_in", "opt_out"]
ANYWHERE = "*"
_COUNTRY = re.compile(r"[A-Z]{2}")


class ConsentPolicy(msgspec.Struct, frozen=True):
    """Which regime holds where.

    `regions`: country (`*`: any that is not listed) -> name of its region; `regimes`: region -> regime; `exceptions`:
    category -> region -> regime, where a category has another one than its region.
    """

    regions: Mapping[str, str] = {}
    regimes: Mapping[str, Regime] = {}
    exceptions: Mapping[str, Mapping[str, Regime]] = {}

    def region(self, country: str | None) -> str | None:
        """The region of a country; None for one that is in none, and where the country is unknown."""
        return (self.regions.get(country) or self.regions.get(ANYWHERE)) if country else None

    def regime(self, category: str, region: str | None) -> Regime:
        """Whether what is unknown of a category counts as given in a region."""
        if region is None:
            return "opt_in"
        own: Regime | None = self.exceptions.get(category, {}).get(region)
        return own or self.regimes.get(region, "opt_in")


def country_of(entity: Order | Cart | Customer) -> str | None:
    """Where the person is: the country of the shipping address, else of the billing address, else of the record itself."""
    if isinstance(entity, Customer):
        found = entity.address.country if entity.address is not None else None
    else:
        addresses = (entity.shipping_address, entity.billing_address)
        found = next((one.country for one in addresses if one is not None and one.country), None)
    country = (found or entity.country or "").strip().upper()
    return country if _COUNTRY.fullmatch(country) else None


def consent_of(consent: Consent, country: str | None = None, policy: ConsentPolicy | None = None) -> dict[str, Any]:
    """Consent as `context.consent`: Segment's preferences, and what they do not say.

    `denied`: categories denied in so many words: a destination where "no" ends what was agreed to elsewhere must not take
    what is unknown for a no. `assumed`: given only because `region` is under opt-out. `asOfNow`: told by the customer's
    present record.
    """
    states = consent.categories
    region = policy.region(country) if policy is not None else None
    given = preferences(consent)
    assumed: list[str] = []
    if policy is not None and region is not None:
        unknown = (category for category, state in states.items() if state == "unknown")
        assumed = [category for category in unknown if policy.regime(category, region) == "opt_out"]
        given |= dict.fromkeys(assumed, True)
    said: dict[str, Any] = {"categoryPreferences": given}
    if denied := [category for category, state in states.items() if state == "denied"]:
        said["denied"] = denied
    if assumed:
        said["assumed"] = assumed
    if region is not None:
        said["region"] = region
    if consent.as_of_now:
        said["asOfNow"] = list(consent.as_of_now)
    return said


def as_of_event(said: Mapping[str, Any]) -> dict[str, Any]:
    """A `context.consent` without what came of the customer's present record: what belongs to the event itself."""
    now = said.get("asOfNow")
    if not now:
        return dict(said)
    kept: dict[str, Any] = {key: value for key, value in said.items() if key != "asOfNow"}
    kept["categoryPreferences"] = {name: given for name, given in said["categoryPreferences"].items() if name not in now}
    for key in ("denied", "assumed"):
        if left := [category for category in kept.pop(key, ()) if category not in now]:
            kept[key] = left
    return kept


def preferences(consent: Consent) -> dict[str, bool]:
    """Consent as Segment's `categoryPreferences`: true only where it was given; unknown counts as not given."""
    return {category: state == "granted" for category, state in consent.categories.items()}
