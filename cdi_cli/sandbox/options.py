"""How a sandbox is set up, and the settings file that points `cdi` at one."""

from __future__ import annotations

from dataclasses import dataclass

from cdi_cli.clock import Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxOptions:
    """What a sandbox holds and how it answers; equal options (with `now` given) make equal data.

    `now`: the moment up to which the data reaches, two years deep (None: the start of the present day, UTC).
    `order_bytes`: pad orders with variant prices and attributes, as real shops have them, to about this size (None: as
    small as they come, 2-4 KB). `poison`: how many orders carry a text where a number must be. `anonymised`: how many
    customers were stripped of personal data. `latency_ms`: what every call waits first. `token_seconds`: life of an
    access token. `scopes`: what the API client may do, as `view_orders` or `view_orders:{project}` (None: everything).
    `messages`: whether the project records messages. `lag_ms`: how long a write takes to become visible after it was
    stamped. `page_bytes_max`: pages above this size are refused with 413 `ContentTooLarge` (None: no limit).
    `keep_messages`: keep the bodies of applied Segment messages (off: only count them, for long measurements).
    """

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
    keep_messages: bool = True
    mparticle_key: str = "sandbox-mparticle-key"
    mparticle_secret: str = "sandbox-mparticle-secret"  # noqa: S105 - as above
    insider_partner: str = "sandbox"
    insider_token: str = "sandbox-insider-token"  # noqa: S105 - as above
    insider_catalog_token: str = "sandbox-catalog-token"  # noqa: S105 - as above
    host: str = "127.0.0.1"
    port: int = 0


SECRET_VARIABLE = "CDI_SANDBOX_SECRET"  # noqa: S105 - a name, not a value
"""The environment variable that the settings text expects the API client's secret in."""

WRITE_KEY_VARIABLE = "CDI_SANDBOX_WRITE_KEY"
"""The environment variable that the settings text expects the Segment write key in."""


def cdi_environment(options: SandboxOptions | None = None) -> dict[str, str]:
    """The environment variables that the settings of `cdi_yaml` refer to, with this sandbox's values."""
    options = options or SandboxOptions()
    return {SECRET_VARIABLE: options.client_secret, WRITE_KEY_VARIABLE: options.write_key}


def cdi_yaml(url: str, options: SandboxOptions | None = None) -> str:
    """A `cdi.yaml` whose pipeline `main` reads and feeds the sandbox at `url` (without a trailing slash)."""
    options = options or SandboxOptions()
    return f"""\
workspace: sandbox
sources:
  shop:
    type: commercetools
    project_key: {options.project_key}
    api_url: {url}/commercetools/api
    auth_url: {url}/commercetools/auth
    client_id: {options.client_id}
    client_secret: "${{{SECRET_VARIABLE}}}"
destinations:
  segment:
    type: segment
    endpoint: {url}/segment
    write_key: "${{{WRITE_KEY_VARIABLE}}}"
pipelines:
  main:
    source: shop
    destinations: [segment]
    consent:
      Advertising: {{field: custom.fields.marketingConsent}}
      Analytics: {{field: custom.fields.analyticsConsent}}
"""
