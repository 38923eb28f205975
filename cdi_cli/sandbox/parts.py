"""What a sandbox consists of, before anything is served: data, workspace, tokens, faults, clock, request log."""

from __future__ import annotations

from cdi_cli.sandbox.clock import SandboxClock
from cdi_cli.sandbox.commercetools.auth import TokenOffice
from cdi_cli.sandbox.commercetools.shop import Shop
from cdi_cli.sandbox.faults import FaultBoard
from cdi_cli.sandbox.http_server import LoggedRequest
from cdi_cli.sandbox.insider.catalog import Catalogue
from cdi_cli.sandbox.insider.contacts import Contacts
from cdi_cli.sandbox.mparticle.inbox import MparticleInbox
from cdi_cli.sandbox.options import SandboxOptions
from cdi_cli.sandbox.seed.shop import project_of, seed_shop
from cdi_cli.sandbox.segment.inbox import Inbox


class Parts:
    """Everything a sandbox holds, seeded; `requests` lists every call but those to the admin API, oldest first."""

    def __init__(self, options: SandboxOptions) -> None:
        self.options = options
        self.clock = SandboxClock()
        self.faults = FaultBoard(options.seed)
        self.requests: list[LoggedRequest] = []
        self.shop = Shop(
            clock=self.clock,
            project=project_of(options),
            seed=options.seed,
            lag_seconds=options.lag_ms / 1000,
        )
        self.tokens = TokenOffice(options, self.clock)
        self.segment = Inbox(self.clock, keep_messages=options.keep_messages)
        self.mparticle = MparticleInbox(self.clock)
        self.insider = Contacts(self.clock)
        self.insider_catalog = Catalogue(self.clock, self.insider.panel)
        self.seeder = seed_shop(self.shop, options)
