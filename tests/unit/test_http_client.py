"""The HTTP client against a well-behaved server: what arrives, what is repeated, what is said in the end."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import stamina
from scripted_server import answer, scripted

from cdi_cli import _http_transport
from cdi_cli.errors import AuthError, ConfigError, ProtocolError, TransientError
from cdi_cli.http import HttpClient, HttpLimits, Response, RetryPolicy, gzip


async def test_a_request_arrives_as_it_was_meant() -> None:
    """Method, path, parameters, headers and body reach the server; the answer comes back inflated, names in lower case."""
    async with scripted(answer(201, gzip(b'{"a":1}'), Content_Encoding="gzip", X_Thing="Y")) as server:
        client = HttpClient()
        response = await client.request(
            "POST",
            f"{server.url}/a/b?x=1",
            what="thing",
            headers={"authorization": "Bearer t"},
            params=[("where", 'id > "ü&"'), ("where", "b")],
            content=b"body",
        )
        await client.close()

    request = server.requests[0]
    assert request.target == "/a/b?x=1&where=id%20%3E%20%22%C3%BC%26%22&where=b"
    assert (request.method, request.body, request.headers["authorization"]) == ("POST", b"body", "Bearer t")
    assert request.headers["user-agent"].startswith("cdi/")
    assert request.headers["accept-encoding"] == "gzip"
    assert (response.status, response.headers["x-thing"], response.json()) == (201, "Y", {"a": 1})


async def test_headers_and_content_are_made_anew_for_each_attempt() -> None:
    """A repeat carries a fresh token and a fresh time."""
    counter = iter(range(100))
    async with scripted(answer(503), answer(200)) as server:
        client = HttpClient()
        with stamina.set_testing(True, attempts=5, cap=True):
            await client.request(
                "PUT", server.url, what="x", headers=lambda: {"n": str(next(counter))}, content=lambda: b"%d" % next(counter)
            )
        await client.close()

    assert [(request.headers["n"], request.body) for request in server.requests] == [("0", b"1"), ("2", b"3")]


async def test_connections_are_kept_and_replaced_when_old(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests share a connection until it is too old; then the next one opens a new one."""
    times = [0.0, 0.0, 1.0, 3600.0, 3601.0, 3601.0, 3602.0]
    monkeypatch.setattr(_http_transport, "time", SimpleNamespace(monotonic=lambda: times.pop(0)))
    async with scripted(answer(200)) as server:
        client = HttpClient(limits=HttpLimits(connection_age_seconds=3600))
        for _ in range(5):
            await client.request("GET", server.url, what="x")
        await client.close()

    assert (len(server.requests), server.connections) == (5, 2)


async def test_an_old_pool_is_closed_only_when_its_last_request_is_done() -> None:
    """Replacing connections disturbs nothing that is under way."""
    transport = _http_transport.Transport(
        limits=HttpLimits(connection_age_seconds=-1), user_agent="x", ca_file=None, trust_env=False
    )
    old = await transport._lease()
    new = await transport._lease()

    assert old is not new
    assert not old.client.is_closed
    await transport._give_back(old)
    assert old.client.is_closed
    await transport._give_back(new)
    await transport.close()
    assert new.client.is_closed


@pytest.mark.parametrize("headers", [{"authorization": "Bearer SE\nCRET"}, {"authorization": "Bearer SECRET\u2013"}])
async def test_a_header_that_http_cannot_carry_is_not_shown(headers: dict[str, str]) -> None:
    """A token with a line break or a dash from a word processor: a hint, without the token, also in the causes."""
    client = HttpClient()
    async with scripted(answer(200)) as server:
        with pytest.raises(ConfigError) as caught:
            await client.request("GET", server.url, what="page", headers=headers)
    await client.close()

    assert "CRET" not in repr((caught.value, caught.value.hint, caught.value.__cause__, caught.value.__context__))
    assert server.requests == []


async def test_an_answer_that_the_caller_does_not_accept_is_asked_for_again() -> None:
    """`accept` has a 200 with a cut body repeated, and its own error comes out in the end."""
    seen: list[Any] = []

    def accept(response: Response) -> None:
        seen.append(response.json(type=dict[str, int]))

    async with scripted(answer(200, b'{"a":'), answer(200, b'{"a":1}'), answer(200, b"<html>")) as server:
        client = HttpClient()
        with stamina.set_testing(True, attempts=3, cap=True):
            await client.request("GET", server.url, what="page", accept=accept)
            with pytest.raises(ProtocolError, match="page: the answer cannot be read"):
                await client.request("GET", server.url, what="page", accept=accept)
        await client.close()

    assert seen == [{"a": 1}]
    assert len(server.requests) == 2 + 3


async def test_accept_may_end_the_request_for_good() -> None:
    """An error of `accept` that is not transient is raised at once."""

    def accept(_response: Response) -> None:
        raise AuthError("no")

    async with scripted(answer(200)) as server:
        client = HttpClient()
        with pytest.raises(AuthError):
            await client.request("GET", server.url, what="page", accept=accept)
        await client.close()

    assert len(server.requests) == 1


async def test_the_error_after_all_retries_says_what_how_often_and_where() -> None:
    """What was asked for, the last status, attempts, host; no path and no query."""
    retries: list[float] = []
    async with scripted(answer(500), answer(502)) as server:
        client = HttpClient(retry=RetryPolicy(attempts=3), on_retry=retries.append)
        with stamina.set_testing(True, attempts=9, cap=True), pytest.raises(TransientError) as caught:
            await client.request("GET", f"{server.url}/private/path?key=SECRET", what="orders page")
        await client.close()

    assert caught.value.message == "orders page: the server answered 502 (3 attempts in 0 s)"
    assert caught.value.where == "GET 127.0.0.1"
    assert caught.value.hint is not None
    assert type(caught.value) is TransientError
    assert (len(server.requests), len(retries)) == (3, 2)


async def test_cookies_are_not_kept() -> None:
    """A cookie that a server sets is not sent back: requests do not depend on each other."""
    async with scripted(answer(200, Set_Cookie="session=1; Path=/")) as server:
        client = HttpClient()
        for _ in range(2):
            await client.request("GET", server.url, what="x")
        await client.close()

    assert [request.headers.get("cookie") for request in server.requests] == [None, None]
