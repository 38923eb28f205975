"""A sandbox inside the test's own process, on a thread with its own event loop."""

from __future__ import annotations

import asyncio
import threading
from types import TracebackType
from typing import TYPE_CHECKING, Self

from cdi_cli.sandbox.app import Sandbox
from cdi_cli.sandbox.http_server import HttpServer, LoggedRequest
from cdi_cli.sandbox.options import SandboxOptions

if TYPE_CHECKING:
    from cdi_cli.sandbox.commercetools.auth import TokenOffice
    from cdi_cli.sandbox.commercetools.shop import Shop
    from cdi_cli.sandbox.elasticpath.system import ElasticPathSystem
    from cdi_cli.sandbox.insider.catalog import Catalogue
    from cdi_cli.sandbox.insider.contacts import Contacts
    from cdi_cli.sandbox.magento.system import MagentoSystem
    from cdi_cli.sandbox.mparticle.inbox import MparticleInbox
    from cdi_cli.sandbox.segment.inbox import Inbox

_READY_SECONDS = 30.0


class SandboxThread:
    """`with SandboxThread(options) as sandbox:` serves until the block ends; everything inside is open to the test.

    `url`, `shop` (records of commercetools, writes, mid-walk hooks), `tokens` (theirs, revocation), `magento` and
    `elasticpath` (their records and switches), `segment` (applied, dropped, duplicates, requests, rules), `mparticle` (the
    same, and limiter), `insider` (profiles, applied, dropped, hooks, panel, rules), `insider_catalog`, `faults`, `clock`
    (advance), `requests` (the log).
    All may be used while the server runs.
    """

    def __init__(self, options: SandboxOptions | None = None) -> None:
        self.options = options or SandboxOptions()
        self.sandbox = Sandbox(self.options)
        self.faults = self.sandbox.faults
        self.clock = self.sandbox.clock
        self.url = ""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="cdi-sandbox", daemon=True)

    @property
    def shop(self) -> Shop:
        """The data of the simulated commercetools project."""
        return self.sandbox.shop

    @property
    def tokens(self) -> TokenOffice:
        """The access tokens of the simulated commercetools project."""
        return self.sandbox.tokens

    @property
    def magento(self) -> MagentoSystem:
        """The simulated Magento shop."""
        return self.sandbox.magento

    @property
    def elasticpath(self) -> ElasticPathSystem:
        """The simulated Elastic Path store."""
        return self.sandbox.elasticpath

    @property
    def segment(self) -> Inbox:
        """What the simulated Segment workspace received."""
        return self.sandbox.segment

    @property
    def mparticle(self) -> MparticleInbox:
        """What the simulated mParticle workspace received."""
        return self.sandbox.mparticle

    @property
    def insider(self) -> Contacts:
        """The profiles of the simulated Insider account, and what it received."""
        return self.sandbox.insider

    @property
    def insider_catalog(self) -> Catalogue:
        """The catalogue of the simulated Insider account."""
        return self.sandbox.insider_catalog

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
