"""The Magento shop as a simulated system: data, tokens, API and switches of one sandbox."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from cdi_cli.sandbox.admin_tools import AdminError, body_of, changes_of
from cdi_cli.sandbox.clock import SandboxClock
from cdi_cli.sandbox.http_server import Request, Response
from cdi_cli.sandbox.magento.api import MagentoApi
from cdi_cli.sandbox.magento.auth import Gatekeeper
from cdi_cli.sandbox.magento.basket import BasketMaker
from cdi_cli.sandbox.magento.catalogue import Catalogue
from cdi_cli.sandbox.magento.mutate import mutate
from cdi_cli.sandbox.magento.options import MAGENTO_TOKEN_VARIABLE, MagentoOptions
from cdi_cli.sandbox.magento.replies import scripted
from cdi_cli.sandbox.magento.rows import World
from cdi_cli.sandbox.magento.seed import present, seed_shop
from cdi_cli.sandbox.magento.shop import KINDS, Shop
from cdi_cli.sandbox.magento.table import Document
from cdi_cli.sandbox.options import SandboxOptions
from cdi_cli.sandbox.system import AdminRoute, SystemSpec

_SWITCHES = frozenset({"bearer", "acl", "input_limits", "page_size_max", "old_core", "token_seconds", "ims_seconds"})


class MagentoSystem:
    """One shop, seeded; see `system.System`. `shop` and `gatekeeper` are open to tests."""

    def __init__(self, options: SandboxOptions, clock: SandboxClock) -> None:
        world = World(options.seed, present(options), [], BasketMaker.of(Catalogue([], [])), {})
        self.shop = Shop(clock, world, seed=options.seed, lag_seconds=options.lag_ms / 1000)
        self.gatekeeper = Gatekeeper(options.magento, clock)
        self.seeder = seed_shop(self.shop, options)
        self._api = MagentoApi(self.shop, self.gatekeeper)

    def handle(self, request: Request) -> Response:
        """The answer of the web API."""
        return self._api.handle(request)

    def failed(self, _request: Request, status: int) -> Response:
        """JSON where the web API speaks, HTML where a proxy, a firewall or the maintenance mode does."""
        return scripted(status)

    def admin_routes(self) -> Mapping[tuple[str, str], AdminRoute]:
        """Changes by name, switches, and the end of all tokens that were handed out."""
        return {
            ("POST", "mutate"): lambda request: [self.mutate(change) for change in changes_of(request)],
            ("POST", "switches"): self._switches,
            ("POST", "revoke-tokens"): lambda _request: {"revoked": self.gatekeeper.revoke_all()},
        }

    def stats(self) -> dict[str, Any]:
        """Records by kind, and how many tokens were issued."""
        return {"records": self._counts(), "tokens_issued": self.gatekeeper.issued}

    def more_orders(self, count: int) -> dict[str, int]:
        """More orders with their papers and carts."""
        self.seeder.more_orders(count)
        return self._counts()

    def mutate(self, change: dict[str, Any]) -> Document:
        """Carry out one change, see `mutate`; raises AdminError."""
        return mutate(self.shop, self.seeder, change)

    def switch(self, **changes: Any) -> MagentoOptions:
        """Change the configuration of the running shop."""
        return self.gatekeeper.switch(**changes)

    def _counts(self) -> dict[str, int]:
        return {kind: self.shop.count(kind) for kind in KINDS}

    def _switches(self, request: Request) -> dict[str, Any]:
        given = body_of(request, dict[str, Any])
        unknown = sorted(set(given) - _SWITCHES)
        if unknown:
            raise AdminError(f"there is no switch {', '.join(unknown)}: it must be one of {', '.join(sorted(_SWITCHES))}")
        if given.get("acl") is not None:
            given["acl"] = tuple(given["acl"])
        options = self.switch(**given)
        return {name: value for name, value in asdict(options).items() if name in _SWITCHES}


def _settings(url: str, _options: SandboxOptions) -> str:
    return f"""\
type: magento
base_url: {url}/magento
access_token: "${{{MAGENTO_TOKEN_VARIABLE}}}"
"""


SYSTEM = SystemSpec(
    name="magento",
    title="Magento shop",
    is_source=True,
    open=MagentoSystem,
    settings=_settings,
    environment=lambda options: {MAGENTO_TOKEN_VARIABLE: options.magento.access_token},
    pipeline="""\
consent:
  Advertising: {field: extension_attributes.is_subscribed}
""",
)
