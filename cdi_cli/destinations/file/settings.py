"""Settings of the file destination, as they stand in `cdi.yaml` under `destinations`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from cdi_cli.config.privacy import ContactPolicy
from cdi_cli.config.types import ConnectorSettings

Per = Literal["run", "day", "event"]


class FileSettings(ConnectorSettings):
    """Where the files go and what is in one."""

    type: Literal["file"] = "file"
    folder: Path = Field(description="Folder of the files, relative to this file; made, for this user alone, if missing")
    format: Literal["jsonl", "jsonl.gz"] = Field("jsonl", description="JSON lines as they are, or compressed with gzip")
    per: Per = Field(
        "run", description="One file for each run, or in sub-folders one for each day of business time (UTC) or each event"
    )
    events_per_second: float = Field(100_000.0, gt=0, description="Pace")
    require_consent: list[Annotated[str, StringConstraints(min_length=1)]] = Field(
        default_factory=list, description="Consent categories that must all be granted, else an event is not written"
    )
    contacts: ContactPolicy = Field(ContactPolicy(), description="How e-mail addresses and phone numbers are written")
