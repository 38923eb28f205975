"""What a `cdi.yaml` says of personal data: which law holds where, and how a destination takes contacts.

regions:
  europe: {countries: [EEA, GB, CH], regime: opt_in}
  america: {countries: [US], regime: opt_out}
destinations:
  ads: {type: segment, contacts: {email: sha256, email_rule: email_google_v1, phone: omit}, ...}
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

REGIONAL_PATTERN = r"^([A-Z]{2}|EEA|\*)$"
MISTAKEN = {"UK": "GB", "EL": "GR"}
"""What is often written for the code of a country."""

Regional = Annotated[str, StringConstraints(pattern=REGIONAL_PATTERN)]


def refuse_mistaken(countries: Iterable[str]) -> None:
    """Raise ValueError for what looks like the code of a country and is none."""
    for country in countries:
        if country in MISTAKEN:
            msg = f"`{country}` is no country code: write `{MISTAKEN[country]}`"
            raise ValueError(msg)


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class RegionPolicy(_Part):
    """Countries under one regime of consent. A country belongs to the first region that lists it."""

    countries: tuple[Regional, ...] = Field(
        min_length=1,
        description="Countries (ISO 3166 alpha-2); `EU` and `EEA` stand for their members, `*` for every other country",
    )
    regime: Literal["opt_in", "opt_out"] = Field(
        description="What an unknown consent counts as: `opt_in` as not given, `opt_out` as given until it is denied"
    )

    @field_validator("countries")
    @classmethod
    def _check_codes(cls, countries: tuple[str, ...]) -> tuple[str, ...]:
        refuse_mistaken(countries)
        return countries


class ContactPolicy(_Part):
    """How a destination takes e-mail addresses and phone numbers, wherever an event holds them."""

    email: Literal["plain", "normalized", "sha256", "omit"] = Field(
        default="plain",
        description="`plain`: as the record has it; `normalized`: by `email_rule`; `sha256`: hash of that; `omit`: not sent",
    )
    email_rule: Literal["email_v1", "email_google_v1"] = Field(
        default="email_v1",
        description="`email_v1`: trimmed and in lower case; `email_google_v1`: Gmail addresses without dots and `+tag`",
    )
    phone: Literal["plain", "normalized", "sha256", "omit"] = Field(
        default="plain",
        description="The same for phone numbers; the normalised form is E.164, by the record's country where they say none",
    )
    phone_rule: Literal["phone_v1"] = Field(default="phone_v1", description="`phone_v1`: E.164")
    already_hashed: bool = Field(
        default=False, description="Records may hold hashes in place of contacts: these are sent as they are, else left out"
    )
