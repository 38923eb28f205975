"""What a sandbox consists of, before anything is served: simulated systems, faults, clock, request log."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, cast

from cdi_cli.sandbox.clock import SandboxClock
from cdi_cli.sandbox.faults import FaultBoard
from cdi_cli.sandbox.http_server import LoggedRequest
from cdi_cli.sandbox.options import SandboxOptions
from cdi_cli.sandbox.system import System, names, spec_of

if TYPE_CHECKING:
    from cdi_cli.sandbox.commercetools.auth import TokenOffice
    from cdi_cli.sandbox.commercetools.shop import Shop
    from cdi_cli.sandbox.commercetools.system import CommercetoolsSystem
    from cdi_cli.sandbox.elasticpath.system import ElasticPathSystem
    from cdi_cli.sandbox.insider.catalog import Catalogue
    from cdi_cli.sandbox.insider.contacts import Contacts
    from cdi_cli.sandbox.insider.system import InsiderSystem
    from cdi_cli.sandbox.magento.system import MagentoSystem
    from cdi_cli.sandbox.mparticle.inbox import MparticleInbox
    from cdi_cli.sandbox.mparticle.system import MparticleSystem
    from cdi_cli.sandbox.seed.shop import Seeder
    from cdi_cli.sandbox.segment.inbox import Inbox
    from cdi_cli.sandbox.segment.system import SegmentSystem


class Parts:
    """Everything a sandbox holds; `requests` lists every call but those to the admin API, oldest first.

    The systems that the options name are opened, and so seeded, at once; others when they are asked for.
    """

    def __init__(self, options: SandboxOptions) -> None:
        self.options = options
        self.clock = SandboxClock()
        self.faults = FaultBoard(options.seed)
        self.requests: list[LoggedRequest] = []
        self._systems: dict[str, System] = {}
        self._opening = threading.RLock()
        for name in options.sources:
            self.system(name)

    def system(self, name: str) -> System:
        """A system, opened if it is not yet; raises ValueError for a name that there is no system of."""
        system = self._systems.get(name)
        if system is None:
            with self._opening:
                if name not in self._systems:
                    self._systems[name] = spec_of(name).open(self.options, self.clock)
                system = self._systems[name]
        return system

    def opened(self) -> dict[str, System]:
        """The systems that are open, by name."""
        return dict(self._systems)

    def system_of(self, path: str) -> System | None:
        """The system that a path belongs to; None if it belongs to none."""
        name = path.split("/", 2)[1] if path.startswith("/") else ""
        return self.system(name) if name in names() else None

    @property
    def magento(self) -> MagentoSystem:
        """The simulated Magento shop."""
        return cast("MagentoSystem", self.system("magento"))

    @property
    def elasticpath(self) -> ElasticPathSystem:
        """The simulated Elastic Path store."""
        return cast("ElasticPathSystem", self.system("elasticpath"))

    @property
    def shop(self) -> Shop:
        """The data of the simulated commercetools project."""
        return cast("CommercetoolsSystem", self.system("commercetools")).shop

    @property
    def tokens(self) -> TokenOffice:
        """The access tokens of the simulated commercetools project."""
        return cast("CommercetoolsSystem", self.system("commercetools")).tokens

    @property
    def seeder(self) -> Seeder:
        """Adds seed data to the simulated commercetools project."""
        return cast("CommercetoolsSystem", self.system("commercetools")).seeder

    @property
    def segment(self) -> Inbox:
        """What the simulated Segment workspace received."""
        return cast("SegmentSystem", self.system("segment")).inbox

    @property
    def mparticle(self) -> MparticleInbox:
        """What the simulated mParticle workspace received."""
        return cast("MparticleSystem", self.system("mparticle")).inbox

    @property
    def insider(self) -> Contacts:
        """The profiles of the simulated Insider account, and what it received."""
        return cast("InsiderSystem", self.system("insider")).contacts

    @property
    def insider_catalog(self) -> Catalogue:
        """The catalogue of the simulated Insider account."""
        return cast("InsiderSystem", self.system("insider")).catalogue
