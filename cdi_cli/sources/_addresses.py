"""Addresses in the settings of sources: what an API's may be, and how a product page's is made."""

from __future__ import annotations

from collections.abc import Collection
from string import Formatter
from urllib.parse import urlsplit

from cdi_cli.errors import ConfigError
from cdi_cli.http import checked_host


def api_address(url: str) -> str:
    """The address of an API, without a slash at its end; raises ValueError for one that is not safe, or more than that."""
    try:
        checked_host(url)
    except ConfigError as error:
        raise ValueError(f"{error.message}; {error.hint}") from None
    parts = urlsplit(url)
    if parts.query or parts.fragment:
        raise ValueError("give the address alone, without `?` and `#`")
    return url.rstrip("/")


def page_template(template: str, fields: Collection[str]) -> str:
    """The template of a product page's address; raises ValueError unless it uses some of the fields, and no other.

    `fields`: as they are to be listed.
    """
    try:
        used = {name for _, name, _, _ in Formatter().parse(template) if name is not None}
    except ValueError:
        raise ValueError("the braces do not match") from None
    if not used or not used <= set(fields):
        listed = ", ".join(f"{{{name}}}" for name in fields)
        raise ValueError(f"use at least one of {listed}, and no other field")
    return template
