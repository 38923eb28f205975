"""How a sandbox is set up, and the settings file that points `cdi` at one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from textwrap import indent
from typing import Any

from cdi_cli.clock import Instant
from cdi_cli.sandbox.elasticpath.options import ElasticPathOptions
from cdi_cli.sandbox.magento.options import MagentoOptions
from cdi_cli.sandbox.system import SystemSpec, spec_of


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxOptions:
    """What a sandbox holds and how it answers; equal options (with `now` given) make equal data.

    `sources`: the platforms whose data is made before anything is served; data of others is made when they are first asked.
    `now`: the moment up to which the data reaches, two years deep (None: the start of the present day, UTC).
    `order_bytes`: pad orders with variant prices and attributes, as real shops have them, to about this size (None: as
    small as they come, 2-4 KB). `poison`: how many orders cannot be read: those of commercetools carry a text where a number
    must be, as those of Elastic Path, those of Magento fail every page that they are on. `anonymised`: how many
    customers were stripped of personal data. `latency_ms`: what every call waits first. `token_seconds`: life of an
    access token. `scopes`: what the API client may do, as `view_orders` or `view_orders:{project}` (None: everything).
    `messages`: whether the project records messages. `lag_ms`: how long a write takes to become visible after it was
    stamped. `page_bytes_max`: pages above this size are refused with 413 `ContentTooLarge` (None: no limit).
    `magento`, `elasticpath`: what is particular to that platform; the fields from `project_key` to `scopes` are
    commercetools' alone.
    `keep_messages`: keep the bodies of applied Segment messages (off: only count them, for long measurements).
    """

    sources: tuple[str, ...] = ("commercetools",)
    orders: int = 5000
    seed: int = 1
    now: Instant | None = None
    order_bytes: int | None = None
    poison: int = 0
    anonymised: int = 0
    latency_ms: int = 0
    lag_ms: int = 0
    page_bytes_max: int | None = None
    messages: bool = False
    project_key: str = "sandbox"
    client_id: str = "sandbox-client"
    client_secret: str = "sandbox-secret"  # noqa: S105 - opens nothing but this simulator
    write_key: str = "sandbox-write-key"
    token_seconds: int = 172_800
    scopes: tuple[str, ...] | None = None
    magento: MagentoOptions = field(default_factory=MagentoOptions)
    elasticpath: ElasticPathOptions = field(default_factory=ElasticPathOptions)
    keep_messages: bool = True
    mparticle_key: str = "sandbox-mparticle-key"
    mparticle_secret: str = "sandbox-mparticle-secret"  # noqa: S105 - as above
    insider_partner: str = "sandbox"
    insider_token: str = "sandbox-insider-token"  # noqa: S105 - as above
    insider_catalog_token: str = "sandbox-catalog-token"  # noqa: S105 - as above
    host: str = "127.0.0.1"
    port: int = 0


NESTED: dict[str, type[Any]] = {"magento": MagentoOptions, "elasticpath": ElasticPathOptions}
"""The fields of `SandboxOptions` that hold the options of one platform."""

SECRET_VARIABLE = "CDI_SANDBOX_SECRET"  # noqa: S105 - a name, not a value
"""The environment variable that the settings text expects the API client's secret in."""

WRITE_KEY_VARIABLE = "CDI_SANDBOX_WRITE_KEY"
"""The environment variable that the settings text expects the Segment write key in."""


def cdi_environment(options: SandboxOptions | None = None) -> dict[str, str]:
    """The environment variables that the settings of `cdi_yaml` refer to, with this sandbox's values."""
    options = options or SandboxOptions()
    return {name: value for part in _parts(options) for name, value in part.environment(options).items()}


def cdi_yaml(url: str, options: SandboxOptions | None = None) -> str:
    """A `cdi.yaml` whose pipeline `main` reads the sandbox's first source and feeds its Segment.

    `url` is the sandbox's, without a trailing slash.
    """
    options = options or SandboxOptions()
    source, destination = _parts(options)
    return f"""\
workspace: sandbox
sources:
  shop:
{indent(source.settings(url, options), "    ")}destinations:
  {destination.name}:
{indent(destination.settings(url, options), "    ")}pipelines:
  main:
    source: shop
    destinations: [{destination.name}]
{indent(source.pipeline, "    ")}"""


def _parts(options: SandboxOptions) -> Iterable[SystemSpec]:
    """The source and the destination of the settings text."""
    return spec_of(options.sources[0]), spec_of("segment")
