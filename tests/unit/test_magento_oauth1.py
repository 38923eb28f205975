"""Magento's own OAuth 1.0a: the order of names, the encoding, the base string, and a new signature each time."""

from __future__ import annotations

import hmac
from base64 import b64encode
from hashlib import sha256
from urllib.parse import unquote

import pytest

from cdi_cli.secrets import Secret
from cdi_cli.sources.magento.oauth1 import OAuth1Signer, base_string, encoded, natural


def signer(**changes: object) -> OAuth1Signer:
    """A signer with a nonce and a time that are known."""
    values = {"nonce": lambda: "n0nce", "timestamp": lambda: 1_795_331_990} | changes
    secrets = [Secret("consumer s3cret/+"), Secret("access-token"), Secret("token-s3cret")]
    return OAuth1Signer("consumer-key", *secrets, **values)  # type: ignore[arg-type]


def test_names_are_sorted_as_php_sorts_them() -> None:
    """`[2]` before `[10]`, byte by byte otherwise: upper case first, and a shorter name before a longer one."""
    names = [f"searchCriteria[filter_groups][{number}][filters][0][field]" for number in range(12)]
    assert sorted(sorted(map(encoded, names)), key=natural) == list(map(encoded, names))
    assert sorted(["b10", "b9", "B1", "a", "ab"], key=natural) == ["B1", "a", "ab", "b9", "b10"]


def test_the_base_string_is_magentos() -> None:
    """A blank is `%20` (and encoded again `%2520`), the port is part of it unless it is the scheme's own."""
    params = [("fields", "items[id]"), ("searchCriteria[filter_groups][0][filters][0][value]", "2026-11-22 07:19:55")]
    text = base_string("get", "https://shop.example:443/rest/all/V1/orders", params)
    assert text == (
        "GET&https%3A%2F%2Fshop.example%2Frest%2Fall%2FV1%2Forders&fields%3Ditems%255Bid%255D%26"
        "searchCriteria%255Bfilter_groups%255D%255B0%255D%255Bfilters%255D%255B0%255D%255Bvalue%255D%3D"
        "2026-11-22%252007%253A19%253A55"
    )
    assert base_string("GET", "http://127.0.0.1:8082/rest", []).startswith("GET&http%3A%2F%2F127.0.0.1%3A8082%2Frest&")


def test_the_signature_is_over_all_parameters() -> None:
    """HMAC-SHA256 by both secrets, encoded, over the request's parameters and those of the header."""
    url, params = "https://shop.example/rest/all/V1/orders", [("searchCriteria[pageSize]", "10")]
    header = signer().authorization("GET", url, params)
    fields = dict(part.split("=", 1) for part in header.removeprefix("OAuth ").split(", "))
    sent = {name: unquote(value.strip('"')) for name, value in fields.items()}
    signature = sent.pop("oauth_signature")

    key = b"consumer%20s3cret%2F%2B&token-s3cret"
    base = base_string("GET", url, [*params, *sent.items()])
    assert signature == b64encode(hmac.new(key, base.encode(), sha256).digest()).decode()
    assert sent == {
        "oauth_consumer_key": "consumer-key",
        "oauth_nonce": "n0nce",
        "oauth_signature_method": "HMAC-SHA256",
        "oauth_timestamp": "1795331990",
        "oauth_token": "access-token",
        "oauth_version": "1.0",
    }


def test_no_two_attempts_have_the_same_nonce() -> None:
    """The shop refuses a nonce that it has seen."""
    real = OAuth1Signer("k", Secret("aaaa"), Secret("bbbb"), Secret("cccc"))
    headers = {real.authorization("GET", "https://shop.example/x", []) for _ in range(20)}
    assert len(headers) == 20


@pytest.mark.parametrize("text", ["a b", "ü", "+", "/", "~-._", "[]"])
def test_encoding_is_phps(text: str) -> None:
    """All but letters, digits and `-_.~` is encoded."""
    kept = set("~-._")
    assert encoded(text) == "".join(
        character
        if character.isascii() and (character.isalnum() or character in kept)
        else "".join(f"%{byte:02X}" for byte in character.encode())
        for character in text
    )
