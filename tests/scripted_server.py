"""A raw asyncio server that answers request after request as a script says, and can break HTTP itself.

    async with scripted(answer(503), reset, answer(200, b"{}")) as server:
        ... server.url ... server.requests

Each step is an async function `(writer, request) -> keep_open`; the last step repeats for ever. A request is recorded as
soon as it was read to its end: "applied", whatever the answer then does. It is no framework on purpose: nothing corrects it.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Request:
    """A request as it came in; header names in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON, gunzipped if it says so."""
        body = gzip.decompress(self.body) if self.headers.get("content-encoding") == "gzip" else self.body
        return json.loads(body)


Step = Callable[[asyncio.StreamWriter, Request], Awaitable[bool]]


@dataclass
class ScriptedServer:
    """What the server was asked, and where it is."""

    steps: tuple[Step, ...]
    scheme: str = "http"
    port: int = 0
    connections: int = 0
    requests: list[Request] = field(default_factory=list)
    _tasks: set[asyncio.Task[Any]] = field(default_factory=set)

    @property
    def url(self) -> str:
        """The base URL, without a trailing slash."""
        return f"{self.scheme}://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, to its end."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            while True:
                request = await _read(reader)
                self.requests.append(request)
                step = self.steps[min(len(self.requests), len(self.steps)) - 1]
                if not await step(writer, request):
                    break
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # the client left, or the test is over
        finally:
            self._tasks.discard(task)
            writer.close()
            with contextlib.suppress(Exception):
                await writer.wait_closed()

    async def stop(self) -> None:
        """End what is still open."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _read(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    start, *lines = head[:-4].split("\r\n")
    method, target, _version = start.split(" ")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(method, target, headers, body)


@contextlib.asynccontextmanager
async def scripted(*steps: Step, tls: ssl.SSLContext | None = None) -> AsyncIterator[ScriptedServer]:
    """A server on a free loopback port that follows the script."""
    server = ScriptedServer(steps, "https" if tls else "http")
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=tls)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        await server.stop()
        await listener.wait_closed()


def head(status: int, headers: dict[str, str]) -> bytes:
    """A status line and headers."""
    lines = [f"HTTP/1.1 {status} X", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def answer(status: int, body: bytes = b"", **headers: str) -> Step:
    """A whole, correct answer; header names are written with underscores."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}

    async def step(writer: asyncio.StreamWriter, request: Request) -> bool:
        writer.write(head(status, {"Content-Length": str(len(body))} | named) + body)
        await writer.drain()
        return True

    return step


def raw(data: bytes) -> Step:
    """These very bytes, then the end of the connection."""

    async def step(writer: asyncio.StreamWriter, request: Request) -> bool:
        writer.write(data)
        await writer.drain()
        return False

    return step


def reset_after(data: bytes = b"") -> Step:
    """These bytes, then a TCP reset."""

    async def step(writer: asyncio.StreamWriter, request: Request) -> bool:
        writer.write(data)
        await writer.drain()
        writer.transport.abort()
        return False

    return step


def drip(data: bytes, pause_seconds: float) -> Step:
    """One byte at a time with a pause after each: never silent for long, never done."""

    async def step(writer: asyncio.StreamWriter, request: Request) -> bool:
        for byte in data:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(pause_seconds)
        return False

    return step


async def hang(writer: asyncio.StreamWriter, request: Request) -> bool:
    """No answer at all."""
    await asyncio.sleep(3600)
    return False
