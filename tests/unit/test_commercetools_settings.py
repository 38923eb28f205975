"""Settings of the commercetools source: where it may go, and what a wrong value is answered with."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from cdi_cli import sources
from cdi_cli.sources.commercetools.settings import REGIONS, CommercetoolsSettings

BASE = {"project_key": "shop", "client_id": "client", "client_secret": "${CT_SECRET}"}


def made(**changes: Any) -> CommercetoolsSettings:
    return CommercetoolsSettings.model_validate(BASE | changes)


@pytest.mark.parametrize("region", REGIONS)
def test_region_names_both_hosts(region: str) -> None:
    """A region gives the API's and the token service's address."""
    settings = made(region=region)
    assert settings.project_url == f"https://api.{region}.commercetools.com/shop"
    assert settings.token_url == f"https://auth.{region}.commercetools.com"


def test_unknown_region_lists_all_and_suggests() -> None:
    """A mistyped region is answered with the five that exist and the nearest."""
    with pytest.raises(ValidationError) as caught:
        made(region="europe-west1.gpc")
    text = str(caught.value)
    assert all(region in text for region in REGIONS)
    assert "did you mean `europe-west1.gcp`?" in text


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"region": REGIONS[0], "api_url": "https://api.example.com", "auth_url": "https://auth.example.com"},
        {"region": REGIONS[0], "api_url": "https://api.example.com"},
        {"api_url": "https://api.example.com"},
        {"api_url": "http://api.example.com", "auth_url": "https://auth.example.com"},
        {"region": REGIONS[0], "project_key": "../other"},
        {"region": REGIONS[0], "store_key": "a/b"},
        {"region": REGIONS[0], "page_size": 501},
        {"region": REGIONS[0], "client_secret": "a-literal-secret"},
        {"region": REGIONS[0], "product_url_template": "https://shop.example.com/p"},
        {"region": REGIONS[0], "product_url_template": "https://shop.example.com/{name}"},
        {"region": REGIONS[0], "product_url_template": "https://shop.example.com/{slug"},
        {"region": REGIONS[0], "unknown": 1},
    ],
)
def test_wrong_settings_are_refused_without_the_secret(changes: dict[str, Any]) -> None:
    """No place, two places, plain http, keys that would leave their path, and literals are refused; values are not shown."""
    with pytest.raises(ValidationError) as caught:
        made(**changes)
    assert "a-literal-secret" not in str(caught.value)


def test_loopback_may_be_plain_http() -> None:
    """The sandbox is reached by http."""
    settings = made(api_url="http://127.0.0.1:8080/", auth_url="http://127.0.0.1:8080")
    assert settings.project_url == "http://127.0.0.1:8080/shop"


def test_short_scopes_are_completed() -> None:
    """A permission alone means this project; a full scope stays as it is."""
    settings = made(region=REGIONS[0], scopes=["view_orders", "view_customers:shop:berlin"])
    assert settings.scope_text == "view_orders:shop view_customers:shop:berlin"


def test_every_setting_is_described() -> None:
    """Editors show a description for each setting."""
    fields = CommercetoolsSettings.model_json_schema()["properties"]
    assert [name for name, field in fields.items() if not field.get("description")] == []


def test_source_is_found_by_name() -> None:
    """The folder alone makes the source known, with its streams in reading order."""
    spec = sources.load("commercetools")
    assert "commercetools" in sources.names()
    assert spec.names == ["deletions", "customers", "carts", "orders", "payments", "products"]
    assert [stream.name for stream in spec.streams if stream.is_default] == ["customers", "carts", "orders"]
    assert {"password", "token", "interfaceInteractions"} <= spec.denied_fields
