"""What is particular to the simulated Magento: credentials, and the switches of its configuration."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class MagentoOptions:
    """Credentials that it accepts, and how it is configured; all fields but the credentials can be switched while it runs.

    `bearer`: whether integration tokens may be used as bearer tokens (off by default in a real shop since 2.4.4). `acl`: the
    resources that the integration and the admin may use (None: all). `input_limits`: the Web API input limits, pages of 20
    by default and `page_size_max` at most. `old_core`: behave as 2.3: a page past the end repeats the last one, and
    `is_subscribed` is missing. `token_seconds`: life of an admin token. `ims_seconds`: life of a Cloud Service token.
    """

    access_token: str = "sandbox-access-token"  # noqa: S105 - opens nothing but this simulator
    access_token_secret: str = "sandbox-access-token-secret"  # noqa: S105 - likewise
    consumer_key: str = "sandbox-consumer-key"
    consumer_secret: str = "sandbox-consumer-secret"  # noqa: S105 - likewise
    username: str = "sandbox-admin"
    password: str = "sandbox-password"  # noqa: S105 - likewise
    client_id: str = "sandbox-ims-client"
    client_secret: str = "sandbox-ims-secret"  # noqa: S105 - likewise
    organisation: str = "SANDBOX@AdobeOrg"
    tenant: str = "sandbox-tenant"
    bearer: bool = True
    acl: tuple[str, ...] | None = None
    input_limits: bool = False
    page_size_max: int = 300
    old_core: bool = False
    token_seconds: int = 3600
    ims_seconds: int = 86_399


MAGENTO_TOKEN_VARIABLE = "CDI_SANDBOX_MAGENTO_TOKEN"  # noqa: S105 - a name, not a value
"""The environment variable that the settings text expects the integration's access token in."""
