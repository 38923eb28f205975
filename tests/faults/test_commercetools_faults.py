"""The commercetools source when things go wrong: tokens, permissions, damaged answers, slow and contradictory pages."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from commercetools_stub import INVALID_TOKEN, QUICK, StubProject, opened, order
from scripted_server import Step, answer, reset_after

from cdi_cli.clock import Instant, Window
from cdi_cli.errors import AuthError, ConfigError, ProtocolError, RefusedError, ScopeError, TooLargeError, TransientError
from cdi_cli.http import HttpLimits
from cdi_cli.secrets import REDACTOR
from cdi_cli.sources import Page
from cdi_cli.sources.commercetools.source import CommercetoolsSource

YEAR = Window(Instant("2026-01-01T00:00:00.000Z"), Instant("2027-01-01T00:00:00.000Z"))
NOON = "2026-03-01T12:00:00.000Z"
HTML = answer(200, b"<html>maintenance</html>", content_type="text/html")


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stub knows one client."""
    monkeypatch.setenv("CT_SECRET", "s3cret-value")


def project_with(rows: int, **faults: list[Step]) -> StubProject:
    return StubProject({"orders": [order(number, NOON) for number in range(rows)]}, faults=faults)


async def walked(source: CommercetoolsSource) -> list[Page]:
    return [page async for page in source.pages("orders", YEAR, None)]


def rows_of(pages: list[Page]) -> int:
    return len({json.loads(record)["id"] for page in pages for record in page.records})


def refusal(status: int, code: str, message: str = "because") -> Step:
    body = {"statusCode": status, "message": message, "errors": [{"code": code, "message": message}]}
    return answer(status, json.dumps(body).encode())


def stalls(seconds: float) -> Step:
    """An answer that does not come."""

    async def step(writer: Any, request: Any) -> bool:
        await asyncio.sleep(seconds)
        return False

    return step


async def test_token_that_was_revoked_is_replaced_once() -> None:
    """A 401 in the middle of a run costs one token and one replay; no row is lost."""
    project = project_with(5)
    async with opened(project, page_size=2) as source:
        pages = []
        async for page in source.pages("orders", YEAR, None):
            pages.append(page)
            if len(pages) == 1:
                project.revoked.add("token-1")
    assert rows_of(pages) == 5
    assert project.mints == 2


async def test_many_requests_that_meet_the_same_401_mint_once() -> None:
    """When a token is refused to several requests at once, they share the next one."""
    project = project_with(1)
    async with opened(project, concurrency=16) as source:
        await walked(source)
        project.revoked.add("token-1")
        await asyncio.gather(*(walked(source) for _ in range(8)))
    assert project.mints == 2


async def test_second_401_is_fatal_and_names_the_correlation_id() -> None:
    """A fresh token that is refused too ends the run, without a third try."""
    project = project_with(1, orders=[answer(401, INVALID_TOKEN)] * 9)
    async with opened(project) as source:
        with pytest.raises(AuthError) as caught:
            await walked(source)
    assert len(project.asked) == 2
    assert "`client`" in caught.value.message
    assert "correlation id cdi-r1-1" in (caught.value.where or "")


async def test_wrong_secret_names_the_client_and_not_the_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused client is told by id, and is not tried again."""
    monkeypatch.setenv("CT_SECRET", "wrong-secret-value")
    project = project_with(1)
    async with opened(project) as source:
        with pytest.raises(AuthError) as caught:
            await walked(source)
        checks = await source.check()
    told = f"{caught.value.message} {caught.value.where} {caught.value.hint}"
    assert "API client `client`" in told
    assert "invalid_client" in told
    assert "wrong-secret-value" not in told
    assert [(check.name, check.is_ok) for check in checks] == [("credentials", False)]
    assert project.asked == []


async def test_missing_secret_stops_before_anything_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret that is not there is a settings error."""
    monkeypatch.delenv("CT_SECRET")
    with pytest.raises(ConfigError, match="CT_SECRET"):
        async with opened(project_with(1)):
            pytest.fail("a source was opened without its secret")


async def test_scope_that_the_client_lacks_is_told_by_name() -> None:
    """`invalid_scope` of the token service names the scopes that were asked for."""
    body = b'{"statusCode":400,"error":"invalid_scope","message":"x"}'
    project = project_with(1, token=[answer(400, body)])
    async with opened(project, scopes=["view_orders"]) as source:
        with pytest.raises(ScopeError, match="view_orders:shop"):
            await walked(source)


async def test_token_is_known_to_the_redactor() -> None:
    """An access token that reached a text would be masked."""
    project = project_with(1)
    async with opened(project) as source:
        await walked(source)
    assert REDACTOR("Bearer token-1") == "Bearer ****"


@pytest.mark.parametrize(
    ("message", "scope"),
    [
        (
            "Insufficient scope. One of the following scopes is missing: view_orders:shop:berlin.",
            "`view_orders:shop:berlin`",
        ),
        ("Insufficient scope", "`view_orders:shop`"),
    ],
)
async def test_forbidden_stream_names_the_missing_scope(message: str, scope: str) -> None:
    """A 403 names the scope that the message names, else the one the stream needs."""
    project = project_with(1, orders=[refusal(403, "insufficient_scope", message)])
    async with opened(project) as source:
        with pytest.raises(ScopeError) as caught:
            await walked(source)
    assert scope in caught.value.message


@pytest.mark.parametrize(
    "step", [HTML, answer(200, b'{"results":[{"id"'), answer(503), answer(429), reset_after(b"HTTP/1.1")]
)
async def test_answer_that_is_damaged_is_asked_for_again(step: Step) -> None:
    """HTML or broken JSON with status 200, transient statuses and broken connections cost a repeat, no row."""
    project = project_with(3, orders=[step, step])
    async with opened(project) as source:
        assert rows_of(await walked(source)) == 3
    assert len(project.asked) == 3
    assert len(set(project.correlation_ids)) == 1


async def test_html_to_the_end_is_a_protocol_error() -> None:
    """A server that only ever answers HTML with status 200 is not the API."""
    project = project_with(3, orders=[HTML] * QUICK.attempts)
    async with opened(project) as source:
        with pytest.raises(ProtocolError, match="commercetools orders page") as caught:
            await walked(source)
    assert "correlation id cdi-r1-1" in (caught.value.where or "")
    assert len(project.asked) == QUICK.attempts


async def test_html_from_the_token_service_is_a_protocol_error() -> None:
    """A login page in place of the token service is told as such."""
    project = project_with(1, token=[HTML] * QUICK.attempts)
    async with opened(project) as source:
        with pytest.raises(ProtocolError, match="commercetools token"):
            await walked(source)


async def test_server_that_stays_away_is_a_transient_error() -> None:
    """When retries are over the run stops and can be resumed."""
    project = project_with(1, orders=[answer(503)] * 9)
    async with opened(project) as source:
        with pytest.raises(TransientError):
            await walked(source)
    assert len(project.asked) == QUICK.attempts


async def test_bad_request_is_fatal_with_the_apis_own_words() -> None:
    """A 400 is not repeated and tells code and message."""
    project = project_with(1, orders=[refusal(400, "InvalidInput", "Malformed parameter: where")])
    async with opened(project) as source:
        with pytest.raises(RefusedError, match="400 InvalidInput: Malformed parameter: where") as caught:
            await walked(source)
    assert (caught.value.status, caught.value.code, len(project.asked)) == (400, "InvalidInput", 1)


async def test_unknown_project_says_what_to_check() -> None:
    """A 404 points to project key and region."""
    project = project_with(1, orders=[refusal(404, "ResourceNotFound")])
    async with opened(project) as source:
        with pytest.raises(RefusedError) as caught:
            await walked(source)
    assert "project_key" in (caught.value.hint or "")


@pytest.mark.parametrize("step", [refusal(413, "ContentTooLarge"), refusal(400, "QueryTimedOut"), answer(504)])
async def test_page_that_cannot_be_served_is_asked_for_in_halves(step: Step) -> None:
    """Too large, timed out or 504: the same place in fewer rows, at once, until it fits; then slowly more again."""
    project = project_with(40, orders=[step, step, step])
    async with opened(project, page_size=40) as source:
        assert rows_of(await walked(source)) == 40
    limits = [int(query["limit"][0]) for _, query in project.asked]
    assert limits[:4] == [40, 20, 10, 5]
    assert limits[4:7] == [6, 7, 8]
    assert project.asked[0][1]["where"] == project.asked[3][1]["where"]


async def test_page_that_does_not_come_in_time_is_asked_for_in_halves() -> None:
    """An attempt that runs into its deadline is not repeated as it was."""
    project = project_with(8, orders=[stalls(5), stalls(5)])
    async with opened(project, page_size=8, limits=HttpLimits(total_seconds=0.2)) as source:
        assert rows_of(await walked(source)) == 8
    assert [int(query["limit"][0]) for _, query in project.asked][:3] == [8, 4, 2]


async def test_page_over_the_byte_cap_is_asked_for_in_halves() -> None:
    """More decoded bytes than allowed is a reason to ask for fewer rows, not to stop."""
    project = project_with(16)
    async with opened(project, page_size=16, limits=HttpLimits(decoded_bytes_max=20_000)) as source:
        assert rows_of(await walked(source)) == 16
    assert [int(query["limit"][0]) for _, query in project.asked][:2] == [16, 8]


async def test_single_row_that_is_too_large_stops_the_run() -> None:
    """One row is the least that can be asked for."""
    project = project_with(4)
    project.rows_max = lambda _resource: 0
    async with opened(project, page_size=4) as source:
        with pytest.raises(TooLargeError):
            await walked(source)
    assert [int(query["limit"][0]) for _, query in project.asked] == [4, 2, 1]


def page(*rows: tuple[str, str], limit: int = 2) -> Step:
    """A page with these (id, createdAt)."""
    results = [{"id": name, "createdAt": at, "lastModifiedAt": at} for name, at in rows]
    return answer(200, json.dumps({"limit": limit, "count": len(rows), "results": results}).encode())


@pytest.mark.parametrize(
    ("pages", "words"),
    [
        ([page(("a", NOON), ("b", NOON)), page(("a", NOON), ("b", NOON))], "served the same page twice"),
        ([page(("a", NOON), ("b", NOON)), page(("z", NOON), ("b", NOON))], "served the same page twice"),
        ([page(("a", NOON), ("b", "2026-02-01T00:00:00.000Z"))], "go back in time"),
        ([page(("a", NOON), ("b", NOON)), page(("c", "2026-02-01T00:00:00.000Z"), ("d", NOON))], "go back in time"),
        ([page(("a", "2025-02-01T00:00:00.000Z"), ("b", NOON))], "served rows outside"),
        ([page(("a", NOON), ("b", YEAR.until))], "served rows outside"),
        ([page(("a", NOON), ("", NOON))], "`id` cannot be asked for"),
        ([page(("a", "noon"), ("b", NOON))], "without a readable `createdAt`"),
    ],
)
async def test_page_that_contradicts_the_query_stops_the_run(pages: list[Step], words: str) -> None:
    """Loops, rows out of order or outside the window are told, never followed or skipped."""
    project = StubProject(faults={"orders": list(pages)})
    async with opened(project, page_size=2) as source:
        with pytest.raises(ProtocolError, match=words):
            await walked(source)
    assert len(project.asked) == len(pages)


async def test_lookup_that_is_too_large_is_split() -> None:
    """Look-ups are asked for in halves as pages are."""
    line = order(1, NOON)["lineItems"][0]
    lines = [line | {"id": f"l{number}", "productId": f"p{number}"} for number in range(4)]
    filings = [{"id": f"p{number}", "categories": [{"id": "c"}]} for number in range(4)]
    project = StubProject({"product-projections": filings, "categories": [{"id": "c", "name": {"en": "Hats"}}]})
    project.faults["product-projections"] = [refusal(413, "ContentTooLarge"), refusal(400, "QueryTimedOut")]
    async with opened(project) as source:
        ((entity,),) = await source.read("orders", [json.dumps(order(1, NOON, lineItems=lines)).encode()])
    assert [found.category for found in entity.lines] == ["Hats"] * 4  # type: ignore[union-attr]
    asked = [query["where"][0].count("p") for path, query in project.asked if path.endswith("product-projections")]
    assert asked == [4, 2, 1, 1, 2]


async def test_check_never_raises() -> None:
    """A project that does not exist, and introspection that is not offered, are lines of the report."""
    project = project_with(1, project=[refusal(404, "ResourceNotFound")], introspect=[answer(404)])
    async with opened(project) as source:
        by_name = {check.name: check for check in await source.check()}
    assert not by_name["project"].is_ok
    assert by_name["scope of orders"].is_ok
    project = project_with(1, project=[refusal(403, "insufficient_scope")])
    async with opened(project) as source:
        by_name = {check.name: check for check in await source.check()}
    assert by_name["project"].is_ok
    assert "view_project_settings" in (by_name["project"].hint or "")
