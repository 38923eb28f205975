"""Settings of the mParticle destination, as they stand in `cdi.yaml` under `destinations`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

from cdi_cli.config.privacy import ContactPolicy
from cdi_cli.config.types import ConnectorSettings, SecretReference
from cdi_cli.errors import ConfigError
from cdi_cli.http import checked_host

PODS = ("us1", "us2", "eu1", "au1")
"""mParticle's data centres; the Events API of one is `https://s2s.{pod}.mparticle.com/v2` (sheet "mParticle", section 1)."""

BATCH_EVENTS_MAX = 100
"""Batches in one bulk request, and events in it: the vendor's page names both, so both are kept (section 2)."""

Text = Annotated[str, StringConstraints(min_length=1, max_length=256)]
Key = Annotated[str, StringConstraints(min_length=1, pattern=r"^[!-9;-~]+$")]
Action = Literal[
    "purchase", "refund", "checkout", "checkout_option", "add_to_cart", "remove_from_cart", "view_detail", "click",
    "add_to_wishlist", "remove_from_wish_list", "custom_event",
]  # fmt: skip
Identity = Literal["email", "mobile_number"]
OtherIdentity = Literal[
    "other", "other_id_2", "other_id_3", "other_id_4", "other_id_5", "other_id_6", "other_id_7", "other_id_8", "other_id_9",
    "other_id_10",
]  # fmt: skip


class ConsentTarget(BaseModel):
    """Where one consent category goes: to a GDPR purpose, to the CCPA's opt-out of data sale, or to both."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    gdpr: Text | None = Field(None, description="Purpose, by its exact name; it must exist in mParticle before it is used")
    ccpa: bool = Field(
        False, description="The category stands for the sale of data: `data_sale_opt_out` is set where it is not granted"
    )
    document: Text | None = Field(None, description="What was agreed to: name or version of the text")

    @model_validator(mode="after")
    def _check_target(self) -> ConsentTarget:
        if self.gdpr is None and not self.ccpa:
            msg = "name a purpose with `gdpr`, or write `ccpa: true`"
            raise ValueError(msg)
        return self


class MparticleSettings(ConnectorSettings):
    """Where events go in mParticle, as what, and how fast."""

    type: Literal["mparticle"] = "mparticle"
    pod: Literal["us1", "us2", "eu1", "au1"] | None = Field(
        None, description="Data centre of the account, as in the address of its dashboard; never guessed"
    )
    endpoint: str | None = Field(
        None, description="Base URL to use instead of the pod's own (a proxy, the sandbox); http only for this machine"
    )
    key: Key = Field(description="Key of a custom feed or platform input; a partner feed cannot set consent")
    secret: SecretReference = Field(description="Reference to the secret of that input")
    environment: Literal["production", "development"] = Field(
        description="Which data it is; mParticle takes a batch that does not say for production, so it is never guessed"
    )
    historical_after: Literal["30d", "72h"] = Field(
        "30d",
        description="Age from which events go to the historical endpoint, which forwards nothing to event outputs; 72h is "
        "the least that mParticle allows",
    )
    data_plan_id: Text | None = Field(None, description="Data plan that batches are checked against")
    data_plan_version: int | None = Field(None, ge=1, description="Version of the data plan; absent: the latest active one")
    consent: dict[Text, ConsentTarget] = Field(
        default_factory=dict, description="Where each consent category of the pipeline goes; others are not sent"
    )
    consent_with: Literal["every_event", "profiles"] = Field(
        "every_event",
        description="Which batches carry the consent state: with `profiles`, that of an old order never follows a newer one",
    )
    identities: list[Identity] = Field(
        default=["email", "mobile_number"],
        description="What identifies a person besides the customer id, where it is known; a phone number must be in E.164",
    )
    anonymous_identity: OtherIdentity | None = Field(
        "other", description="Identity that holds the anonymous id; `null`: it is not sent"
    )
    event_actions: dict[Text, Action] = Field(
        default_factory=dict,
        description="Product action of an event by its name, or `custom_event`; absent: by what triggers it (an order is a "
        "purchase, a refund a refund, a checkout a checkout, all else a custom event)",
    )
    custom_attributes: list[Text] | None = Field(
        None, description="Properties that may become attributes of events and products, by name; absent: all that fit"
    )
    oversized: Literal["reject", "trim"] = Field(
        "reject",
        description="What does not fit (an attribute over 4,096 characters, the 101st attribute, an order over 128 KB): "
        "`reject` keeps the event as a dead letter, `trim` sends it without those attributes",
    )
    events_per_second: float = Field(
        250.0, gt=0, description="Pace; mParticle takes 270 batches a second by default, and each event is a batch"
    )
    ramp_up_seconds: float = Field(
        60.0, ge=0, le=3600, description="How long a run takes to reach that pace; mParticle refuses who speeds up too fast"
    )
    batch_events: int = Field(BATCH_EVENTS_MAX, ge=1, le=BATCH_EVENTS_MAX, description="Events in one request, at most")
    in_flight: int = Field(2, ge=1, le=16, description="Requests under way at once")
    contacts: ContactPolicy = Field(
        ContactPolicy(phone="normalized"), description="How e-mail addresses and phone numbers are sent"
    )
    require_consent: list[Text] = Field(
        default_factory=list, description="Consent categories that must all be granted, else an event is not sent here"
    )
    ca_file: str | None = Field(None, description="PEM file with the authorities to trust instead of the public ones")

    @field_validator("endpoint")
    @classmethod
    def _check_endpoint(cls, value: str | None) -> str | None:
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

    @model_validator(mode="after")
    def _check_whole(self) -> MparticleSettings:
        if self.pod is None and self.endpoint is None:
            msg = f"`pod` is missing: write one of {', '.join(f'`{pod}`' for pod in PODS)}, whichever the account is in"
            raise ValueError(msg)
        if self.data_plan_version is not None and self.data_plan_id is None:
            msg = "`data_plan_version` needs `data_plan_id`"
            raise ValueError(msg)
        purposes = [target.gdpr for target in self.consent.values() if target.gdpr is not None]
        if len(set(purposes)) < len(purposes) or sum(target.ccpa for target in self.consent.values()) > 1:
            msg = "`consent` sends two categories to one place"
            raise ValueError(msg)
        return self

    @property
    def base_url(self) -> str:
        """The base URL of the Events API, without `/v2`; `endpoint` wins over `pod`."""
        return self.endpoint if self.endpoint is not None else f"https://s2s.{self.pod}.mparticle.com"
