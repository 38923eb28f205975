"""A request that must not be repeated: what is certainly undone is sent again, what may have arrived is not."""

from __future__ import annotations

from typing import Any

import pytest
import stamina
from scripted_server import Step, answer, drip, head, raw, reset_after, scripted

from cdi_cli.errors import LostAnswerError, TransientError
from cdi_cli.http import HttpClient, HttpLimits, RetryPolicy

ONCE = RetryPolicy(attempts=3, statuses=frozenset({503}), is_repeatable=False)
LOST: dict[str, Step] = {
    "reset": reset_after(),
    "reset in the answer": reset_after(head(200, {"Content-Length": "9"}) + b"{"),
    "closed": raw(b""),
    "cut": raw(head(200, {"Content-Length": "9"}) + b"{"),
    "damaged": answer(200, b"\x1f\x8bx", Content_Encoding="gzip"),
    "time-out": drip(head(200, {"Content-Length": "9"}), 0.05),
}


async def post(url: str, retry: RetryPolicy, **values: Any) -> Any:
    """One request, without waiting between attempts."""
    client = HttpClient(retry=retry, limits=HttpLimits(total_seconds=0.3))
    try:
        with stamina.set_testing(True, attempts=100, cap=True):
            return await client.request("POST", url, what="test", content=b"{}", **values)
    finally:
        await client.close()


@pytest.mark.parametrize("fault", LOST)
async def test_a_lost_answer_ends_it_at_once(fault: str) -> None:
    """The error says that nobody knows; the server saw one request, where otherwise it would see all attempts."""
    async with scripted(LOST[fault], answer(200, b"{}")) as server:
        with pytest.raises(LostAnswerError) as caught:
            await post(server.url, ONCE)
    async with scripted(LOST[fault], answer(200, b"{}")) as repeated:
        assert (await post(repeated.url, RetryPolicy(attempts=3))).status == 200

    assert (len(server.requests), len(repeated.requests)) == (1, 2)
    assert "1 attempts" in caught.value.message


async def test_a_lost_answer_after_a_harmless_repeat_is_lost_too() -> None:
    """A 503 says that nothing was done, the reset after it says nothing."""
    async with scripted(answer(503), reset_after(), answer(200)) as server:
        with pytest.raises(LostAnswerError):
            await post(server.url, ONCE)

    assert len(server.requests) == 2


async def test_what_never_left_is_repeated_and_is_not_lost() -> None:
    """No connection, no doubt."""
    async with scripted(answer(200)) as server:
        url = server.url
    with pytest.raises(TransientError) as caught:
        await post(url, ONCE)

    assert type(caught.value) is TransientError
    assert "3 attempts" in caught.value.message


async def test_a_status_that_may_be_repeated_is() -> None:
    """In the end it is a transient error, not a lost answer."""
    async with scripted(answer(503)) as server:
        with pytest.raises(TransientError) as caught:
            await post(server.url, ONCE)

    assert type(caught.value) is TransientError
    assert len(server.requests) == 3


async def test_what_the_caller_finds_unreadable_is_not_repeated_either() -> None:
    """An answer came, so the request was carried out."""

    def refuse(_response: Any) -> None:
        raise TransientError("not readable")

    async with scripted(answer(200)) as server:
        with pytest.raises(TransientError, match="not readable"):
            await post(server.url, ONCE, accept=refuse)

    assert len(server.requests) == 1
