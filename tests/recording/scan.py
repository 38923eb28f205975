"""What must not be in a cassette, judged from the file's text alone: the scrubber is not asked.

Each rule has a name, and a finding is that name with the line it is on, never the value. `leaks` knows nothing of a
connector; secrets that are known are looked for in every form in which they could have been written.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise

from contract_bench import forms_of

_UUID = re.compile(r"(?:\b|(?<=%2C))[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
_TIME = re.compile(r"\b\d{4}-\d{2}-\d{2}(T| |%20)\d{2}(:|%3A)\d{2}(:|%3A)\d{2}((\.\d+)?Z|\b)", re.IGNORECASE)
_HTTP_DATE = re.compile(r"\b(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT")
_ROUTE = re.compile(r"(?<=/)rest/(?:all|text-\d+)/V1/[A-Za-z/_-]+")
"""Addresses of Magento's web API, which look like random text."""
_EXAMPLE = r"(?:[a-z0-9-]+\.)*example\.(?:com|org|net)"
_PERSONAL = (
    "email|customerEmail|lowercaseEmail|firstName|lastName|middleName|title|salutation|dateOfBirth|company|companyName|vatId|"
    "streetName|streetNumber|additionalStreetInfo|additionalAddressInfo|postalCode|city|region|building|apartment|pOBox|"
    "phone|mobile|fax|customerNumber|externalId|orderNumber|interfaceId|interactionId|rawResponse|"
    "first_name|last_name|street|postal_code|birthday|address1|zip|"
    "firstname|lastname|middlename|telephone|postcode|taxvat|dob|increment_id|remote_ip|protect_code|"
    "customer_email|customer_firstname|customer_lastname|customer_middlename|customer_taxvat|customer_dob|"
    "cc_last4|cc_exp_year|last_trans_id|reserved_order_id|track_number"
)
_CREDENTIAL = "access_?token|refresh_?token|token|client_?secret|password|secret|write_?key|api_?key"
_PLACEHOLDER = r"(?:\*{4}|text-\d+|person-\d+@example\.com|1)"

_PATTERNS: dict[str, re.Pattern[str]] = {
    "credentials in a header": re.compile(r"\b(?:Bearer|Basic)\s++(?!\*{4}(?:\W|$))\S+", re.IGNORECASE),
    "cookie": re.compile(r"^\s*(?:set-)?cookie:", re.IGNORECASE | re.MULTILINE),
    "credential in JSON": re.compile(rf'"(?:{_CREDENTIAL})"\s*:\s*+(?!"\*{{4}}"|""|null|true|false|\{{)', re.IGNORECASE),
    "credential in a form or query": re.compile(rf"\b(?:{_CREDENTIAL})=(?!\*{{4}}|%2A%2A)[^&\s'\"]+", re.IGNORECASE),
    "well-known kind of key": re.compile(
        r"-----BEGIN|\bAKIA[0-9A-Z]{16}\b|\b[srp]k_(?:live|test)_\w+|\bgh[pousr]_\w{20,}|\bxox[abprs]-\w+"
        r"|\beyJ[\w-]{4,}\.[\w-]{6,}"
    ),
    "e-mail address": re.compile(rf"[\w.+%-]+(?:@|%40)(?!{_EXAMPLE}(?![\w-]|\.\w))[\w-]+\.[\w.-]*\w", re.IGNORECASE),
    "phone number": re.compile(r"(?<![\w.-])(?:\+|00)\d[\d ()/-]{6,}\d|(?<!\"path\": )\"[\d ()/.-]{7,}\""),
    "personal field": re.compile(rf'"(?:{_PERSONAL})"\s*:\s*+(?!"{_PLACEHOLDER}"|""|null|true|false|\{{|\[)'),
    "address of a real host": re.compile(rf"https?(?:://|%3A%2F%2F)(?!{_EXAMPLE}(?:[/:?\"'\s]|$))", re.IGNORECASE),
    "IP address": re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.])|\blocalhost\b"),
    "compressed or binary body": re.compile(r"!!binary"),
}


def leaks(text: str, secrets: Sequence[str] = ()) -> list[str]:
    """What is in a cassette's text that must not be, as `rule (line n)`; `secrets` are known values to look for too."""
    clean = text
    for harmless in (_UUID, _TIME, _HTTP_DATE, _ROUTE):
        clean = harmless.sub(lambda match: "~" * len(match.group()), clean)
    found = [(match.start(), rule) for rule, pattern in _PATTERNS.items() for match in pattern.finditer(clean)]
    found += [(position, "random text as tokens are") for position in _random_texts(clean)]
    found += [(position, "known secret") for position in _known(text, forms_of(secrets))]
    return [f"{rule} (line {text.count(chr(10), 0, position) + 1})" for position, rule in sorted(found)]


def _random_texts(text: str) -> Iterator[int]:
    """Where a word of 20 characters or more mixes digits, capitals and small letters throughout, as no name does."""
    for match in re.finditer(r"[A-Za-z0-9_+/-]{20,}", text):
        word = match.group()
        changes = sum(_sort(one) != _sort(other) for one, other in pairwise(word))
        if changes > len(word) / 3 and all(any(map(kind, word)) for kind in _KINDS):
            yield match.start()


_KINDS: tuple[Callable[[str], bool], ...] = (str.isdigit, str.isupper, str.islower)


def _sort(character: str) -> int:
    return next((number for number, kind in enumerate(_KINDS) if kind(character)), len(_KINDS))


def _known(text: str, forms: Iterable[str]) -> Iterator[int]:
    for form in forms:
        if len(form) >= 6 and (position := text.find(form)) >= 0:
            yield position
