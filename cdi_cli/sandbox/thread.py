"""A sandbox inside the test's own process, on a thread with its own event loop."""

from __future__ import annotations

import asyncio
import threading
from types import TracebackType
from typing import Self

from cdi_cli.sandbox.app import Sandbox
from cdi_cli.sandbox.http_server import HttpServer, LoggedRequest
from cdi_cli.sandbox.options import SandboxOptions

_READY_SECONDS = 30.0


class SandboxThread:
    """`with SandboxThread(options) as sandbox:` serves until the block ends; everything inside is open to the test.

    `url`, `shop` (records, writes, mid-walk hooks), `segment` (applied, dropped, duplicates, requests, rules),
    `mparticle` (the same, and limiter), `insider` (profiles, applied, dropped, hooks, panel, rules), `insider_catalog`,
    `faults`, `tokens` (revocation), `clock` (advance), `requests` (the log). All may be used while the server runs.
    """

    def __init__(self, options: SandboxOptions | None = None) -> None:
        self.options = options or SandboxOptions()
        self.sandbox = Sandbox(self.options)
        self.shop = self.sandbox.shop
        self.segment = self.sandbox.segment
        self.mparticle = self.sandbox.mparticle
        self.insider = self.sandbox.insider
        self.insider_catalog = self.sandbox.insider_catalog
        self.faults = self.sandbox.faults
        self.tokens = self.sandbox.tokens
        self.clock = self.sandbox.clock
        self.url = ""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="cdi-sandbox", daemon=True)

    @property
    def requests(self) -> list[LoggedRequest]:
        """Every request but those to the admin API, oldest first."""
        return self.sandbox.requests

    def set_latency(self, seconds: float) -> None:
        """Make every call from now on wait first."""
        self.sandbox.hooks.latency_seconds = seconds

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait(_READY_SECONDS)
        if self._failure is not None:
            raise self._failure
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._loop is not None and self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except OSError as error:  # the port is taken: the test's thread is to know
            self._failure = error
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        server = HttpServer(self.sandbox.hooks)
        self.url = await server.start(self.options.host, self.options.port)
        self._ready.set()
        try:
            await self._stop.wait()
        finally:
            await server.stop()
