"""Settings of the Segment destination, as they stand in `cdi.yaml` under `destinations`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, field_validator, model_validator

from cdi_cli.config.privacy import ContactPolicy
from cdi_cli.config.types import ConnectorSettings, SecretReference
from cdi_cli.destinations.segment.rules import CATEGORY_CHARACTERS_MAX
from cdi_cli.errors import ConfigError
from cdi_cli.http import checked_host

ENDPOINTS = {"us": "https://api.segment.io", "eu": "https://events.eu1.segmentapis.com"}
"""Tracking API by region (segment.com/docs, "Regional Segment"); a workspace takes events in its own region only."""

BATCH_EVENTS_MAX = 2500
"""Above it Segment answers 200 and rejects events (segment.com/docs, "HTTP API: batch")."""

Category = Annotated[str, StringConstraints(min_length=1, max_length=CATEGORY_CHARACTERS_MAX)]
Integration = Annotated[str, StringConstraints(min_length=1)]


class SegmentSettings(ConnectorSettings):
    """Where events go in Segment and how fast."""

    type: Literal["segment"] = "segment"
    write_key: SecretReference = Field(description="Reference to the write key of an HTTP API source")
    region: Literal["us", "eu"] | None = Field(
        None, description="Region of the workspace; in the wrong one events vanish without an error, so it is never guessed"
    )
    endpoint: str | None = Field(
        None, description="Base URL to use instead of the region's own (a proxy, the sandbox); http only for this machine"
    )
    integrations: dict[Integration, bool] | None = Field(
        None,
        description="Which Segment destinations a sync's events go to, by their exact names; absent: all. "
        "A misspelt name is ignored by Segment",
    )
    backfill_integrations: list[Integration] = Field(
        default_factory=list,
        description="Segment destinations and warehouses that history goes to as well, by their exact names; "
        "everything else is off for a backfill ('All' turns everything on)",
    )
    events_per_second: float = Field(
        500.0, gt=0, description="Pace; a workspace takes 1,000 events a second from all its sources together"
    )
    batch_events: int = Field(250, ge=1, le=BATCH_EVENTS_MAX, description="Events in one request, at most")
    in_flight: int = Field(4, ge=1, le=64, description="Requests under way at once")
    gzip: bool = Field(True, description="Compress requests")
    contacts: ContactPolicy = Field(ContactPolicy(), description="How e-mail addresses and phone numbers are sent")
    require_consent: list[Category] = Field(
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
    def _check_region(self) -> SegmentSettings:
        if self.region is None and self.endpoint is None:
            msg = "`region` is missing: write `us` or `eu`, whichever the workspace was created in"
            raise ValueError(msg)
        return self

    @property
    def base_url(self) -> str:
        """The base URL of the Tracking API; `endpoint` wins over `region`."""
        return self.endpoint if self.endpoint is not None else ENDPOINTS[self.region or "us"]

    def integrations_for(self, *, is_backfill: bool) -> dict[str, bool] | None:
        """The batch's `integrations` object; None leaves it out, which means all."""
        if not is_backfill:
            return self.integrations
        return {"All": False} | dict.fromkeys(self.backfill_integrations, True)
