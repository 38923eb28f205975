"""The HTTP client's parts: waits, addresses, inflating, bodies; and the client against a well-behaved server."""

from __future__ import annotations

import gzip as stdlib_gzip
import importlib.util
import subprocess
import sys
import time
import zlib
from email.utils import formatdate
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdi_cli import _http_gzip, _http_retry
from cdi_cli._http_gzip import BrokenStreamError, ExpansionError, Inflater
from cdi_cli._http_retry import AttemptFailedError, Schedule, pause_asked_for
from cdi_cli.errors import AuthError, ConfigError, ProtocolError, RefusedError
from cdi_cli.http import HttpClient, Response, RetryPolicy, checked_host, gzip

NOON = "Tue, 01 Sep 2026 12:00:00 GMT"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": "0.25"}, 0.25),
        ({"retry-after": "0"}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "1e9"}, 300.0),
        ({"retry-after": "inf"}, 300.0),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "9" * 100}, None),
        ({"retry-after": "Tue, 01 Sep 2026 12:00:20 GMT", "date": NOON}, 20.0),
        ({"retry-after": "Tue, 01 Sep 2026 13:00:00 GMT", "date": NOON}, 300.0),
        ({"retry-after": "Tue, 01 Sep 2026 11:00:00 GMT", "date": NOON}, None),
        ({"retry-after": "Tue, 99 Sep 2026 11:00:00 GMT"}, None),
        ({"x-ratelimit-reset": "7"}, 7.0),
        ({"x-ratelimit-reset": "1788264010", "date": NOON}, 10.0),
        ({"retry-after": "2", "x-ratelimit-reset": "7"}, 2.0),
        ({"retry-after": "garbage", "x-ratelimit-reset": "7"}, 7.0),
    ],
)
def test_pauses_are_read_in_every_spelling_and_capped(headers: dict[str, str], expected: float | None) -> None:
    """Seconds, dates by the server's own clock, reset headers; nonsense and the past ask for nothing."""
    assert pause_asked_for(429, headers, 300.0) == expected


def test_a_date_without_the_servers_clock_is_compared_with_ours() -> None:
    """Without a `Date` header this machine's clock has to do."""
    in_a_minute = formatdate(time.time() + 60, usegmt=True)

    pause = pause_asked_for(503, {"retry-after": in_a_minute}, 300.0)

    assert pause is not None
    assert 57 < pause <= 60


def test_a_rate_limit_reset_counts_on_429_only() -> None:
    """Many servers send the reset header with every answer; it asks for a pause only when the limit was hit."""
    assert pause_asked_for(503, {"x-ratelimit-reset": "7"}, 300.0) is None


@given(st.text(max_size=80), st.sampled_from(["retry-after", "x-ratelimit-reset"]), st.text(max_size=40))
def test_no_header_makes_a_pause_outside_its_bounds(value: str, name: str, date: str) -> None:
    """Whatever a server writes, the pause is None or within (0, cap]."""
    pause = pause_asked_for(429, {name: value, "date": date}, 30.0)

    assert pause is None or 0 < pause <= 30.0


@given(st.integers(1, 12), st.floats(0.01, 5), st.floats(0.01, 60), st.lists(st.none() | st.floats(0.1, 30), max_size=20))
def test_waits_stay_within_the_policy(attempts: int, initial: float, most: float, pauses: list[float | None]) -> None:
    """Own waits are at most the doubled start and the maximum, pauses are taken as they are, attempts are counted."""
    waits: list[float] = []
    policy = RetryPolicy(attempts=attempts, total_seconds=1e9, wait_initial_seconds=initial, wait_max_seconds=most)
    schedule = Schedule(policy, waits.append, lambda _seconds: None)

    results = [schedule(AttemptFailedError("x", pause_seconds=pause)) for pause in pauses]

    for number, (result, pause) in enumerate(zip(results, pauses, strict=True), start=1):
        if number >= attempts:
            assert result is False
        elif pause is not None:
            assert result == pause
        else:
            assert 0 <= result <= min(most, initial * 2 ** (number - 1))
    assert waits == [result for result in results if result is not False]


def test_own_waits_end_at_the_time_budget_but_pauses_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that asks for patience gets it; one that only fails is given up when the time is over."""
    now = 1000.0
    monkeypatch.setattr(_http_retry, "time", SimpleNamespace(monotonic=lambda: now))
    monkeypatch.setattr(_http_retry, "random", SimpleNamespace(uniform=lambda _low, high: high))
    policy = RetryPolicy(attempts=9, total_seconds=10.0, wait_initial_seconds=4.0)
    schedule = Schedule(policy, lambda _seconds: None, lambda _seconds: None)

    now += 2
    pause = schedule(AttemptFailedError("x", pause_seconds=200.0))
    now += 200
    own = schedule(AttemptFailedError("x"))
    now += 4
    over = schedule(AttemptFailedError("x"))

    assert (pause, own, over) == (200.0, 8.0, False)


def test_only_transient_errors_are_repeated() -> None:
    """A refusal, wrong credentials or a bug in the caller end the request at once."""
    schedule = Schedule(RetryPolicy(), lambda _seconds: None, lambda _seconds: None)

    for error in (RefusedError("x", status=400), AuthError("x"), KeyError("x")):
        assert schedule(error) is False
    assert schedule.failures == 0


def test_a_429_slows_the_caller_even_without_saying_how_long() -> None:
    """`on_wait` hears of the pause asked for, else of our own wait; other failures are not its business."""
    heard: list[float] = []
    schedule = Schedule(RetryPolicy(wait_initial_seconds=1.0), lambda _seconds: None, heard.append)

    own = schedule(AttemptFailedError("429", is_throttled=True))
    asked = schedule(AttemptFailedError("503", pause_seconds=5.0))
    schedule(AttemptFailedError("500"))

    assert heard == [own, asked]


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://api.segment.io", "api.segment.io"),
        ("https://API.example:8443/base", "api.example"),
        ("http://localhost:8080", "localhost"),
        ("http://127.0.0.1:1", "127.0.0.1"),
        ("http://127.9.9.9", "127.9.9.9"),
        ("http://[::1]:8080/x", "::1"),
    ],
)
def test_encrypted_and_local_addresses_are_taken(url: str, host: str) -> None:
    """https to anywhere, http to this machine."""
    assert checked_host(url) == host


@pytest.mark.parametrize(
    "url",
    [
        "http://api.segment.io",
        "http://2130706433",
        "http://0x7f.1",
        "http://127.0.0.1.evil.example",
        "http://localhost.evil.example",
        "http://localhost@evil.example",
        "http://[::ffff:10.0.0.1]",
        "http://0.0.0.0",
        "https://user:secret@api.example",
        "https://user@api.example",
        "https://api.example:0",
        "https://api.example:99999",
        "https://api.example\\@evil.example",
        "https://api.example/a b",
        "https://api.example/\r\nx",
        "https://",
        "https://[::1",
        "ftp://api.example",
        "file:///etc/passwd",
        "api.example",
        "",
    ],
)
def test_other_addresses_are_refused_without_showing_their_secrets(url: str) -> None:
    """Plain http elsewhere, disguised addresses, users in URLs and unreadable URLs are configuration errors."""
    with pytest.raises(ConfigError) as caught:
        checked_host(url)

    assert "secret" not in caught.value.message
    assert caught.value.hint


@given(st.binary(max_size=5000), st.lists(st.integers(1, 700), max_size=20), st.sampled_from(["gzip", "deflate"]))
def test_inflating_gives_the_bytes_back_however_they_arrive(data: bytes, cuts: list[int], encoding: str) -> None:
    """Chunks of any size, and several gzip members in a row, inflate to what was compressed."""
    packed = zlib.compress(data) if encoding == "deflate" else gzip(data[:100]) + stdlib_gzip.compress(data[100:])
    inflater, parts = Inflater(encoding, 5000), []

    for size in cuts:
        parts.append(inflater.feed(packed[:size]))
        packed = packed[size:]
    parts.append(inflater.feed(packed))
    inflater.finish()

    assert b"".join(parts) == data


def test_our_gzip_is_stable_and_readable_by_others() -> None:
    """The same data gives the same bytes, and the standard library reads them."""
    data = b'{"batch":[1,2,3]}' * 50

    assert gzip(data) == gzip(data)
    assert stdlib_gzip.decompress(gzip(data)) == data
    assert len(gzip(data)) < len(data) / 5


def test_every_cut_of_a_gzip_stream_is_noticed() -> None:
    """A stream that ends anywhere before its end is broken, never a shorter body."""
    packed = gzip(b'{"orders":[{"id":"1"},{"id":"2"}]}')

    for length in range(1, len(packed)):
        inflater = Inflater("gzip", 1000)
        inflater.feed(packed[:length])
        with pytest.raises(BrokenStreamError):
            inflater.finish()


@pytest.mark.parametrize("damage", [b"plain text", gzip(b"abc")[:-8] + bytes(8), gzip(b"abc") + b"tail"])
def test_damaged_streams_are_broken(damage: bytes) -> None:
    """Text that is no gzip, a wrong check sum, and bytes after the end."""
    with pytest.raises(BrokenStreamError):
        Inflater("gzip", 1000).feed(damage)


def test_a_bomb_is_stopped_at_the_cap() -> None:
    """Ten kilobytes that want to be ten megabytes end at the limit; the exact limit is still allowed."""
    bomb = stdlib_gzip.compress(bytes(10_000_000))

    with pytest.raises(ExpansionError):
        Inflater("gzip", 9_999_999).feed(bomb)
    assert len(Inflater("gzip", 10_000_000).feed(bomb)) == 10_000_000


def test_without_isal_the_standard_library_does_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no wheel exists, zlib compresses and inflates, and notices damage."""
    monkeypatch.setitem(sys.modules, "isal", None)
    spec = importlib.util.spec_from_file_location("gzip_without_isal", _http_gzip.__file__)
    assert spec is not None
    assert spec.loader is not None
    plain = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(plain)

    assert plain._codec is zlib
    inflater = plain.Inflater("gzip", 100)
    assert inflater.feed(plain.gzip(b"abc")) == b"abc"
    with pytest.raises(plain.BrokenStreamError):
        plain.Inflater("gzip", 100).feed(b"no gzip")
    with pytest.raises(plain.ExpansionError):
        plain.Inflater("gzip", 100).feed(plain.gzip(bytes(101)))


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b'{"a":1', b'{"a":NaN}', b"\xff", b'"\\ud800"', b'{"a":"x"}', b"[" * 100_000]
)
def test_unreadable_json_is_a_protocol_error(body: bytes) -> None:
    """Empty, cut, not JSON, not UTF-8, wrong type, endlessly nested: one error, naming what was asked for."""
    response = Response(200, {"content-type": "text/html; charset=x"}, body, "orders page")

    with pytest.raises(ProtocolError, match="orders page: the answer cannot be read") as caught:
        response.json(type=dict[str, int])

    assert "`text/html`" in caught.value.message


def test_importing_the_module_is_cheap() -> None:
    """httpx, stamina and their families are loaded when a client is made, not before."""
    code = "import sys, cdi_cli.http; print(*sorted({'httpx', 'stamina', 'ssl'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == ""


def test_a_missing_or_wrong_ca_file_is_a_configuration_error(tmp_path: Any) -> None:
    """The path is named, so that it can be mended."""
    wrong = tmp_path / "ca.pem"
    wrong.write_text("not a certificate")

    with pytest.raises(ConfigError, match="names no file"):
        HttpClient(ca_file=str(tmp_path / "absent.pem"))
    with pytest.raises(ConfigError, match="cannot be read"):
        HttpClient(ca_file=str(wrong))


def test_json_reads_typed_structs() -> None:
    """The body is decoded straight into the type that is asked for."""

    class Page(msgspec.Struct):
        total: int

    assert Response(200, {}, b'{"total":3,"more":[]}').json(type=Page) == Page(3)
