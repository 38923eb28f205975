"""The one scrubber: what a request and its answer lose before they are written to a cassette.

Nothing is kept because it looks harmless: headers and texts of answers pass only if their name is known to be structural (an
enum, a currency, a time). Every other text becomes `text-1`, `text-2`, ... (equal texts the same, so that joins still work),
e-mail addresses `person-1@example.com`, ids `00000001-cd1c-4000-8000-000000000000`. Scrubbing what was scrubbed changes
nothing: that is how a replayed request finds its answer.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode

from vcr.request import Request

MASK = "****"
REQUEST_HEADERS = frozenset({"accept-encoding", "authorization", "content-type", "x-correlation-id"})
RESPONSE_HEADERS = frozenset({"content-type", "date", "retry-after"})
CREDENTIALS = frozenset({
    "access_token", "refresh_token", "token", "client_secret", "clientsecret", "password", "secret", "writekey", "apikey",
    "api_key", "interfaceinteractions", "interfaceaccount",
})  # fmt: skip
"""Names, in lower case, whose value is masked whatever it is and wherever it stands."""
SAFE = frozenset({
    "type", "typeId", "currencyCode", "currency", "country", "locale", "orderState", "paymentState", "shipmentState",
    "cartState", "origin", "taxMode", "taxRoundingMode", "taxCalculationMode", "priceRoundingMode", "inventoryMode",
    "shippingMode", "priceMode", "lineItemMode", "authenticationMode", "discountTypeCombination", "shipmentCarrier",
    "token_type", "languages", "currencies", "countries", "method", "code_type",
    "order_currency_code", "base_currency_code", "global_currency_code", "store_currency_code", "quote_currency_code",
    "default_display_currency_code", "country_id", "product_type", "type_id", "attribute_code", "address_type",
    "condition_type", "direction", "field", "carrier_code", "weight_unit", "link_type", "media_type", "taxable_item_type",
})  # fmt: skip
"""Names of structural fields: their values are words of the platform, not of a shop or a person."""
TRANSACTION_STATES = frozenset({
    "Initial", "Pending", "Success", "Failure",
    "new", "pending_payment", "payment_review", "processing", "complete", "closed", "canceled", "holded",
})  # fmt: skip
"""The values of `state` that are kept: elsewhere it is a part of an address."""
FREE = frozenset({"custom", "attributes"})
"""Below these even numbers are a shop's own and become 1."""
NUMERIC = frozenset({
    "category_id", "option_id", "attribute_id", "default_billing", "default_shipping", "relation_parent_id",
    "relation_child_id", "applied_rule_ids", "quote_id", "path", "children", "attribute category_ids",
})  # fmt: skip
"""Names of texts that are kept where they are numbers of the platform's own, as it writes them; joins go by them."""
PRICES = frozenset({"attribute special_price"})
"""Names of texts that are amounts: they become 1."""
OURS = frozenset({"cdi-check", "configurable"})
"""Values that filters of ours compare with, whatever the shop: no shop's own."""
PERSONAL_TIMES = frozenset({"dob", "customer_dob"})
"""Names of times that are somebody's own."""
NUMBERS = {"total": 42, "total_count": 42, "exp": 1_767_225_600_000, "expires": 1_767_225_600}
"""Numbers that tell how large a shop is, or when it was recorded."""
DATE = "Thu, 01 Jan 2026 00:00:00 GMT"
"""Stands for the `Date` of every answer."""
MADE_ANEW = {"sentAt": "2026-01-01T00:00:00.000Z", "version": "0"}
"""Parts of our own JSON requests that differ from run to run."""
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,39}")
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_LIST = re.compile(r"(%20in%20%28)((?:%22(?:(?!%22).)*%22(?:%2C%20)?)+)")
"""Ids or SKUs inside an encoded `in (...)`: their order says nothing and is made the same each time."""
_SCRUBBED_ID = re.compile(r"[0-9a-f]{8}-cd1c-4000-8000-0{12}")
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})| \d{2}:\d{2}:\d{2})")
_NUMBER = re.compile(r"[\d,/]*")
_ZONE = re.compile(r"[A-Z][A-Za-z_]+(/[A-Z][A-Za-z_]+)+|UTC")
_STORE_CODE = re.compile(r"(?<=/rest/)(?!all/|V1/)[A-Za-z0-9_-]+(?=/V1/)")
_FILTER_VALUE = re.compile(r"(?<=%5Bvalue%5D=)[^&]+")
_UP_TO_NOW = re.compile(
    r"(2000-01-01T00%3A00%3A00\.000Z%22%29%3Alt%28\w+%2C%22)\d{4}-\d{2}-\d{2}T\d{2}%3A\d{2}%3A\d{2}\.\d+Z(?=%22%29)"
)
"""The end of a window that begins before all shops: it is the present, which differs from run to run."""
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_SCRUBBED = re.compile(r"text-\d+|person-\d+@example\.com|https://example\.com/\d+|\*{4}|")


class Scrubber:
    """Scrubs one recording; remembers what it replaced by what, so that the same thing is always replaced by the same.

    `places` maps real addresses to placeholders, `words` other texts of requests (a project's key). `safe` are names of
    fields that are structural on this platform alone. Both directions of a conversation go through the same object.
    """

    def __init__(
        self,
        places: Mapping[str, str] | None = None,
        words: Mapping[str, str] | None = None,
        safe: frozenset[str] = frozenset(),
    ) -> None:
        self._safe = safe
        self._places = sorted((places or {}).items(), key=lambda item: -len(item[0]))
        self._words = dict(words or {})
        self._replaced: dict[tuple[str, str], str] = {}
        self._counts = {"text": 0, "email": 0, "id": 0, "url": 0}

    def fresh(self) -> Scrubber:
        """One that replaces the same places and words and remembers nothing yet: for the next cassette."""
        return Scrubber(dict(self._places), self._words, self._safe)

    def request(self, request: Request) -> Request:
        """The request as it is written and matched: placeholder address, few headers, readable body."""
        uri = request.uri
        for real, placeholder in self._places:
            if uri.startswith(real):
                uri = placeholder + uri.removeprefix(real)
                break
        uri = _ID.sub(lambda match: self._id(match.group()), uri)
        uri = _LIST.sub(lambda match: match[1] + self._listed(match[2]), uri)
        uri = _UP_TO_NOW.sub(r"\g<1>2100-01-01T00%3A00%3A00.000Z", uri)
        uri = _STORE_CODE.sub(lambda match: self.text("code", match.group()), uri)
        request.uri = _FILTER_VALUE.sub(lambda match: self._filter_value(match.group()), uri)
        headers = {name.lower(): value for name, value in dict(request.headers).items()}
        request.body = self._request_body(request.body or b"", headers)
        request.headers = {name: value for name, value in headers.items() if name in REQUEST_HEADERS}
        if "authorization" in headers:
            request.headers["authorization"] = f"{headers['authorization'].partition(' ')[0]} {MASK}"
        return request

    def _listed(self, encoded: str) -> str:
        texts = [unquote(each).strip('"') for each in encoded.split("%2C%20")]
        return "%2C%20".join(sorted(quote(f'"{self.text("", text)}"', safe="") for text in texts))

    def response(self, response: dict[str, Any]) -> dict[str, Any]:
        """The answer as it is written: few headers, inflated and scrubbed body."""
        headers = {name.lower(): values for name, values in response["headers"].items()}
        body = response["body"]["string"] or b""
        if headers.get("content-encoding") == ["gzip"]:
            body = gzip.decompress(body)
        kept = {name: [DATE] if name == "date" else values for name, values in headers.items() if name in RESPONSE_HEADERS}
        return {**response, "headers": kept, "body": {"string": self._response_body(body)}}

    def value(self, value: Any, name: str = "", *, is_free: bool = False) -> Any:
        """Any JSON value of an answer; `name` is the field it stands in, `is_free` says that its words are a shop's own."""
        if value and name.lower() in CREDENTIALS:
            return MASK
        if isinstance(value, dict):
            if value.keys() == {"attribute_code", "value"}:
                name = f"attribute {value['attribute_code']}"
                return {**value, "value": self.value(value["value"], name, is_free=is_free)}
            found = {key: self.value(below, key, is_free=is_free or key in FREE) for key, below in value.items()}
            return found | _total_of(value)
        if isinstance(value, list):
            return [self.value(below, name, is_free=is_free) for below in value]
        if isinstance(value, str):
            return self.text(name, value, is_free=is_free)
        if name in NUMBERS and isinstance(value, int):
            return NUMBERS[name]
        if is_free and not isinstance(value, bool) and isinstance(value, int | float) and name not in ("id", "version"):
            return 1
        return value

    def text(self, name: str, text: str, *, is_free: bool = False) -> str:
        """One text of an answer."""
        if name == "scope":
            return " ".join(self._scope(scope) for scope in text.split())
        if _ID.fullmatch(text):
            return self._id(text)
        if _SCRUBBED.fullmatch(text) or (_TIME.fullmatch(text) and name not in PERSONAL_TIMES):
            return text
        if name in PRICES:
            return "1.00"
        if (name in NUMERIC and _NUMBER.fullmatch(text)) or (name == "timezone" and _ZONE.fullmatch(text)):
            return text
        if name in SAFE | self._safe and not is_free and _WORD.fullmatch(text):
            return text
        if name == "state" and text in TRANSACTION_STATES:
            return text
        if _EMAIL.fullmatch(text):
            return self._numbered("email", text.lower(), "person-{}@example.com")
        if text.startswith(("http://", "https://")):
            return self._numbered("url", text, "https://example.com/{}")
        return self._numbered("text", text, "text-{}")

    def _scope(self, scope: str) -> str:
        permission, _, project = scope.partition(":")
        return f"{permission}:{self._words.get(project.partition(':')[0], 'project')}" if project else permission

    def _id(self, identifier: str) -> str:
        if _SCRUBBED_ID.fullmatch(identifier):
            return identifier
        return self._numbered("id", identifier, "{:08x}-cd1c-4000-8000-000000000000")

    def _numbered(self, kind: str, real: str, form: str) -> str:
        if (kind, real) not in self._replaced:
            self._counts[kind] += 1
            self._replaced[kind, real] = form.format(self._counts[kind])
        return self._replaced[kind, real]

    def _filter_value(self, encoded: str) -> str:
        """The values that a filter compares with; numbers and times are kept, a list comes in one order."""
        values = [
            part if part.isdecimal() or part in OURS else self.text("value", part) for part in unquote(encoded).split(",")
        ]
        return quote(",".join(sorted(values) if len(values) > 1 else values), safe="")

    def _request_body(self, body: bytes, headers: Mapping[str, str]) -> bytes:
        if headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        kind = headers.get("content-type", "").partition(";")[0]
        if kind == "application/x-www-form-urlencoded":
            fields = [(name, self._form_value(name, value)) for name, value in parse_qsl(body.decode())]
            return urlencode(fields, safe="*").encode()
        if body[:1] in (b"{", b"["):
            return _pretty(_ours(json.loads(body)))
        return body and MASK.encode()

    def _form_value(self, name: str, value: str) -> str:
        if name.lower() in CREDENTIALS:
            return MASK
        return self.text("scope", value) if name == "scope" else self._words.get(value, value)

    def _response_body(self, body: bytes) -> bytes:
        if not body:
            return b""
        try:
            decoded = json.loads(body)
        except ValueError:
            return MASK.encode()
        return _pretty(self.value(decoded))


def _total_of(page: Mapping[str, Any]) -> dict[str, int]:
    """The number of all records of a list: as it is where the list holds them all, else just one that is larger."""
    if page.keys() == {"total"} and isinstance(page["total"], int):  # Elastic Path's `results`: small lists are walked by it
        return {"total": min(page["total"], NUMBERS["total"])}
    items, total = page.get("items"), page.get("total_count")
    if not isinstance(items, list) or not isinstance(total, int):
        return {}
    return {"total_count": total if total <= len(items) else max(NUMBERS["total_count"], len(items) + 1)}


def _ours(value: Any, name: str = "") -> Any:
    """A JSON request of ours: made of sample data, so only credentials and what changes by itself are replaced."""
    if value and name.lower() in CREDENTIALS:
        return MASK
    if isinstance(value, dict):
        return {key: _ours(below, key) for key, below in value.items()}
    if isinstance(value, list):
        return [_ours(below, name) for below in value]
    return MADE_ANEW.get(name, value)


def _pretty(value: Any) -> bytes:
    return json.dumps(value, indent=1, ensure_ascii=False).encode()
