"""What goes wrong on the way to Elastic Path: tokens that end, limits without a time, errors in two shapes, damage."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import pytest
from elasticpath_stub import SECRET, StubStore, customer, opened, order, record_of, transaction
from scripted_server import Step, answer, reset_after

from cdi_cli.clock import Clock, Instant, Window
from cdi_cli.errors import AuthError, CdiError, ProtocolError, RefusedError, ScopeError, TransientError
from cdi_cli.sources.elasticpath.pace import Pace
from cdi_cli.sources.elasticpath.source import ElasticPathSource

YEAR = Window(Instant("2026-01-01T00:00:00.000Z"), Instant("2027-01-01T00:00:00.000Z"))
PATH = "/v2/customers"


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stub knows one secret."""
    monkeypatch.setenv("EP_SECRET", SECRET)


class HandClock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def clock(self) -> Clock:
        """As the source takes it."""
        start = datetime(2026, 6, 1, tzinfo=UTC)
        return Clock(now=lambda: start + timedelta(seconds=self.seconds), monotonic=lambda: self.seconds)


async def ids_of(source: ElasticPathSource, window: Window = YEAR) -> list[str]:
    """The ids of all customers."""
    pages = [page async for page in source.pages("customers", window, None)]
    return [json.loads(record)["id"] for page in pages for record in page.records]


def store(**changes: Any) -> StubStore:
    """A store of three customers."""
    return StubStore({PATH: [customer(f"c{number}") for number in range(3)]}, **changes)


async def test_the_token_is_asked_for_with_a_form_and_by_one_of_all_who_wait() -> None:
    """Ten requests at once: one token, in the form that the API really takes."""
    shop = store()
    async with opened(shop) as source:
        await asyncio.gather(*(ids_of(source) for _ in range(10)))
    minted = [request for request in shop.requests if request.target == "/oauth/access_token"]
    assert len(minted) == 1
    form = {"grant_type": ["client_credentials"], "client_id": ["key-1"], "client_secret": [SECRET]}
    assert parse_qs(minted[0].body.decode()) == form
    headers = {name for request in shop.requests for name in request.headers}
    assert not {"x-moltin-customer-token", "ep-account-management-authentication-token"} & headers


async def test_a_token_is_renewed_a_minute_before_it_ends() -> None:
    """Not at each request, and not when it is too late."""
    hand = HandClock()
    shop = store(token_seconds=600)
    async with opened(shop, clock=hand.clock()) as source:
        for passed, expected in ((0, 1), (500, 1), (39, 1), (2, 2), (539, 2), (2, 3)):
            hand.seconds += passed
            await ids_of(source)
            assert shop.tokens == expected


async def test_a_refused_token_costs_one_new_one_and_one_replay() -> None:
    """A key's tokens can be revoked at any time; one that is refused again is an error."""
    shop = store()
    async with opened(shop) as source:
        await ids_of(source)
        shop.valid.clear()
        assert len(await ids_of(source)) == 3
        assert shop.tokens == 2
        shop.faults[PATH] = [answer(401, b'{"errors":{"status":401,"title":"Unable to validate access token"}}')] * 2
        with pytest.raises(AuthError, match="Unable to validate") as caught:
            await ids_of(source)
    assert shop.tokens == 3
    assert caught.value.hint


async def test_a_shopper_s_token_is_refused() -> None:
    """It would show one shopper's orders only, without a word."""
    body = json.dumps({"access_token": "t" * 20, "expires_in": 3600, "identifier": "implicit"}).encode()
    async with opened(store(faults={"/oauth/access_token": [answer(200, body)]})) as source:
        with pytest.raises(AuthError, match="shoppers"):
            await ids_of(source)


async def test_too_many_requests_pause_all_of_them() -> None:
    """429 tells no time: the request is repeated, and the pace of the others is held."""
    shop = store(faults={PATH: [answer(429, b'{"errors":[{"title":"Too Many Requests","status":429}]}')] * 2})
    async with opened(shop) as source:
        held: list[float] = []
        pace = source._client._pace
        original = pace.hold
        pace.hold = lambda seconds: held.append(seconds) or original(0.0)  # type: ignore[func-returns-value, method-assign]
        assert len(await ids_of(source)) == 3
    assert held == [1.0, 1.0]


async def test_what_fails_again_and_again_is_told_with_its_request_id() -> None:
    """The vendor's support finds the cause by it."""
    body = b'{"errors":[{"status":500,"title":"Internal server error","request_id":"5b6b9d2f-1"}]}'
    async with opened(store(faults={PATH: [answer(500, body)] * 9})) as source:
        with pytest.raises(TransientError, match="request id 5b6b9d2f-1") as caught:
            await ids_of(source)
    assert "support" in (caught.value.hint or "")


async def test_a_failure_that_ends_is_waited_for() -> None:
    """A 500, a reset, half a page and a page for people in one row."""
    faults: list[Step] = [
        answer(500, b"{}"),
        reset_after(b"HTTP/1.1 200 X\r\nContent-Length: 99\r\n\r\n{"),
        answer(200, b'{"data": ['),
    ]
    async with opened(store(faults={PATH: faults})) as source:
        assert await ids_of(source) == ["c0", "c1", "c2"]


@pytest.mark.parametrize(
    ("status", "body", "error", "message"),
    [
        (
            403,
            b'{"errors":[{"title":"Forbidden","detail":"no access"}]}',
            ScopeError,
            "may not read it: Forbidden: no access",
        ),
        (404, b"<html>", RefusedError, "the store answered 404"),
        (422, b'{"errors":{"title":"Unprocessable","request_id":"r-1"}}', RefusedError, "Unprocessable, request id r-1"),
        (422, b'{"errors":[]}', RefusedError, "the store answered 422"),
        (422, b'{"errors":"x"}', RefusedError, "the store answered 422"),
        (413, b"", RefusedError, "too large"),
        (302, b"", RefusedError, "redirect"),
        (200, b"[]", ProtocolError, "cannot be read"),
    ],
)
async def test_each_refusal_is_one_of_ours(status: int, body: bytes, error: type[CdiError], message: str) -> None:
    """With what the store said, in either shape, and never as an error of another kind."""
    async with opened(store(faults={PATH: [answer(status, body)] * 9})) as source:
        with pytest.raises(error, match=message) as caught:
            await ids_of(source)
    assert "127.0.0.1" in (caught.value.where or "")


@pytest.mark.parametrize(("status", "error"), [(400, AuthError), (401, AuthError), (403, AuthError), (404, RefusedError)])
async def test_refused_credentials_are_told_as_such(status: int, error: type[CdiError]) -> None:
    """And never show the secret."""
    body = b'{"errors":[{"title":"Bad","detail":"client not found"}]}'
    async with opened(store(faults={"/oauth/access_token": [answer(status, body)] * 9})) as source:
        with pytest.raises(error) as caught:
            await ids_of(source)
    told = f"{caught.value.message} {caught.value.hint} {caught.value.where}"
    assert SECRET not in told
    assert caught.value.hint


@pytest.mark.parametrize("fault", [answer(500, b"{}"), answer(422, b'{"errors":[{"title":"No"}]}')])
async def test_a_failed_look_up_stops_the_reading(fault: Step) -> None:
    """None of the other look-ups goes on, and no order is told without its refunds."""
    orders = [order(f"o{number}") for number in range(6)]
    answers = {f"/v2/orders/o{number}/transactions": {"data": [transaction("t")]} for number in range(6)}
    shop = StubStore({"/v2/currencies": []}, answers=answers, faults={"/v2/orders/o3/transactions": [fault] * 9})
    async with opened(shop) as source:
        with pytest.raises(CdiError):
            await source.read("orders", [record_of(one) for one in orders])
        shop.faults.clear()
        readings = await source.read("orders", [record_of(one) for one in orders])
    assert len(readings) == 6


async def test_requests_at_once_are_bounded() -> None:
    """However many orders a group has."""
    answers: dict[str, Any] = {f"/v2/orders/o{number}/transactions": {"data": []} for number in range(40)}
    shop = StubStore({"/v2/currencies": []}, answers=answers)
    running: list[int] = []
    open_now = 0
    original = shop.reply

    async def counted(writer: Any, status: int, body: Any) -> bool:
        nonlocal open_now
        open_now += 1
        running.append(open_now)
        await asyncio.sleep(0.002)
        open_now -= 1
        return await original(writer, status, body)

    shop.reply = counted  # type: ignore[method-assign]
    async with opened(shop, requests_at_once=3) as source:
        await source.read("orders", [record_of(order(f"o{number}")) for number in range(40)])
    assert max(running) == 3


async def test_the_pace_is_kept_after_a_burst() -> None:
    """A second's worth at once, then one by one; a hold keeps everybody."""
    hand = HandClock()
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(round(seconds, 3))
        hand.seconds += seconds

    pace = Pace(10, hand.clock(), sleep)
    for _ in range(14):
        await pace.turn()
    assert waits == [0.1] * 4
    pace.hold(1.0)
    await pace.turn()
    assert waits[-1] == 1.1
    hand.seconds += 60
    before = len(waits)
    for _ in range(10):
        await pace.turn()
    assert len(waits) == before


async def test_a_cursor_of_another_window_is_refused() -> None:
    """It is never taken for a start."""
    async with opened(store()) as source:
        (page,) = [page async for page in source.pages("customers", YEAR, None)]
        other = Window(Instant("2027-01-01T00:00:00.000Z"), Instant("2028-01-01T00:00:00.000Z"))
        with pytest.raises(ProtocolError, match="outside its window"):
            await anext(source.pages("customers", other, page.cursor))
