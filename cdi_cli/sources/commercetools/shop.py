"""What turning records into entities needs to know besides the record: the shop's words, and what look-ups found."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from string import Formatter
from typing import Any
from urllib.parse import quote

import msgspec

from cdi_cli.clock import Instant, parse_instant
from cdi_cli.commerce import Consent
from cdi_cli.sources.commercetools.records import Attribute, Image, Names


@dataclass(frozen=True, slots=True)
class Known:
    """What look-ups found for a group of records, by id: a coupon's code, a group's name, a product's category path.

    `consents`: what customers' records hold now.
    """

    coupons: dict[str, str] = field(default_factory=dict)
    groups: dict[str, str] = field(default_factory=dict)
    categories: dict[str, str] = field(default_factory=dict)
    consents: dict[str, Consent] = field(default_factory=dict)


class Shop:
    """How this shop's records are read: preferred language, brand attribute, addresses of product pages.

    A LocalizedString gives the preferred language (`en` is also served by `en-GB`, and the other way round), else the
    record's own, else that without its region, else the project's first, else the first by name (sheet section 3).
    """

    def __init__(
        self,
        *,
        locale: str = "en",
        languages: tuple[str, ...] = (),
        brand_attribute: str = "brand",
        product_url_template: str | None = None,
    ) -> None:
        self.locale = locale
        self.languages = languages
        self.brand_attribute = brand_attribute
        self._template = product_url_template or ""
        self._fields = frozenset(name for _, name, _, _ in Formatter().parse(self._template) if name)

    def text(self, names: Names, record_locale: str | None = None) -> str | None:
        """The best of a LocalizedString's texts; None if it has none."""
        text = names.get(self.locale)
        if text or not names:
            return text or None
        ordered = sorted(names)
        regional = [locale for locale in ordered if locale.startswith(f"{self.locale}-")]
        own = (record_locale, record_locale.partition("-")[0]) if record_locale else ()
        preferred = (self.locale.partition("-")[0], *regional, *own, *self.languages[:1], *ordered)
        return next((names[locale] for locale in preferred if names.get(locale)), None)

    def text_in(self, names: Names, locale: str) -> str | None:
        """The text for one locale: its own, that of its language, else that of another region; none in another language."""
        language = locale.partition("-")[0]
        related = sorted(name for name in names if name.startswith(f"{language}-"))
        return next((names[name] for name in (locale, language, *related) if names.get(name)), None)

    def brand(self, attributes: Iterable[Attribute], record_locale: str | None = None) -> str | None:
        """The text of the brand attribute: plain, localized, or the label of an enumeration."""
        for attribute in attributes:
            if attribute.name == self.brand_attribute:
                return self._attribute_text(msgspec.json.decode(attribute.value), record_locale)
        return None

    def product_url(
        self, *, slug: str | None, id: str, key: str | None, sku: str | None, locale: str | None = None
    ) -> str | None:
        """The address of a product's page; None without a template, or when a value that it needs is missing."""
        if not self._fields:
            return None
        values = {"slug": slug, "id": id, "key": key, "sku": sku, "locale": locale or self.locale}
        used = {name: quote(value, safe="") for name in self._fields if (value := values[name])}
        return self._template.format_map(used) if len(used) == len(self._fields) else None

    def _attribute_text(self, value: Any, record_locale: str | None) -> str | None:
        if isinstance(value, dict) and "label" in value and "key" in value:
            value = value["label"]
        if isinstance(value, dict):
            return self.text({name: text for name, text in value.items() if isinstance(text, str)}, record_locale)
        return value or None if isinstance(value, str) else None


def image_url(images: tuple[Image, ...]) -> str | None:
    """The address of the first image."""
    return images[0].url if images else None


def instant(text: str, name: str) -> Instant:
    """A served time as an instant; raises ValueError, naming the field but not its value, if it is none."""
    try:
        return parse_instant(text)
    except ValueError:
        raise ValueError(f"Expected a date-time with a zone - at `$.{name}`") from None
