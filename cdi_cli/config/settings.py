"""What a `cdi.yaml` means: frozen models whose field descriptions are the documentation and the editor's JSON Schema.

    workspace: acme
    sources:       {shop: {type: commercetools, ...}}
    destinations:  {segment: {type: segment, ...}}
    pipelines:     {main: {source: shop, destinations: [segment]}}

Unknown keys are errors everywhere. Paths are relative to the file that names them and absolute once it is read. What is
inside a source or destination belongs to its connector; here it is only held (`Connector.settings`). The values that name
something of a higher layer (streams, lifecycle kinds, fields of an id) are text here and checked in `config/load.py`
against what the caller knows.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SerializeAsAny, StringConstraints

from cdi_cli.config.durations import Duration, at_least
from cdi_cli.config.privacy import RegionPolicy
from cdi_cli.config.routing import RoutingRule
from cdi_cli.config.types import SecretReference

SLUG_PATTERN = r"^[a-z0-9_-]{1,64}$"
CATEGORY_PATTERN = r"^\S(.{0,32}\S)?$"
FIELD_PATTERN = r"^[^.\s]+(\.[^.\s]+)*$"
STATE_DEFAULT = Path(".cdi/state.db")

Slug = Annotated[str, StringConstraints(pattern=SLUG_PATTERN)]
Category = Annotated[str, StringConstraints(pattern=CATEGORY_PATTERN)]
"""A consent category as destinations know it; Segment drops events whose category id has 35 characters or more."""

ConsentValue = bool | int | str


class _Part(BaseModel):
    """The base of all parts: unknown keys are errors, nothing changes after reading, no input in error texts."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class LogSettings(_Part):
    """Where the structured log goes; without this there is none."""

    file: Path = Field(description="File that JSON lines are appended to, relative to this file")
    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least important level written"
    )


class IdentityPolicy(_Part):
    """Which values say who an event happened to."""

    user_id: Literal["customer_id", "email_sha256"] = Field(
        default="customer_id",
        description="What a known customer's userId is: the platform's customer id, or the SHA-256 of the e-mail",
    )
    guest_id: Literal["anonymous_id", "email"] = Field(
        default="anonymous_id",
        description="What a guest's anonymousId is: the platform's session id where it kept one, or one made of the e-mail",
    )
    link_guests: Literal["never", "verified", "always"] = Field(
        default="verified",
        description="Whose profile names the guest that had ordered under its e-mail address, so that the two are joined: "
        "of customers whose address was verified, of everybody, or of nobody",
    )


class ConsentRule(_Part):
    """Where a record keeps one consent, and how to read it; any other value, or none, counts as not given."""

    field: str = Field(
        min_length=1,
        pattern=FIELD_PATTERN,
        description="Dotted path from the record's root, for example custom.fields.marketingConsent",
    )
    granted: tuple[ConsentValue, ...] = Field(default=(True,), min_length=1, description="Values that mean yes")
    denied: tuple[ConsentValue, ...] = Field(default=(False,), description="Values that mean no")
    customer_field: str | None = Field(
        default=None,
        min_length=1,
        pattern=FIELD_PATTERN,
        description="Where the customer's record keeps it, if elsewhere; asked, as it stands now, for orders and carts "
        "whose own record does not say",
    )
    regimes: dict[Slug, Literal["opt_in", "opt_out"]] = Field(
        default_factory=dict, description="Region of this file: the regime of this category there, if it is not the region's"
    )


class LifecyclePolicy(_Part):
    """Which state of an order makes which event."""

    order_completed: Literal["placed", "paid", "fulfilled"] | None = Field(
        default=None,
        description="The state that an order must have reached to be an Order Completed; `placed` when absent, `paid` where "
        "an order exists before it was bought (Elastic Path)",
    )
    checkout_started: Literal["cart", "created", "authorized"] | None = Field(
        default=None,
        description="What makes a Checkout Started: a `cart` that reached checkout, an order that was `created`, or one "
        "whose payment was `authorized`; `cart` when absent, `created` where the source has no carts (Elastic Path)",
    )
    customer_updated: Literal["updated", "deleted"] | None = Field(
        default=None,
        description="When a customer's profile is told: whenever it was `updated` (when absent), or only that it was "
        "`deleted`; not at all with `off: [customer.profile]`",
    )
    off: tuple[str, ...] = Field(
        default=(),
        description="Kinds that make no event at all: order.updated, order.cancelled, order.refunded, customer.created, ...",
    )
    groups: tuple[Literal["business_unit", "store", "company"], ...] = Field(
        default=("business_unit",), description="What people are told to belong to (group.member)"
    )


class SyncPolicy(_Part):
    """How a delta sync reads by modification time; the source's own values when absent."""

    overlap: Duration | None = Field(
        default=None, description="How far each sync reads back behind the last one, for example 5m"
    )
    settle: Duration | None = Field(
        default=None,
        description="How long a change may take to become visible; what is younger is left to the next sync",
    )


class BreakerPolicy(_Part):
    """When a run stops itself because too much of what it makes is rejected, before that fills the dead letters."""

    rejected_share_max: float = Field(default=0.2, gt=0, le=1, description="Share of rejected events that stops the run")
    rejected_min: int = Field(default=100, ge=1, description="Rejected events before that share counts")


class LedgerPolicy(_Part):
    """What the ledger of deliveries keeps."""

    keep: Annotated[Duration, at_least(86_400)] | None = Field(
        default=None,
        description="Forget what was sent for orders and carts created longer ago, for example 1825d; they are then never "
        "sent again. Kept for ever when absent",
    )


class NotifyPolicy(_Part):
    """Who is told when a run fails and when runs go well again."""

    webhook: SecretReference = Field(
        description="Address that gets a JSON message with a `text`, as Slack and others take it"
    )


class PipelineSettings(_Part):
    """One way of the data: from one source to one or more destinations."""

    source: Slug = Field(description="Name of a source of this file")
    destinations: tuple[Slug, ...] = Field(min_length=1, description="Names of destinations of this file")
    streams: tuple[str, ...] | None = Field(
        default=None, min_length=1, description="Streams to read; the source's default streams when absent"
    )
    plan: Path | None = Field(
        default=None, description="Folder of this pipeline's tracking plan, where it is not that of the whole file"
    )
    identity: IdentityPolicy = Field(default=IdentityPolicy(), description="Who an event happened to")
    consent: dict[Category, ConsentRule] = Field(
        default_factory=dict, description="Consent category, as the destination names it: where the record keeps it"
    )
    require_consent: tuple[str, ...] = Field(
        (), description="Categories without which an event is filtered; each must be listed under consent"
    )
    lifecycle: LifecyclePolicy = Field(default=LifecyclePolicy(), description="Which state makes which event")
    ids: dict[str, str] = Field(
        default_factory=dict,
        description='Own id per event name, shared with a storefront: {Order Completed: "{entity_number}-order-completed"}',
    )
    routing: tuple[RoutingRule, ...] = Field(
        default=(), description="Rules in order: which events go where, as what, and which are held back"
    )
    workers: int = Field(default=4, ge=1, le=64, description="Partitions read at the same time")
    sync: SyncPolicy = Field(default=SyncPolicy(), description="How a delta sync reads")
    breaker: BreakerPolicy = Field(default=BreakerPolicy(), description="When a run stops itself")


class Connector(BaseModel):
    """A named source or destination: its type, and the settings that its connector read."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: str
    settings: SerializeAsAny[BaseModel]


class Settings(_Part):
    """A whole `cdi.yaml`, checked; all paths are absolute, `file` is the one it was read from."""

    file: Path = Field(exclude=True)
    workspace: Slug = Field(description="Name of this company or shop; part of every event id, so never change it")
    plan: Path | None = Field(default=None, description="Folder of the tracking plan; the built-in plan when absent")
    state: Path = Field(default=STATE_DEFAULT, description="The checkpoint file")
    log: LogSettings | None = Field(default=None, description="Structured log")
    ledger: LedgerPolicy = Field(default=LedgerPolicy(), description="The memory of what was delivered")
    metrics_file: Path | None = Field(
        default=None, description="File that every run's figures are written to, in Prometheus' text format"
    )
    notify: NotifyPolicy | None = Field(default=None, description="Who is told when runs fail, and when they recover")
    regions: dict[Slug, RegionPolicy] = Field(
        default_factory=dict, description="What counts as consent in which countries; opt_in in those of no region"
    )
    sources: dict[Slug, Connector] = Field(min_length=1, description="Platforms that data is pulled from, by name")
    destinations: dict[Slug, Connector] = Field(min_length=1, description="Products that events are sent to, by name")
    pipelines: dict[Slug, PipelineSettings] = Field(min_length=1, description="Which source feeds which destinations")
