"""The product catalogue: records by id and locale, judged one by one inside a 200 (sheet "Insider", section 3.4 and 4)."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

import msgspec

from cdi_cli.sandbox.clock import SandboxClock
from cdi_cli.sandbox.http_server import Response
from cdi_cli.sandbox.insider.panel import Panel

RECORDS_MAX = 10_000
BODY_BYTES_MAX = 5_000_000
RECORD_BYTES_MAX = 512_000
PER_MINUTE = 60
CALLS = frozenset({"ingest", "update", "ingest/nested", "update/nested", "locales/batch"})
_REQUIRED = ("item_id", "locale", "name", "url", "image_url")
_TEXTS_MAX = {
    "item_id": 128, "locale": 64, "name": 512, "url": 512, "brand": 512, "sku": 512, "color": 512, "size": 512,
    "gender": 512, "description": 1024,
}  # fmt: skip
_LISTS_MAX = {"category": 1024, "tags": 4096}
_ATTRIBUTE_MAX, _ATTRIBUTE_LIST_MAX = 512, 1024
_LEVELS = {"item_id", "base", "locales"}
_STORE = {"price", "original_price", "omnibus_price", "in_stock", "stock_count"}


@dataclass(slots=True)
class CatalogRequest:
    """One request that was carried out, and how many of its records were bad."""

    call: str
    records: int
    body_bytes: int
    invalid: int = 0


@dataclass(slots=True)
class Catalogue:
    """`items` by (item_id, locale). `requires`: further fields, by the account's feed type (`price`, `in_stock`)."""

    clock: SandboxClock
    panel: Panel
    requires: tuple[str, ...] = ()
    per_minute: int = PER_MINUTE
    details_max: int | None = None
    """How many ids are named for a mistake (None: all)."""
    items: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    requests: list[CatalogRequest] = field(default_factory=list)
    _made: deque[float] = field(default_factory=deque)

    def clear(self) -> None:
        """Forget all records and requests; settings stay."""
        self.items.clear()
        self.requests.clear()
        self._made.clear()

    def handle(self, call: str, body: bytes) -> Response:
        """The answer to a request whose credentials are good."""
        now = self.clock.seconds()
        while self._made and now - self._made[0] >= 60.0:
            self._made.popleft()
        if len(self._made) >= self.per_minute:
            return refused(429, "Too many requests.")
        self._made.append(now)
        if len(body) > BODY_BYTES_MAX:
            return refused(400, "Maximum allowed request size is exceeded.")
        try:
            records = msgspec.json.decode(body, type=list[dict[str, Any]])
        except (msgspec.DecodeError, UnicodeDecodeError):
            return refused(400, "Request data is not in valid JSON format.")
        if call == "locales/batch":
            codes = {str(record.get("language_and_country_code")) for record in records}
            self.panel.locales |= codes
            return Response(200, msgspec.json.encode({"success": True, "created_locale_count": len(codes)}))
        if len(records) > RECORDS_MAX:
            return refused(400, "Maximum allowed record count is exceeded.")
        if call.endswith("/nested"):
            if problem := _nested_problem(records):
                return refused(400, problem)
            records = [flat for record in records for flat in _flattened(record)]
        return self._take(call, records, len(body))

    def _take(self, call: str, records: list[dict[str, Any]], body_bytes: int) -> Response:
        is_update = call.startswith("update")
        invalid: dict[tuple[str, str], list[str]] = {}
        warnings: dict[tuple[str, str], list[str]] = {}
        bad = 0
        for record in records:
            problems = self._problems(record, is_update=is_update)
            if problems:
                bad += 1
                for problem in problems:
                    invalid.setdefault(problem, []).append(str(record.get("item_id")))
                continue
            if not str(record.get("image_url", "https://")).startswith("https://"):
                warning = ("image_url", "Image URL could not be validated")
                warnings.setdefault(warning, []).append(str(record["item_id"]))
            key = (record["item_id"], record["locale"])
            self.items[key] = {**self.items[key], **record} if is_update else dict(record)
        self.requests.append(CatalogRequest(call, len(records), body_bytes, bad))
        message = {
            "valid": {"count": len(records) - bad},
            "invalid": {"count": bad, "details": self._details(invalid)},
            "warnings": {"count": len(warnings), "details": self._details(warnings)},
            "invalidRatio": bad / len(records) if records else 0,
        }
        return Response(200, msgspec.json.encode({"success": True, "message": message}))

    def _details(self, found: dict[tuple[str, str], list[str]]) -> list[dict[str, Any]]:
        return [
            {"field": name, "message": text, "count": len(ids), "document_ids": ids[: self.details_max]}
            for (name, text), ids in found.items()
        ]

    def _problems(self, record: dict[str, Any], *, is_update: bool) -> list[tuple[str, str]]:
        """The mistakes of one record: (field, message)."""
        needed = ("item_id", "locale") if is_update else (*_REQUIRED, *self.requires)
        found = [(name, f"Field is invalidated: '{name}' is required") for name in needed if record.get(name) in (None, "")]
        if found:
            return found
        if record["locale"] not in self.panel.locales:
            return [("locale", "Locale is not defined")]
        if len(msgspec.json.encode(record)) > RECORD_BYTES_MAX:
            return [("item_id", "Record size limit is exceeded.")]
        if is_update and (record["item_id"], record["locale"]) not in self.items:
            return [("item_id", "Item does not exist")]
        found += [
            (name, f"Field is invalidated: '{name}' is too long")
            for name, most in _TEXTS_MAX.items()
            if isinstance(record.get(name), str) and len(record[name]) > most
        ]
        found += [
            (name, f"Field is invalidated: '{name}' is too long")
            for name, most in _LISTS_MAX.items()
            if sum(map(len, record.get(name) or ())) > most
        ]
        if any(map(_is_too_long, (record.get("product_attributes") or {}).values())):
            found.append(("product_attributes", "Field is invalidated: 'product_attributes' is too long"))
        if ("price" in record) != ("original_price" in record):
            found.append(("original_price", "Field is invalidated: 'original_price' is required"))
        return found


def _is_too_long(attribute: Any) -> bool:
    if isinstance(attribute, str):
        return len(attribute) > _ATTRIBUTE_MAX
    return isinstance(attribute, list) and sum(len(str(each)) for each in attribute) > _ATTRIBUTE_LIST_MAX


def refused(status: int, message: str) -> Response:
    """A refusal of the catalogue."""
    return Response(status, msgspec.json.encode({"success": False, "message": message}))


def _nested_problem(records: list[dict[str, Any]]) -> str | None:
    """What spoils a whole nested request."""
    for record in records:
        if unknown := sorted(set(record) - _LEVELS):
            return f'Unknown field in nested payload: "{unknown[0]}"'
        locales = record.get("locales")
        if not isinstance(locales, dict) or not locales:
            return "No locales sent in payload"
        for part in locales.values():
            for store in (part.get("stores") or {}).values():
                if unknown := sorted(set(store) - _STORE):
                    return f'Unknown field in nested payload: "{unknown[0]}"'
    return None


def _flattened(record: dict[str, Any]) -> list[dict[str, Any]]:
    base = record.get("base") or {}
    return [
        {
            **base,
            **{name: value for name, value in part.items() if name != "stores"},
            **(part.get("stores") or {}).get("main", {}),
            "item_id": record.get("item_id"),
            "locale": locale,
        }
        for locale, part in record["locales"].items()
    ]
