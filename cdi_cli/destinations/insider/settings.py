"""Settings of the Insider destination, as they stand in `cdi.yaml` under `destinations`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, field_validator, model_validator

from cdi_cli.config.privacy import ContactPolicy
from cdi_cli.config.types import ConnectorSettings, SecretReference
from cdi_cli.destinations.insider.names import RETENTION_DAYS, RETENTION_DAYS_OTHER
from cdi_cli.errors import ConfigError
from cdi_cli.http import checked_host

ENDPOINT = "https://unification.useinsider.com"
CATALOG_ENDPOINT = "https://catalog.api.useinsider.com"

USERS_MAX = 1000
"""Users in one request (sheet "Insider", section 2)."""

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_]*$", max_length=64)]
Locale = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}_[A-Z]{2}$")]
Text = Annotated[str, StringConstraints(min_length=1, max_length=256)]
OptIn = Literal["email_optin", "sms_optin", "whatsapp_optin", "gdpr_optin"]
OptIns = Annotated[
    list[OptIn], BeforeValidator(lambda value: [value] if isinstance(value, str) else value), Field(min_length=1)
]


class Identifiers(BaseModel):
    """What identifies a person; each must be enabled in Insider's Identity Resolution Management, others are ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    uuid: Literal["user_id"] | None = Field(
        default="user_id", description="What `uuid` holds: the customer id, or nothing (`null`)"
    )
    email: bool = Field(default=True, description="Identify by e-mail address where the event has one")
    phone_number: bool = Field(default=True, description="Identify by phone number where the event has one in E.164 form")
    custom: dict[Name, Literal["user_id", "anonymous_id"]] = Field(
        default_factory=dict, description="Custom identifiers by name, and which id each of them holds"
    )


class InsiderSettings(ConnectorSettings):
    """Which Insider account events and products go to, and as what."""

    type: Literal["insider"] = "insider"
    partner_name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]*$")] = Field(
        description="Partner name of the account, in lower case: Insider knows no other"
    )
    request_token: SecretReference = Field(description="Reference to the API key of the Unified Customer Database")
    catalog_token: SecretReference | None = Field(
        None, description="Reference to the API key of the catalogue, which is another one; products need it"
    )
    endpoint: str = Field(ENDPOINT, description="Base URL of the user API; http only for this machine")
    catalog_endpoint: str = Field(CATALOG_ENDPOINT, description="Base URL of the catalogue API; http only for this machine")
    identifiers: Identifiers = Field(
        Identifiers(), description="What identifies a person, by Insider's Identity Resolution Management"
    )
    event_names: dict[Text, Name] = Field(
        default_factory=dict,
        description="Insider's event by what triggers it (`order.refunded`) or by the plan's name, which goes first; "
        "absent: an order is a `purchase`, a checkout a `checkout_page_view`, all else its name in snake case",
    )
    event_id_param: Name | None = Field(
        "cdi_event_id",
        description="Custom parameter that holds the event's id, by which doubtful and repeated events can be found; define "
        "it for every event, or set it to `null`",
    )
    attributes: dict[Text, Name | None] = Field(
        default_factory=dict,
        description="Attribute by the trait's path (`address.city`), for traits that need another; `null`: not sent",
    )
    consent: dict[Text, OptIns] = Field(
        default_factory=dict,
        description="Opt-ins by consent category; `gdpr_optin` false stops all processing, so give it a category of its own",
    )
    retention_days: dict[Name, Annotated[int, Field(ge=1)]] = Field(
        default_factory=dict,
        description="How old events may be, by Insider's name, where the account keeps them longer or shorter than is usual",
    )
    skip_hook: bool = Field(False, description="Also a sync starts no journeys and feeds no streams; a backfill never does")
    error_callback: str | None = Field(
        None, description="Address that Insider tells of errors which it finds after it has answered"
    )
    item_id: Literal["product_id", "sku"] = Field(
        "sku",
        description="What identifies a product, in the catalogue and in events alike; by `product_id` its variants are one",
    )
    locales: list[Locale] = Field(
        default_factory=list, description="Locales of the catalogue, spelt as in its settings (`en_US`); products need them"
    )
    categories: Literal["hierarchical", "flat"] = Field(
        "hierarchical", description="How the account's catalogue understands a product's categories"
    )
    catalog_requests_per_minute: int = Field(
        60, ge=1, le=60, description="Pace of the catalogue; the account has 60 for all its callers together"
    )
    profile_reads_per_minute: int = Field(
        500, ge=1, le=1000, description="Pace of looking for doubtful events; the account has 1,000 units"
    )
    events_per_second: float = Field(1000.0, gt=0, description="Pace; a key may make 25,000 requests a minute")
    batch_events: int = Field(USERS_MAX, ge=1, le=USERS_MAX, description="Events in one request, at most")
    in_flight: int = Field(4, ge=1, le=32, description="Requests under way at once")
    contacts: ContactPolicy = Field(
        ContactPolicy(phone="normalized"), description="How e-mail addresses and phone numbers are sent"
    )
    preflight: Literal["stop", "warn"] = Field(
        "stop",
        description="What a run does that would send events, parameters or attributes which the panel does not know",
    )
    require_consent: list[Text] = Field(
        default_factory=list, description="Consent categories that must all be granted, else an event is not sent here"
    )
    ca_file: str | None = Field(None, description="PEM file with the authorities to trust instead of the public ones")

    @field_validator("endpoint", "catalog_endpoint", "error_callback")
    @classmethod
    def _check_url(cls, value: str | None) -> str | None:
        if value is None:
            return None
        try:
            checked_host(value)
        except ConfigError as error:
            msg = f"{error.message}; {error.hint}"
            raise ValueError(msg) from None
        if "?" in value or "#" in value:
            msg = "a base URL has no query and no fragment"
            raise ValueError(msg)
        return value.rstrip("/")

    @field_validator("attributes")
    @classmethod
    def _check_attributes(cls, value: dict[str, str | None]) -> dict[str, str | None]:
        if "gdpr_optin" in value.values():
            msg = "`gdpr_optin` comes from `consent` only: a trait that is false is no objection to all processing"
            raise ValueError(msg)
        return value

    @model_validator(mode="after")
    def _check_consent(self) -> InsiderSettings:
        optins = [optin for targets in self.consent.values() for optin in targets]
        if twice := sorted({optin for optin in optins if optins.count(optin) > 1}):
            msg = f"`{twice[0]}` can come from one consent category only"
            raise ValueError(msg)
        if any("gdpr_optin" in targets and len(targets) > 1 for targets in self.consent.values()):
            msg = "`gdpr_optin` needs a consent category of its own: who objects to mails does not object to all processing"
            raise ValueError(msg)
        return self

    @property
    def has_catalog(self) -> bool:
        """Whether products can be sent."""
        return self.catalog_token is not None and bool(self.locales)

    def retention(self, event_name: str) -> int:
        """How many days old an event of that name may be."""
        own = self.retention_days.get(event_name)
        return own if own is not None else RETENTION_DAYS.get(event_name, RETENTION_DAYS_OTHER)
