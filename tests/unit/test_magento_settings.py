"""Settings of the Magento source: each way to prove who we are has its fields, and no others."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from cdi_cli import sources
from cdi_cli.sources.magento.settings import AUTH_FIELDS, MagentoSettings

VALUES = {
    "access_token": "${A}",
    "access_token_secret": "${B}",
    "consumer_key": "key",
    "consumer_secret": "${C}",
    "username": "reader",
    "password": "${D}",
    "client_id": "client",
    "client_secret": "${E}",
    "organisation": "0123@AdobeOrg",
    "tenant": "tenant-1",
}


def settings(auth: str = "integration", **changes: Any) -> MagentoSettings:
    """Good settings of one kind, changed; None takes a field out."""
    values: dict[str, Any] = {"base_url": "https://shop.example", "auth": auth}
    values |= {name: VALUES[name] for name in AUTH_FIELDS[auth]} | changes
    return MagentoSettings.model_validate({name: value for name, value in values.items() if value is not None})


def refusal(auth: str = "integration", **changes: Any) -> str:
    """What is said of wrong settings."""
    with pytest.raises(ValidationError) as caught:
        settings(auth, **changes)
    return str(caught.value)


@pytest.mark.parametrize("auth", AUTH_FIELDS)
def test_each_way_needs_its_fields(auth: str) -> None:
    """One that is missing is named, with the way that needs it."""
    assert settings(auth).auth == auth
    for name in AUTH_FIELDS[auth]:
        told = refusal(auth, **{name: None})
        assert f"`auth: {auth}` needs `{name}`" in told


@pytest.mark.parametrize("auth", AUTH_FIELDS)
def test_fields_of_another_way_are_a_mistake(auth: str) -> None:
    """They would be of no use, without a word."""
    for name in VALUES.keys() - set(AUTH_FIELDS[auth]):
        assert f"`auth: {auth}` has no use for `{name}`" in refusal(auth, **{name: VALUES[name]})


def test_a_token_is_the_default() -> None:
    """An address and a token are enough."""
    found = MagentoSettings.model_validate({"base_url": "https://shop.example/", "access_token": "${A}"})
    assert (found.auth, found.page_size, found.requests_at_once, found.bundles) == ("integration", 100, 2, "parent")
    assert found.rest_url("all") == "https://shop.example/rest/all/V1"


def test_the_cloud_service_has_an_address_of_its_own() -> None:
    """The tenant is in the address, and neither `/rest` nor a store view."""
    found = settings("ims", base_url="https://na1.api.commerce.adobe.com")
    assert found.rest_url("eu_de") == "https://na1.api.commerce.adobe.com/tenant-1/V1"
    assert settings("ims", ims_url="https://ims.example").ims_url == "https://ims.example"


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://shop.example", "unencrypted"),
        ("https://shop.example/rest/V1", "without `/rest`"),
        ("https://shop.example/rest/", "without `/rest`"),
        ("https://shop.example/?x=1", "without `?`"),
        ("https://me@shop.example", "no user"),
    ],
)
def test_an_address_that_would_not_work_is_refused(url: str, told: str) -> None:
    """With what to write in its place."""
    assert told in refusal(base_url=url)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8082", "https://shop.example/index.php", "https://shop.example:8443/m2"])
def test_addresses_that_work(url: str) -> None:
    """Loopback without encryption, a path, a port."""
    assert settings(base_url=url).base_url == url


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"page_size": 301}, "less than or equal to 300"),
        ({"page_size": 0}, "greater than or equal to 1"),
        ({"store_views": ["all"]}, "no store views"),
        ({"store_views": ["de-de"]}, "codes of store views"),
        ({"bundles": "both"}, "parent"),
        ({"access_token": "s3cret-literal"}, "must be a reference"),
    ],
)
def test_other_mistakes_are_told(changes: dict[str, Any], told: str) -> None:
    """Each in words, and a secret is never repeated."""
    text = refusal(**changes)
    assert told in text
    assert "s3cret-literal" not in text


def test_the_source_is_found_by_its_name() -> None:
    """With its streams in reading order, and what may be reconciled."""
    spec = sources.load("magento")
    assert spec.names == ["customers", "orders", "creditmemos", "carts", "products"]
    assert [stream.name for stream in spec.streams if stream.by_reconcile] == ["customers", "products"]
    assert [stream.name for stream in spec.streams if not stream.is_default] == ["products"]
