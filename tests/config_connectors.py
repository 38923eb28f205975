"""Connectors that only have settings: what the tests of `cdi_cli/config` hand in as known."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator, model_validator

from cdi_cli.config.known import Connectors, Known
from cdi_cli.config.load import load_settings
from cdi_cli.config.problems import Problem, SettingsError
from cdi_cli.config.settings import Settings
from cdi_cli.config.types import ConnectorSettings, SecretReference


class Lookups(ConnectorSettings):
    """A part inside a connector's settings."""

    codes: bool = Field(default=True, description="Look up codes")


class ShopSettings(ConnectorSettings):
    """A source with every sort of field."""

    project_key: str = Field(pattern=r"^[a-z0-9-]+$", description="Key of the project")
    region: str | None = Field(default=None, description="Region of the project")
    client_secret: SecretReference = Field(description="Secret of the client")
    tokens: tuple[SecretReference, ...] = Field(default=(), description="More secrets")
    page_size: int = Field(default=500, ge=1, le=500, description="Records a page")
    rate: float = Field(default=10.0, gt=0, description="Requests per second")
    ca_file: Path | None = Field(default=None, description="Certificates")
    lookups: Lookups = Field(default=Lookups(), description="What is looked up")

    @field_validator("region")
    @classmethod
    def _known_region(cls, region: str | None) -> str | None:
        if region not in (None, "north", "south"):
            raise ValueError(f"`{region}` is not a region: use north or south")
        return region


class SinkSettings(ConnectorSettings):
    """A destination that needs one of two settings."""

    type: Literal["sink"] = "sink"
    write_key: SecretReference = Field(description="Write key")
    region: Literal["us", "eu"] | None = Field(default=None, description="Region of the workspace")
    endpoint: str | None = Field(default=None, description="Address instead of a region")
    require_consent: list[str] = Field(default_factory=list, description="Categories")

    @model_validator(mode="after")
    def _one_place(self) -> SinkSettings:
        if self.region is None and self.endpoint is None:
            raise ValueError("give `region` or `endpoint`")
        return self


KNOWN = Known(
    sources=Connectors(["shop"], lambda _name: ShopSettings),
    destinations=Connectors(["sink"], lambda _name: SinkSettings),
    streams=lambda _name: ["customers", "orders"],
    kinds=("order.completed", "order.updated"),
    id_fields=("entity_id", "entity_number", "event", "discriminator"),
)

GOOD = """\
workspace: acme
sources:
  main:
    type: shop
    project_key: my-shop
    client_secret: ${SHOP_SECRET}
destinations:
  sink: {type: sink, write_key: "${SINK_KEY}", region: eu}
pipelines:
  daily: {source: main, destinations: [sink]}
"""


def write(folder: Path, text: str) -> Path:
    """A settings file with this text."""
    file = folder / "cdi.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def load(folder: Path, text: str, **environment: str) -> Settings:
    """The settings that a text means."""
    return load_settings(write(folder, text), known=KNOWN, environment=environment)


def problems_of(folder: Path, text: str, **environment: str) -> tuple[Problem, ...]:
    """The mistakes of a text; fails when it has none."""
    try:
        load(folder, text, **environment)
    except SettingsError as error:
        return error.problems
    raise AssertionError("the settings were accepted")


def brief(problem: Problem) -> tuple[int, str, str | None]:
    """A problem as tests compare it: line, message, hint."""
    return problem.line, problem.message, problem.hint


def changed(old: str, new: str, text: str = GOOD) -> str:
    """A good file with one change, which must really change something."""
    assert text.count(old) == 1, old
    return text.replace(old, new)
