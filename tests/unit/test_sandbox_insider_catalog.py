"""The simulator of Insider's catalogue: records judged one by one inside a 200, and requests refused as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from insider_sandbox import RECORD, call
from sandbox_client import SandboxClient

from cdi_cli.sandbox import SandboxOptions, SandboxThread


@pytest.fixture(scope="module")
def shared() -> Iterator[SandboxThread]:
    """One server for the module."""
    with SandboxThread(SandboxOptions(orders=0)) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(shared: SandboxThread) -> SandboxThread:
    """The server with an empty catalogue."""
    shared.insider_catalog.clear()
    shared.insider_catalog.requires = ()
    return shared


@pytest.fixture
def client(sandbox: SandboxThread) -> Iterator[SandboxClient]:
    """A client of the server."""
    with SandboxClient(sandbox.url) as client:
        yield client


def test_the_catalogue_has_a_token_of_its_own(client: SandboxClient) -> None:
    """That of the user API is refused there."""
    answer = call(client, "v2/ingest", [], X_REQUEST_TOKEN="sandbox-insider-token")

    assert (answer.status, answer.json()["message"]) == (401, "Partner token authentication is unsuccessful.")


def test_every_record_of_the_catalogue_is_judged_by_itself(sandbox: SandboxThread, client: SandboxClient) -> None:
    """Even if all are invalid the answer is 200; mistakes name the records, warnings cost nothing."""
    sandbox.insider_catalog.requires = ("price",)
    price = {"price": {"EUR": 1}, "original_price": {"EUR": 2}}
    wrong = [RECORD, RECORD | {"item_id": "p-2"}, RECORD | price | {"item_id": "p-3", "locale": "de-DE"}]
    worst = call(client, "v2/ingest", wrong).json()["message"]
    good = [RECORD | price | {"image_url": "ftp://x"}, RECORD | price | {"item_id": "p-4", "name": "n" * 513}]
    mixed = call(client, "v2/ingest", good).json()["message"]

    assert (worst["valid"], worst["invalid"]["count"], worst["invalidRatio"]) == ({"count": 0}, 3, 1.0)
    assert worst["invalid"]["details"] == [
        {
            "field": "price",
            "message": "Field is invalidated: 'price' is required",
            "count": 2,
            "document_ids": ["p-1", "p-2"],
        },
        {"field": "locale", "message": "Locale is not defined", "count": 1, "document_ids": ["p-3"]},
    ]
    assert (mixed["valid"]["count"], mixed["invalid"]["details"][0]["field"]) == (1, "name")
    assert mixed["warnings"]["details"][0]["document_ids"] == ["p-1"]
    assert set(sandbox.insider_catalog.items) == {("p-1", "de_DE")}


def test_ingest_replaces_and_update_changes(sandbox: SandboxThread, client: SandboxClient) -> None:
    """What was never ingested cannot be updated."""
    call(client, "v2/ingest", [RECORD | {"brand": "Acme"}])
    call(client, "v2/update", [{"item_id": "p-1", "locale": "de_DE", "in_stock": 0}])
    updated = dict(sandbox.insider_catalog.items["p-1", "de_DE"])
    unknown = call(client, "v2/update", [{"item_id": "p-9", "locale": "de_DE", "in_stock": 0}]).json()["message"]
    call(client, "v2/ingest", [RECORD])

    assert (updated["brand"], updated["in_stock"]) == ("Acme", 0)
    assert unknown["invalid"]["details"][0]["document_ids"] == ["p-9"]
    assert sandbox.insider_catalog.items["p-1", "de_DE"] == RECORD


def test_one_bad_key_spoils_a_nested_request(sandbox: SandboxThread, client: SandboxClient) -> None:
    """400 for all of it; a good one is unfolded, the store goes before the locale and the base."""

    def nested(**store: Any) -> dict[str, Any]:
        base = {"name": "Tee", "url": "https://s.example/p", "image_url": "https://s.example/i", "in_stock": 1}
        return {"item_id": "p-1", "base": base, "locales": {"de_DE": {"name": "Hemd", "stores": {"main": store}}}}

    refused = call(client, "v2/ingest/nested", [nested(in_stock=0), nested(colour="red")])
    empty = call(client, "v2/ingest/nested", [{"item_id": "p-1", "base": {}, "locales": {}}])
    before = dict(sandbox.insider_catalog.items)
    taken = call(client, "v2/ingest/nested", [nested(in_stock=0)])

    assert (refused.status, refused.json()["message"]) == (400, 'Unknown field in nested payload: "colour"')
    assert (empty.status, empty.json()["message"]) == (400, "No locales sent in payload")
    assert (before, taken.status) == ({}, 200)
    item = sandbox.insider_catalog.items["p-1", "de_DE"]
    assert (item["name"], item["in_stock"]) == ("Hemd", 0)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"[", "Request data is not in valid JSON format."),
        ([RECORD] * 10_001, "Maximum allowed record count is exceeded."),
        (b'["' + b"x" * 5_000_000 + b'"]', "Maximum allowed request size is exceeded."),
    ],
)
def test_a_catalogue_request_that_is_wrong_as_a_whole_is_400(client: SandboxClient, body: Any, text: str) -> None:
    """With the catalogue's texts."""
    answer = call(client, "v2/ingest", body)

    assert (answer.status, answer.json()) == (400, {"success": False, "message": text})


def test_the_catalogue_takes_60_requests_in_any_minute(sandbox: SandboxThread, client: SandboxClient) -> None:
    """Rolling, for all calls together."""
    statuses = [call(client, "v2/update" if number % 2 else "v2/ingest", []).status for number in range(61)]
    sandbox.clock.advance(61)
    later = call(client, "v2/ingest", []).status
    sandbox.clock.advance(-61)

    assert statuses == [200] * 60 + [429]
    assert later == 200


def test_locales_can_be_added(sandbox: SandboxThread, client: SandboxClient) -> None:
    """Then their records are taken."""
    answer = call(client, "v2/locales/batch", [{"language_and_country_code": "tr_TR", "store_id": "Ankara"}])
    taken = call(client, "v2/ingest", [RECORD | {"locale": "tr_TR"}]).json()["message"]["valid"]
    sandbox.insider.panel.locales.discard("tr_TR")

    assert answer.json() == {"success": True, "created_locale_count": 1}
    assert taken == {"count": 1}
