"""The settings of the commercetools source: where the project is, who we are, what to read and how to name it.

A project lives in one of five regions (sheet "commercetools", section 1) or, for contracts with own hosts and for loopback,
at an explicit pair of addresses. Region, project key and store key are checked before they become part of a URL.
"""

from __future__ import annotations

import difflib
import re
from typing import Annotated, ClassVar

from pydantic import Field, field_validator, model_validator

from cdi_cli.config.types import ConnectorSettings, SecretReference
from cdi_cli.errors import ConfigError
from cdi_cli.http import checked_host
from cdi_cli.sources._addresses import page_template

REGIONS = ("us-central1.gcp", "us-east-2.aws", "europe-west1.gcp", "eu-central-1.aws", "australia-southeast1.gcp")
KEY = r"^[A-Za-z0-9_.-]+$"
_KEY = re.compile(r"[A-Za-z0-9_.-]+")
URL_FIELDS = ("slug", "sku", "key", "id", "locale")
LOCALE = r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$"
CURRENCY = r"^[A-Z]{3}$"
COUNTRY = r"^[A-Z]{2}$"


LocaleCode = Annotated[str, Field(pattern=LOCALE)]
CurrencyCode = Annotated[str, Field(pattern=CURRENCY)]
CountryCode = Annotated[str, Field(pattern=COUNTRY)]


class Lookups(ConnectorSettings):
    """What orders, carts and customers only refer to, and is looked up to give it a name; each needs a permission."""

    product_categories: bool = Field(
        default=True, description="look up the category path of each product line (needs `view_products`)"
    )
    discount_codes: bool = Field(
        default=True, description="look up the coupon codes of orders (needs `view_discount_codes`)"
    )
    customer_groups: bool = Field(
        default=True, description="look up the names of customer groups (needs `view_customer_groups`)"
    )
    customer_consent: bool = Field(
        default=True,
        description="look up the customer's consent, as it is now, for orders and carts whose own record does not hold it "
        "(needs `view_customers`)",
    )
    standalone_prices: bool = Field(
        default=True,
        description="look up the prices of products whose price mode is `Standalone` (needs `view_standalone_prices`)",
    )
    inventory: bool = Field(default=True, description="look up the stock of products (needs `view_products`)")


class CommercetoolsSettings(ConnectorSettings):
    """Settings of the source `commercetools`."""

    shaping: ClassVar[frozenset[str]] = frozenset(
        {
            *("project_key", "store_key", "locale", "locales", "lookups", "brand_attribute", "product_url_template"),
            *("currencies", "price_country"),
        }
    )

    project_key: str = Field(pattern=KEY, description="key of the project, as in the Merchant Center's address")
    region: str | None = Field(default=None, description=f"region of the project: one of {', '.join(REGIONS)}")
    api_url: str | None = Field(default=None, description="address of the API, instead of a region")
    auth_url: str | None = Field(default=None, description="address of the token service, instead of a region")
    client_id: str = Field(min_length=1, description="id of the API client")
    client_secret: SecretReference = Field(description="secret of the API client")
    scopes: tuple[str, ...] = Field(
        default=(),
        description="scopes to ask for; none: all that the client has; `view_orders` means `view_orders:{project_key}`",
    )
    page_size: int = Field(
        default=500, ge=1, le=500, description="most records per request; large records are asked for in fewer"
    )
    store_key: str | None = Field(
        default=None, pattern=KEY, description="read the customers, carts and orders of this store only"
    )
    locale: str | None = Field(
        default=None, description="preferred language of names; default: that of the pipeline, else `en`"
    )
    locales: tuple[LocaleCode, ...] = Field(
        default=(),
        description="locales in which the catalogue's texts are told besides `locale`; none: all languages of the project",
    )
    currencies: tuple[CurrencyCode, ...] = Field(
        default=(), description="currencies in which the catalogue's prices are told; none: all that there are"
    )
    price_country: CountryCode | dict[CurrencyCode, CountryCode] | None = Field(
        default=None,
        description="country whose prices the catalogue tells, one for all currencies or one for each "
        "(`{EUR: DE, USD: US}`); none: only prices for all countries",
    )
    lookups: Lookups = Field(default=Lookups(), description="which references are looked up")
    brand_attribute: str = Field(default="brand", description="name of the product attribute that holds the brand")
    product_url_template: str | None = Field(
        default=None, description="address of a product page, with `{slug}`, `{sku}`, `{key}`, `{id}` or `{locale}`"
    )
    concurrency: int = Field(default=4, ge=1, le=16, description="most requests at the same time")

    @field_validator("region")
    @classmethod
    def _known_region(cls, region: str | None) -> str | None:
        if region is None or region in REGIONS:
            return region
        near = difflib.get_close_matches(region, REGIONS, n=1, cutoff=0.5)
        suggestion = f"; did you mean `{near[0]}`?" if near else ""
        shown = f"`{region}`" if _KEY.fullmatch(region) and len(region) <= 40 else "it"
        raise ValueError(f"{shown} is not a region: use one of {', '.join(REGIONS)}{suggestion}")

    @field_validator("api_url", "auth_url")
    @classmethod
    def _safe_url(cls, url: str | None) -> str | None:
        if url is None:
            return None
        try:
            checked_host(url)
        except ConfigError as error:
            raise ValueError(f"{error.message}; {error.hint}") from None
        return url.rstrip("/")

    @field_validator("product_url_template")
    @classmethod
    def _known_fields(cls, template: str | None) -> str | None:
        if template is None:
            return None
        return page_template(template, URL_FIELDS)

    @model_validator(mode="after")
    def _one_place(self) -> CommercetoolsSettings:
        has_urls = self.api_url is not None and self.auth_url is not None
        has_one_url = self.api_url is not None or self.auth_url is not None
        if (self.region is None) != has_urls or (self.region is not None and has_one_url):
            raise ValueError("give either `region`, or `api_url` and `auth_url` together")
        return self

    @property
    def price_countries(self) -> dict[str, str]:
        """The country whose prices count, by currency; "" stands for every other one."""
        if isinstance(self.price_country, dict):
            return dict(self.price_country)
        return {"": self.price_country} if self.price_country is not None else {}

    @property
    def project_url(self) -> str:
        """The address below which all resources of the project are."""
        return f"{self.api_url or f'https://api.{self.region}.commercetools.com'}/{self.project_key}"

    @property
    def token_url(self) -> str:
        """The address of the token service, to which `/oauth/token` is added."""
        return self.auth_url or f"https://auth.{self.region}.commercetools.com"

    @property
    def scope_text(self) -> str:
        """The scopes to ask for as the token service wants them: full, separated by blanks; empty asks for all."""
        return " ".join(scope if ":" in scope else self.full_scope(scope) for scope in self.scopes)

    def full_scope(self, permission: str) -> str:
        """A permission as the scope of this project: `view_orders` -> `view_orders:{project_key}`."""
        return f"{permission}:{self.project_key}"
