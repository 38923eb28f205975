"""A commercetools and a Segment for measurements: no behaviour, all speed, one process of its own.

`python -m benchmarks.server ORDERS ORDER_BYTES LATENCY_MS` prints its port and ends with its standard input.
"""

from __future__ import annotations

import asyncio
import re
import sys
from email.utils import formatdate
from urllib.parse import parse_qs, urlsplit

from isal import igzip

from benchmarks.orders import Renderer, index_at, instant

TOKEN = b'{"access_token":"t","expires_in":172800,"scope":"manage_project:bench","token_type":"Bearer"}'
_AFTER = re.compile(r'(>=?) "([^"]+)"')
_BEFORE = re.compile(r'createdAt < "([^"]+)"$')


class Shop:
    """Answers requests; pages are kept gzipped, so that the second reader of a page pays for itself only."""

    def __init__(self, orders: int, order_bytes: int) -> None:
        self.orders = orders
        self._renderer = Renderer(order_bytes)
        self._pages: dict[tuple[int, int, int], bytes] = {}

    def answer(self, method: str, target: str) -> bytes:
        """The gzipped body of an answer."""
        parts = urlsplit(target)
        if method == "POST":
            return igzip.compress(TOKEN if "oauth" in parts.path else b'{"success":true}', 0)
        if not parts.path.endswith("/orders"):
            return igzip.compress(b'{"limit":500,"offset":0,"count":0,"total":0,"results":[]}', 0)
        query = parse_qs(parts.query)
        limit = int(query["limit"][0])
        start, end = self._range(query["where"][0])
        if limit == 0:
            return igzip.compress(b'{"limit":0,"offset":0,"count":0,"total":%d,"results":[]}' % min(end - start, 10_000), 0)
        key = (start, min(end, start + limit), limit)
        page = self._pages.get(key)
        if page is None:
            page = igzip.compress(self._renderer.page(*key), 1)
            if self.orders <= 100_000:
                self._pages[key] = page
        return page

    def _range(self, where: str) -> tuple[int, int]:
        comparison, since = _AFTER.search(where).groups()  # type: ignore[union-attr]
        until = _BEFORE.search(where).group(1)  # type: ignore[union-attr]
        start = index_at(since) + (1 if comparison == ">" and instant(index_at(since)) == since else 0)
        return min(start, self.orders), min(max(start, index_at(until)), self.orders)


class Protocol(asyncio.Protocol):
    """One keep-alive connection."""

    def __init__(self, shop: Shop, latency_seconds: float) -> None:
        self._shop = shop
        self._latency_seconds = latency_seconds
        self._buffer = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer each complete request."""
        self._buffer += data
        while (head_end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = bytes(self._buffer[:head_end]).decode("latin-1")
            match = re.search(r"content-length: (\d+)", head, re.IGNORECASE)
            length = int(match.group(1)) if match else 0
            if len(self._buffer) < head_end + 4 + length:
                return
            del self._buffer[: head_end + 4 + length]
            method, target, _ = head.split(" ", 2)
            answer = self._shop.answer(method, target)
            if self._latency_seconds:
                asyncio.get_running_loop().call_later(self._latency_seconds, self._write, answer)
            else:
                self._write(answer)

    def _write(self, answer: bytes) -> None:
        head = (
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n"
            f"Date: {formatdate(usegmt=True)}\r\nContent-Length: {len(answer)}\r\n\r\n"
        )
        self._transport.write(head.encode() + answer)  # type: ignore[attr-defined]


async def main() -> None:
    """Serve until standard input ends."""
    orders, order_bytes, latency_ms = (int(text) for text in sys.argv[1:4])
    shop = Shop(orders, order_bytes)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Protocol(shop, latency_ms / 1000), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
