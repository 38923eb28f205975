"""A small HTTP/1.1 server on raw asyncio streams: just enough to imitate an API, and able to break HTTP itself.

Requests carry `Content-Length` bodies; connections are kept alive; answers are gzipped when the client accepts it.
Handlers are plain functions from `Request` to `Response`: all waiting (latency, faults) is done here. Requests under
`/_sandbox/` are never delayed, never faulted and never logged.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from urllib.parse import parse_qsl, unquote

from cdi_cli.sandbox import compression
from cdi_cli.sandbox.faults import Fault, FaultBoard

ADMIN_PREFIX = "/_sandbox/"
_HEAD_BYTES_MAX = 256 * 1024
_BODY_BYTES_MAX = 64 * 1024 * 1024
_GZIP_BYTES_MIN = 512
_REDACTED = frozenset({"authorization", "cookie", "proxy-authorization", "x-request-token"})


@dataclass(frozen=True)
class Request:
    """A request as it arrived; header names are lower-case, `path` is decoded, `query` is not."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes

    @cached_property
    def params(self) -> list[tuple[str, str]]:
        """The query parameters in order, decoded."""
        return parse_qsl(self.query, keep_blank_values=True)

    def param(self, name: str) -> str | None:
        """The last value of a parameter, None if it is absent."""
        return next((value for key, value in reversed(self.params) if key == name), None)

    @property
    def target(self) -> str:
        """`path` or `path?query`: what faults are matched against."""
        return f"{self.path}?{self.query}" if self.query else self.path


@dataclass(frozen=True, slots=True)
class Response:
    """An answer; `Content-Length`, `Date` and `Content-Encoding` are added by the server."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json; charset=utf-8"


@dataclass(frozen=True, slots=True)
class LoggedRequest:
    """One line of the request log; credentials in headers are replaced by `****`."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    fault: str | None


@dataclass(slots=True)
class ServerHooks:
    """What the server asks of the sandbox around it."""

    handle: Callable[[Request], Response]
    fault_response: Callable[[Request, Fault], Response]
    http_date: Callable[[], str]
    faults: FaultBoard
    latency_seconds: float = 0.0
    log: list[LoggedRequest] = field(default_factory=list)


class HttpServer:
    """Serves `hooks` on one port until `stop`."""

    def __init__(self, hooks: ServerHooks) -> None:
        self._hooks = hooks
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, host: str, port: int) -> str:
        """Listen and return the base URL; port 0 takes a free one."""
        self._server = await asyncio.start_server(self._connected, host, port, limit=_HEAD_BYTES_MAX)
        bound = self._server.sockets[0].getsockname()
        return f"http://{bound[0]}:{bound[1]}"

    async def stop(self) -> None:
        """Stop listening and drop every open connection."""
        if self._server is not None:
            self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._server is not None:
            await self._server.wait_closed()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        try:
            while await self._exchange(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError):
            pass  # the client went away or spoke nonsense: nothing to answer
        except asyncio.CancelledError:
            pass  # the server stops; streams would log a cancelled connection task as an error
        finally:
            with contextlib.suppress(ConnectionError, RuntimeError):
                writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request and its answer; False when the connection is to be closed."""
        request = await _read_request(reader, writer)
        if request is None:
            return False
        hooks = self._hooks
        if request.path.startswith(ADMIN_PREFIX):
            return await self._send(request, hooks.handle(request), writer)
        fault = hooks.faults.take(request.method, request.target)
        hooks.log.append(_logged(request, fault))
        if hooks.latency_seconds:
            await asyncio.sleep(hooks.latency_seconds)
        if fault is None:
            return await self._send(request, hooks.handle(request), writer)
        return await self._fail(request, fault, writer)

    async def _fail(self, request: Request, fault: Fault, writer: asyncio.StreamWriter) -> bool:
        """Answer as the fault says; see the table in `faults`."""
        match fault.kind:
            case "status" | "html200":
                return await self._send(request, self._hooks.fault_response(request, fault), writer)
            case "delay":
                await asyncio.sleep(fault.seconds)
                return await self._send(request, self._hooks.handle(request), writer)
            case "reset_before_body":
                return _reset(writer)
            case "reset_after_apply":
                self._hooks.handle(request)
                return _reset(writer)
            case "broken_json":
                real = self._hooks.handle(request)
                half = Response(real.status, real.body[: len(real.body) // 2], real.headers, real.content_type)
                return await self._send(request, half, writer)
            case "bad_gzip":
                real = self._hooks.handle(request)
                headers = {**real.headers, "Content-Encoding": "gzip"}
                return await self._send(request, Response(real.status, b"\x1f\x8b" + real.body, headers), writer)
        head, body = self._encode(request, self._hooks.handle(request))
        return await _send_badly(fault, head, body, writer)

    async def _send(self, request: Request, response: Response, writer: asyncio.StreamWriter) -> bool:
        head, body = self._encode(request, response)
        writer.write(head if request.method == "HEAD" else head + body)
        await writer.drain()
        return request.headers.get("connection", "").lower() != "close"

    def _encode(self, request: Request, response: Response) -> tuple[bytes, bytes]:
        body, headers = response.body, dict(response.headers)
        accepts = "gzip" in request.headers.get("accept-encoding", "")
        if accepts and len(body) >= _GZIP_BYTES_MIN and "Content-Encoding" not in headers:
            body = compression.compress(body)
            headers["Content-Encoding"] = "gzip"
        headers.setdefault("Content-Type", response.content_type)
        headers.setdefault("Date", self._hooks.http_date())
        if response.status != HTTPStatus.NO_CONTENT:
            headers["Content-Length"] = str(len(body))
        lines = [f"HTTP/1.1 {response.status} {_phrase(response.status)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"), body


async def _read_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Request | None:
    """The next request of a connection; None when it is not one we can serve (an answer was sent) or none came."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head[:-4].decode("latin-1").split("\r\n")
    parts = first.split(" ")
    if len(parts) != 3:
        await _refuse(writer, "400 Bad Request")
        return None
    pairs = (line.split(":", 1) for line in lines if ":" in line)
    headers = {name.strip().lower(): value.strip() for name, value in pairs}
    if "transfer-encoding" in headers:
        await _refuse(writer, "411 Length Required")
        return None
    length = headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > _BODY_BYTES_MAX:
        await _refuse(writer, "413 Content Too Large")
        return None
    body = await reader.readexactly(int(length)) if length != "0" else b""
    path, _, query = parts[1].partition("?")
    return Request(parts[0], unquote(path), query, headers, body)


async def _refuse(writer: asyncio.StreamWriter, status: str) -> None:
    writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
    await writer.drain()


async def _send_badly(fault: Fault, head: bytes, body: bytes, writer: asyncio.StreamWriter) -> bool:
    """Send an answer that was prepared well in the bad way of `truncate`, `reset_mid_body` or `drip`."""
    if fault.kind == "drip":
        writer.write(head)
        for position in range(len(body)):
            writer.write(body[position : position + 1])
            await writer.drain()
            await asyncio.sleep(fault.seconds)
        return True
    writer.write(head + body[: len(body) // 2])
    await writer.drain()
    if fault.kind == "reset_mid_body":
        await asyncio.sleep(0.01)  # let the half arrive before the reset overtakes it
        return _reset(writer)
    return False


def _reset(writer: asyncio.StreamWriter) -> bool:
    """Close with a TCP reset instead of an orderly end."""
    connection = writer.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
    return False


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


def _logged(request: Request, fault: Fault | None) -> LoggedRequest:
    headers = {name: "****" if name in _REDACTED else value for name, value in request.headers.items()}
    return LoggedRequest(request.method, request.path, request.query, headers, fault.kind if fault else None)
