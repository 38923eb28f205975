"""HTTP that goes wrong on the wire: every fault has one class, nothing hangs, nothing partial comes out.

Numbers F9-F15 are those of the fault table in the reliability sheet. The server is a raw socket that breaks HTTP itself.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import gzip
import logging
import ssl
import time
from pathlib import Path
from typing import Any

import pytest
import stamina
from scripted_server import Step, answer, drip, hang, head, raw, reset_after, scripted

from cdi_cli.errors import ProtocolError, RefusedError, StoppedError, TooLargeError, TransientError
from cdi_cli.http import TRANSIENT_STATUSES, HttpClient, HttpLimits, Response, RetryPolicy

ONCE = RetryPolicy(attempts=1)
BODY = b'{"results":[{"id":"1"},{"id":"2"}]}'
STATUSES = [200, 202, 204, 400, 401, 403, 404, 408, 409, 413, 415, 422, 425, 429]
STATUSES += [500, 501, 502, 503, 504, 505, 520, 524, 599, 999]


async def ask(url: str, *, limits: HttpLimits = HttpLimits(), retry: RetryPolicy = ONCE, **more: Any) -> Response:  # noqa: B008
    """One request with a client of its own."""
    client = HttpClient(limits=limits, retry=retry)
    try:
        return await client.request("GET", url, what="orders page", **more)
    finally:
        await client.close()


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("place", ["first", "second", "after a repeat"])
async def test_each_status_is_repeated_or_returned(status: int, place: str) -> None:
    """F10: the documented transient statuses are repeated to the end, all others come back to be judged."""
    before = {"first": (), "second": (answer(200),), "after a repeat": (answer(503),)}[place]
    async with scripted(*before, answer(status)) as server:
        client = HttpClient(retry=RetryPolicy(attempts=4))
        with stamina.set_testing(True, attempts=4, cap=True):
            if place == "second":
                await client.request("GET", server.url, what="x")
            if status in TRANSIENT_STATUSES:
                with pytest.raises(TransientError, match=f"answered {status} "):
                    await client.request("GET", server.url, what="x")
            else:
                assert (await client.request("GET", server.url, what="x")).status == status
        await client.close()

    assert len(server.requests) == (4 if status in TRANSIENT_STATUSES else 1) + (
        0 if place == "first" or (place == "after a repeat" and status in TRANSIENT_STATUSES) else 1
    )


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308, 304])
async def test_redirects_are_refused_and_name_the_hosts(status: int) -> None:
    """F10: no redirect is followed; the text says which host answered and which it points to, without the query."""
    async with scripted(answer(status, Location="https://login.example/next?token=SECRET")) as server:
        with pytest.raises(RefusedError) as caught:
            await ask(server.url)

    assert caught.value.status == status
    assert caught.value.code == "redirect"
    assert "`127.0.0.1`" in caught.value.message
    assert "`login.example`" in caught.value.message
    assert "SECRET" not in caught.value.message
    assert len(server.requests) == 1


async def test_a_redirect_to_nowhere_readable_is_refused_too() -> None:
    """F10: a `Location` that is no URL changes nothing."""
    async with scripted(answer(302, Location="http://[")) as server:
        with pytest.raises(RefusedError, match="not followed"):
            await ask(server.url)


BROKEN: dict[str, Step] = {
    "closed before headers": raw(b""),
    "reset before headers": reset_after(),
    "reset in the status line": reset_after(b"HTTP/1.1 2"),
    "reset in the headers": reset_after(b"HTTP/1.1 200 OK\r\nContent-Le"),
    "reset after the headers": reset_after(head(200, {"Content-Length": "35"})),
    "reset in the body": reset_after(head(200, {"Content-Length": "35"}) + BODY[:20]),
    "closed in the body": raw(head(200, {"Content-Length": "35"}) + BODY[:34]),
    "chunk cut": raw(head(200, {"Transfer-Encoding": "chunked"}) + b"23\r\n" + BODY[:30]),
    "no last chunk": raw(head(200, {"Transfer-Encoding": "chunked"}) + b"23\r\n" + BODY + b"\r\n"),
    "chunk size is nonsense": raw(head(200, {"Transfer-Encoding": "chunked"}) + b"zz\r\n"),
    "not HTTP": raw(b"SSH-2.0-OpenSSH_9.6\r\n"),
    "gzip cut": raw(head(200, {"Content-Encoding": "gzip"}) + gzip.compress(BODY)[:-3]),
    "gzip damaged": answer(200, gzip.compress(BODY)[:-8] + bytes(8), Content_Encoding="gzip"),
    "gzip that is not": answer(200, BODY, Content_Encoding="gzip"),
}


@pytest.mark.parametrize("fault", BROKEN)
async def test_a_broken_answer_is_repeated_and_then_well(fault: str) -> None:
    """F12, F14: whatever breaks, once, the next attempt brings the whole body."""
    async with scripted(BROKEN[fault], answer(200, BODY)) as server:
        with stamina.set_testing(True, attempts=3, cap=True):
            response = await ask(server.url, retry=RetryPolicy(attempts=3))

    assert response.body == BODY
    assert len(server.requests) == 2


@pytest.mark.parametrize("fault", BROKEN)
async def test_an_answer_that_stays_broken_is_transient(fault: str) -> None:
    """F12, F14: for ever broken ends in one error class, after the attempts that the policy allows."""
    async with scripted(BROKEN[fault]) as server:
        with stamina.set_testing(True, attempts=3, cap=True), pytest.raises(TransientError, match="3 attempts"):
            await ask(server.url, retry=RetryPolicy(attempts=3))

    assert len(server.requests) == 3


@pytest.mark.parametrize(
    "whole",
    [
        head(200, {"Content-Length": str(len(BODY))}) + BODY,
        head(200, {"Transfer-Encoding": "chunked"}) + b"10\r\n" + BODY[:16] + b"\r\n13\r\n" + BODY[16:] + b"\r\n0\r\n\r\n",
        head(200, {"Content-Encoding": "gzip"}) + gzip.compress(BODY, mtime=0),
    ],
    ids=["content-length", "chunked", "gzip to the end of the connection"],
)
async def test_no_cut_gives_a_partial_body(whole: bytes) -> None:
    """F14: cut after each single byte, an answer is transient or whole, never part of a page."""
    complete = 0
    for length in range(1, len(whole) + 1):
        async with scripted(raw(whole[:length])) as server:
            try:
                response = await ask(server.url)
            except TransientError:
                continue
            assert response.body == BODY
            complete += 1

    assert complete >= 1


async def test_a_cut_without_any_length_is_caught_by_reading_it() -> None:
    """F14: a body that ends with the connection can only be judged by its content; `accept` does that and it is repeated."""
    async with scripted(raw(head(200, {}) + BODY[:-1]), raw(head(200, {}) + BODY)) as server:
        with stamina.set_testing(True, attempts=2, cap=True):
            response = await ask(server.url, retry=RetryPolicy(attempts=2), accept=lambda answer: answer.json())

    assert response.body == BODY
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    "step",
    [hang, drip(head(200, {"Content-Length": "99"}) + bytes(99), 0.02), drip(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 999, 0.02)],
    ids=["silence", "body", "headers"],
)
async def test_a_slow_answer_ends_at_the_deadline(step: Step) -> None:
    """F13: a byte now and then keeps no request alive: the deadline is around the whole of it."""
    started = time.monotonic()
    async with scripted(step) as server:
        with pytest.raises(TransientError, match=r"no complete answer within 0.3 s"):
            await ask(server.url, limits=HttpLimits(total_seconds=0.3))

    assert 0.25 < time.monotonic() - started < 2.0
    assert len(server.requests) == 1


async def test_a_slow_answer_within_the_deadline_is_well() -> None:
    """F12: one byte at a time is slow, not wrong."""
    async with scripted(drip(head(200, {"Content-Length": str(len(BODY))}) + BODY, 0.001)) as server:
        assert (await ask(server.url)).body == BODY


async def test_nobody_listening_is_transient_and_says_so() -> None:
    """F12: a refused connection names the host and the reason."""
    async with scripted(answer(200)) as server:
        url = server.url
    with pytest.raises(TransientError, match=r"no connection to `127\.0\.0\.1`: connection refused"):
        await ask(url)


async def test_a_host_that_does_not_exist_is_named() -> None:
    """F12: a name that cannot be resolved is the likeliest typing mistake, so it is shown."""
    with pytest.raises(TransientError, match=r"the host name `no-such-host\.invalid` cannot be found"):
        await ask("https://no-such-host.invalid/x?key=SECRET")


@pytest.mark.parametrize("encoding", ["gzip", "identity"])
async def test_a_body_beyond_the_cap_is_never_held(encoding: str) -> None:
    """A gzip bomb and a plain flood end at the cap, at once and without a repeat."""
    body = gzip.compress(bytes(50_000_000), 9) if encoding == "gzip" else bytes(3_000_000)
    async with scripted(answer(200, body, Content_Encoding=encoding)) as server:
        with pytest.raises(TooLargeError, match="larger than 1,000,000 bytes"):
            await ask(server.url, limits=HttpLimits(decoded_bytes_max=1_000_000), retry=RetryPolicy(attempts=5))

    assert len(server.requests) == 1


async def test_an_encoding_nobody_asked_for_is_a_protocol_error() -> None:
    """A body that cannot be decoded is never handed over as if it were text."""
    async with scripted(answer(200, b"\x0b\x02\x80hello\x03", Content_Encoding="br")) as server:
        with pytest.raises(ProtocolError, match="encoding"):
            await ask(server.url)


async def test_an_abandoned_request_leaves_the_client_well() -> None:
    """Cancelling while the server is silent frees the connection; the next request works."""
    async with scripted(hang, answer(200, BODY)) as server:
        client = HttpClient(limits=HttpLimits(connections=1))
        task = asyncio.create_task(client.request("GET", server.url, what="x"))
        while not server.requests:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        response = await client.request("GET", server.url, what="x")
        await client.close()

    assert response.body == BODY


async def test_nothing_of_the_request_reaches_logs_or_errors(caplog: pytest.LogCaptureFixture) -> None:
    """Query, token and body are in no log record and no error text, at any log level that a user can set."""
    caplog.set_level(logging.DEBUG)
    async with scripted(answer(200), answer(500)) as server:
        client = HttpClient(retry=RetryPolicy(attempts=2))
        with stamina.set_testing(True, attempts=2, cap=True):
            secret: dict[str, Any] = {
                "params": [("k", "CANARY1")],
                "headers": {"x-api-key": "CANARY2"},
                "content": b"CANARY3",
            }
            await client.request("POST", f"{server.url}/p", what="x", **secret)
            with pytest.raises(TransientError) as caught:
                await client.request("POST", f"{server.url}/p", what="x", **secret)
        await client.close()

    error = caught.value
    assert len(server.requests) == 3
    assert "CANARY" not in f"{error!r} {error.message} {error.where} {error.hint}"
    assert "CANARY" not in caplog.text


def _certificate(folder: Path, *, host: str, days: tuple[int, int]) -> tuple[ssl.SSLContext, Path]:
    """A server context with a fresh self-signed certificate, valid from and until so many days from now."""
    x509 = pytest.importorskip("cryptography.x509")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    now = dt.datetime.now(dt.UTC)
    names = x509.SubjectAlternativeName([x509.DNSName(host)])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).add_extension(names, critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    builder = builder.not_valid_before(now + dt.timedelta(days[0])).not_valid_after(now + dt.timedelta(days[1]))
    pem = folder / "cert.pem"
    pem.write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(secret)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, folder / "key.pem")
    return context, pem


@pytest.mark.parametrize(
    ("host", "days", "is_known", "words"),
    [
        ("localhost", (-1, 1), True, None),
        ("localhost", (-1, 1), False, "self-signed certificate"),
        ("localhost", (-9, -1), True, "certificate has expired"),
        ("localhost", (1, 9), True, "certificate is not yet valid"),
        ("other.example", (-1, 1), True, "hostname mismatch"),
    ],
)
async def test_untrusted_tls_is_fatal_and_says_which(
    tmp_path: Path, host: str, days: tuple[int, int], is_known: bool, words: str | None
) -> None:
    """F15: only the right certificate is trusted; anything else stops at once, without a repeat."""
    tls, pem = _certificate(tmp_path, host=host, days=days)
    async with scripted(answer(200, BODY), tls=tls) as server:
        client = HttpClient(ca_file=str(pem) if is_known else None, retry=RetryPolicy(attempts=5))
        url = f"https://localhost:{server.port}/"
        if words is None:
            assert (await client.request("GET", url, what="x")).body == BODY
        else:
            with pytest.raises(StoppedError, match=words) as caught:
                await client.request("GET", url, what="orders page")
            assert type(caught.value) is StoppedError
            assert "`localhost`" in caught.value.message
        await client.close()

    assert len(server.requests) == (1 if words is None else 0)


@pytest.mark.parametrize(
    "reply", [b"\x15\x03\x01\x00\x02\x02\x46", b"HTTP/1.1 400 Bad Request\r\n\r\n"], ids=["old TLS", "plain"]
)
async def test_a_server_without_modern_tls_is_refused(reply: bytes) -> None:
    """F15: "protocol version" (TLS 1.1 only) or no TLS at all on the port is a mistake in the settings, not a hiccup."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(4096)
        writer.write(reply)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as listener:
        with pytest.raises(StoppedError, match=r"no secure connection to `127\.0\.0\.1`") as caught:
            await ask(f"https://127.0.0.1:{listener.sockets[0].getsockname()[1]}/")

    assert type(caught.value) is StoppedError
