"""The settings of the Magento source: where the shop is, who we are, what to read and how to name it.

`auth` names one of four ways to prove who we are (sheet "magento", section 1); each needs fields of its own, and a field of
another way is a mistake: it would be silently of no use.

    integration   access_token                                              an integration's token as bearer
    oauth1        consumer_key, consumer_secret, access_token, access_token_secret     signed requests, OAuth 1.0a
    admin         username, password                                        an admin's login; not with two-factor login
    ims           client_id, client_secret, organisation, tenant            Adobe Commerce as a Cloud Service
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from cdi_cli.config.types import ConnectorSettings, SecretReference
from cdi_cli.sources._addresses import api_address

Auth = Literal["integration", "oauth1", "admin", "ims"]
CODE = r"^[A-Za-z][A-Za-z0-9_]*$"
PAGE_SIZE_MAX = 300
"""The highest page size that Magento's own input limits allow when they are switched on (sheet section 2.3)."""

AUTH_FIELDS: dict[str, tuple[str, ...]] = {
    "integration": ("access_token",),
    "oauth1": ("consumer_key", "consumer_secret", "access_token", "access_token_secret"),
    "admin": ("username", "password"),
    "ims": ("client_id", "client_secret", "organisation", "tenant"),
}
_OPTIONAL = {"ims": ("ims_url",)}
_REST = re.compile(r"/rest(/.*)?$")


class Lookups(ConnectorSettings):
    """What records only refer to, and is looked up to know it; each needs an ACL resource of its own."""

    shipments: bool = Field(default=True, description="look up the shipments of orders (needs `Magento_Sales::shipment`)")
    customer_groups: bool = Field(
        default=True, description="look up the names of customer groups (needs `Magento_Customer::group`)"
    )
    categories: bool = Field(
        default=True, description="look up the category paths of products (needs `Magento_Catalog::categories`)"
    )
    brands: bool = Field(
        default=True,
        description="look up the labels of the brand attribute (needs `Magento_Catalog::attributes_attributes`)",
    )
    parents: bool = Field(
        default=True,
        description="look up the configurable products of variants, whose page shows them (reads all of them once)",
    )
    stock: bool = Field(default=True, description="look up the stock of products (needs `Magento_InventoryApi::source`)")


class MagentoSettings(ConnectorSettings):
    """Settings of the source `magento`."""

    shaping: ClassVar[frozenset[str]] = frozenset(
        {"base_url", "tenant", "store_views", "locale", "lookups", "bundles", "brand_attribute", "product_url_suffix"}
    )

    consent_example: ClassVar[str] = "extension_attributes.is_subscribed"

    base_url: str = Field(
        description="address of the shop, without `/rest`; with `auth: ims` that of the API",
        examples=["https://magento.example.com"],
    )
    auth: Auth = Field(
        default="integration",
        description="how to prove who we are: `integration` (token), `oauth1`, `admin` (login) or `ims` (Adobe cloud)",
    )
    access_token: SecretReference | None = Field(
        default=None, description="access token of the integration, for `auth: integration` and `auth: oauth1`"
    )
    access_token_secret: SecretReference | None = Field(
        default=None, description="access token secret of the integration, for `auth: oauth1`"
    )
    consumer_key: str | None = Field(
        default=None, min_length=1, description="consumer key of the integration, for `auth: oauth1`"
    )
    consumer_secret: SecretReference | None = Field(
        default=None, description="consumer secret of the integration, for `auth: oauth1`"
    )
    username: str | None = Field(default=None, min_length=1, description="name of the admin user, for `auth: admin`")
    password: SecretReference | None = Field(default=None, description="password of the admin user, for `auth: admin`")
    client_id: str | None = Field(default=None, min_length=1, description="client id of the credential, for `auth: ims`")
    client_secret: SecretReference | None = Field(
        default=None, description="client secret of the credential, for `auth: ims`"
    )
    organisation: str | None = Field(
        default=None, min_length=1, description="id of the IMS organisation (`...@AdobeOrg`), for `auth: ims`"
    )
    tenant: str | None = Field(
        default=None, pattern=r"^[A-Za-z0-9_-]+$", description="tenant id in the API's address, for `auth: ims`"
    )
    ims_url: str | None = Field(
        default=None, description="address of Adobe's token service, for `auth: ims`; default: the public one"
    )
    store_views: tuple[str, ...] = Field(
        default=(), description="codes of the store views to read; none: all that are active"
    )
    page_size: int = Field(
        default=100, ge=1, le=PAGE_SIZE_MAX, description="most records per request; fewer while the shop is slow"
    )
    requests_at_once: int = Field(default=2, ge=1, le=8, description="most requests at the same time")
    maintenance_pause_seconds: float = Field(
        default=30.0,
        gt=0,
        le=300,
        description="pause before the shop is asked again while it is in maintenance; doubles, five minutes at most",
    )
    bundles: Literal["parent", "children"] = Field(
        default="parent", description="whether a bundle is one line (`parent`) or a line for each of its parts (`children`)"
    )
    locale: str | None = Field(
        default=None, description="language of records whose store view is not known; default: that of the pipeline"
    )
    lookups: Lookups = Field(default=Lookups(), description="which references are looked up")
    brand_attribute: str = Field(
        default="manufacturer", pattern=CODE, description="code of the product attribute that holds the brand"
    )
    product_url_suffix: str = Field(default=".html", description="what addresses of product pages end with")

    @field_validator("base_url", "ims_url")
    @classmethod
    def _safe_url(cls, url: str | None) -> str | None:
        if url is None:
            return None
        address = api_address(url)
        if _REST.search(urlsplit(address).path):
            raise ValueError("give the address of the shop itself, without `/rest` and what comes after it")
        return address

    @field_validator("store_views")
    @classmethod
    def _codes(cls, codes: tuple[str, ...]) -> tuple[str, ...]:
        if any(re.fullmatch(CODE, code) is None for code in codes):
            raise ValueError("give the codes of store views, as `default` or `de_de`")
        if "all" in codes or "admin" in codes:
            raise ValueError("`all` and `admin` are no store views: leave `store_views` out to read all of them")
        return tuple(dict.fromkeys(codes))

    @model_validator(mode="after")
    def _one_way_to_prove_it(self) -> MagentoSettings:
        needed = AUTH_FIELDS[self.auth]
        missing = [name for name in needed if getattr(self, name) is None]
        if missing:
            raise ValueError(f"`auth: {self.auth}` needs {_listed(missing)}")
        known = {name for names in (*AUTH_FIELDS.values(), *_OPTIONAL.values()) for name in names}
        allowed = {*needed, *_OPTIONAL.get(self.auth, ())}
        needless = [name for name in type(self).model_fields if name in known - allowed and getattr(self, name) is not None]
        if needless:
            raise ValueError(f"`auth: {self.auth}` has no use for {_listed(needless)}: take it out, or change `auth`")
        return self

    @classmethod
    def needed(cls, answers: Mapping[str, Any]) -> tuple[str, ...]:
        """What the way to prove who we are needs."""
        return AUTH_FIELDS.get(str(answers.get("auth", "integration")), ())

    def rest_url(self, store_code: str) -> str:
        """The address below which all resources are, seen from a store view; the Cloud Service is told it in a header."""
        return f"{self.base_url}/{self.tenant}/V1" if self.auth == "ims" else f"{self.base_url}/rest/{store_code}/V1"


def _listed(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
