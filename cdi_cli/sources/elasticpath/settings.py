"""The settings of the Elastic Path source: where the store is, who we are, and what of its records means what.

A store is named by its `region` or, for a private one, by `base_url`. Which lines of an order are shipping and which are
fees is told by their SKU: Elastic Path sells them as custom lines like any other (sheet "elasticpath", section 3.2).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from cdi_cli.config.types import ConnectorSettings, SecretReference
from cdi_cli.http import is_loopback
from cdi_cli.sources._addresses import api_address, page_template

REGIONS = {"eu": "https://euwest.api.elasticpath.com", "us": "https://useast.api.elasticpath.com"}
PAGE_SIZE_MAX = 100
"""The most records that Elastic Path serves at once (sheet section 2.2)."""
RATE_MAX = 100.0
"""What a production store allows, requests per second (sheet section 4); a simulator on this machine has no such limit."""
ID = r"^[A-Za-z0-9_-]{1,64}$"
URL_FIELDS = ("slug", "sku", "id")


class Lookups(ConnectorSettings):
    """What records only refer to, and is looked up to know it."""

    transactions: Literal["all", "changed", "none"] = Field(
        default="all",
        description="of which orders the transactions are read, which alone tell partial refunds: `all` that were paid or "
        "cancelled, only those that `changed` after they were paid, or `none` (then only a full refund is told); one "
        "request per order",
    )
    accounts: bool = Field(default=True, description="look up the names of the accounts that members order for")
    customer_consent: bool = Field(
        default=True,
        description="where an order does not hold a consent, take it from the customer's record as it stands now",
    )


class ElasticPathSettings(ConnectorSettings):
    """Settings of the source `elasticpath`."""

    shaping: ClassVar[frozenset[str]] = frozenset(
        {"region", "base_url", "shipping_skus", "fee_skus", "flow_fields", "locale", "lookups", "price_books"}
        | {"brand_attribute", "product_url_template"}
    )
    consent_example: ClassVar[str] = "marketing_consent"

    region: Literal["us", "eu"] | None = Field(
        default=None, description="where the store is: `eu` (Europe West) or `us` (US East)"
    )
    base_url: str | None = Field(
        default=None,
        description="address of the API instead of a `region`, for a private one",
        examples=["https://euwest.api.elasticpath.com"],
    )
    client_id: str = Field(min_length=1, description="client id of an application key of the store")
    client_secret: SecretReference = Field(description="client secret of that application key")
    page_size: int = Field(default=PAGE_SIZE_MAX, ge=1, le=PAGE_SIZE_MAX, description="most records per request")
    rate: float = Field(
        default=8.0,
        gt=0,
        le=100_000,
        description="most requests per second; a production store allows 100, a development store 25, for all of its users",
    )
    requests_at_once: int = Field(default=4, ge=1, le=16, description="most requests at the same time")
    shipping_skus: tuple[str, ...] = Field(
        default=(), description="SKUs of lines that are shipping costs, `*` stands for anything", examples=["*-DELIVERY"]
    )
    fee_skus: tuple[str, ...] = Field(
        default=(),
        description="SKUs of lines that are fees (handling, surcharges, donations), `*` stands for anything; custom lines "
        "without a product are fees in any case",
    )
    flow_fields: tuple[str, ...] = Field(
        default=(),
        description="names of custom (flow) fields of records that may be mapped as `record.name`; no other is kept",
    )
    locale: str | None = Field(default=None, description="language of the store; Elastic Path records none")
    lookups: Lookups = Field(default=Lookups(), description="which references are looked up")
    price_books: tuple[str, ...] = Field(
        default=(), description="ids of price books that products' prices are read from, the one that counts most first"
    )
    brand_attribute: str | None = Field(
        default=None, description="attribute of the product templates that holds the brand, as `template.attribute`"
    )
    product_url_template: str | None = Field(
        default=None, description="address of a product page, with `{slug}`, `{sku}` or `{id}`"
    )

    @field_validator("base_url")
    @classmethod
    def _safe_url(cls, url: str | None) -> str | None:
        if url is None:
            return None
        address = api_address(url)
        if urlsplit(address).path.endswith(("/v2", "/pcm", "/oauth")):
            raise ValueError("give the address of the API itself, without `/v2` and what comes after it")
        return address

    @field_validator("price_books")
    @classmethod
    def _ids(cls, ids: tuple[str, ...]) -> tuple[str, ...]:
        if any(re.fullmatch(ID, one) is None for one in ids):
            raise ValueError("give the ids of price books")
        return tuple(dict.fromkeys(ids))

    @field_validator("shipping_skus", "fee_skus", "flow_fields")
    @classmethod
    def _not_empty(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if any(not name.strip() for name in names):
            raise ValueError("a name may not be empty")
        return tuple(dict.fromkeys(names))

    @field_validator("product_url_template")
    @classmethod
    def _known_fields(cls, template: str | None) -> str | None:
        if template is None:
            return None
        return page_template(template, URL_FIELDS)

    @model_validator(mode="after")
    def _one_place(self) -> ElasticPathSettings:
        if (self.region is None) == (self.base_url is None):
            raise ValueError("give either `region` or `base_url`")
        return self

    @model_validator(mode="after")
    def _rate_of_a_store(self) -> ElasticPathSettings:
        if self.rate > RATE_MAX and not is_loopback(urlsplit(self.url).hostname or ""):
            raise ValueError(f"`rate` must be {RATE_MAX:g} or less: no store allows more requests per second")
        return self

    @classmethod
    def needed(cls, answers: Mapping[str, Any]) -> tuple[str, ...]:
        """Where the store is."""
        return () if answers.get("base_url") else ("region",)

    @property
    def url(self) -> str:
        """The address below which all resources are."""
        return self.base_url or REGIONS[self.region or "eu"]

    def kind_of(self, sku: str) -> Literal["shipping", "fee"] | None:
        """What a line is by its SKU; None for one that is named nowhere."""
        if any(fnmatchcase(sku, pattern) for pattern in self.shipping_skus):
            return "shipping"
        return "fee" if any(fnmatchcase(sku, pattern) for pattern in self.fee_skus) else None
