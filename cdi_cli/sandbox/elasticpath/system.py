"""The Elastic Path store as a simulated system: data, tokens, API and switches of one sandbox."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from cdi_cli.sandbox.admin_tools import AdminError, body_of, changes_of
from cdi_cli.sandbox.clock import SandboxClock
from cdi_cli.sandbox.elasticpath.api import ElasticPathApi
from cdi_cli.sandbox.elasticpath.auth import TokenOffice
from cdi_cli.sandbox.elasticpath.basket import SHIPPING
from cdi_cli.sandbox.elasticpath.books import books
from cdi_cli.sandbox.elasticpath.limits import Bucket
from cdi_cli.sandbox.elasticpath.money import Document
from cdi_cli.sandbox.elasticpath.mutate import mutate
from cdi_cli.sandbox.elasticpath.options import ELASTICPATH_SECRET_VARIABLE, ElasticPathOptions
from cdi_cli.sandbox.elasticpath.replies import scripted
from cdi_cli.sandbox.elasticpath.seed import empty_world, seed_store
from cdi_cli.sandbox.elasticpath.store import KINDS, Store
from cdi_cli.sandbox.http_server import Request, Response
from cdi_cli.sandbox.options import SandboxOptions
from cdi_cli.sandbox.system import AdminRoute, SystemSpec

_SWITCHES = frozenset({
    "token_seconds", "new_filters", "sorts", "pages", "error_object", "refund_moves", "wrong_next", "requests_per_second",
})  # fmt: skip
_LAG = "lag_ms"


class ElasticPathSystem:
    """One store, seeded; see `system.System`. `store`, `office` and `bucket` are open to tests."""

    def __init__(self, options: SandboxOptions, clock: SandboxClock) -> None:
        self.store = Store(clock, empty_world(options), lag_seconds=options.lag_ms / 1000)
        self.office = TokenOffice(options.elasticpath, clock)
        self.bucket = Bucket(clock)
        self.seeder = seed_store(self.store, options)
        self._api = ElasticPathApi(self.store, self.office, self.bucket)

    def handle(self, request: Request) -> Response:
        """The answer of the API or of the token service."""
        return self._api.handle(request)

    def failed(self, _request: Request, status: int) -> Response:
        """The error envelope."""
        return scripted(status).response(is_object=status == 401 and self.office.options.error_object)

    def admin_routes(self) -> Mapping[tuple[str, str], AdminRoute]:
        """Changes by name, switches, what was sold and given back, and the end of all tokens."""
        return {
            ("POST", "mutate"): lambda request: [one for change in changes_of(request) for one in self.mutate(change)],
            ("POST", "switches"): self._switches,
            ("GET", "books"): lambda _request: self.books(),
            ("POST", "revoke-tokens"): lambda _request: {"revoked": self.office.revoke_all()},
        }

    def stats(self) -> dict[str, Any]:
        """Records by kind, how many tokens were issued, how many requests the rate limit refused."""
        return {"records": self._counts(), "tokens_issued": self.office.issued, "too_many": self.bucket.refused}

    def more_orders(self, count: int) -> dict[str, int]:
        """More orders with what happened to them."""
        self.seeder.more_orders(count)
        return self._counts()

    def mutate(self, change: dict[str, Any]) -> list[Document]:
        """Carry out one change, see `mutate`; raises AdminError."""
        return mutate(self.store, self.seeder, change)

    def books(self) -> Document:
        """What was sold and what was given back, by currency."""
        return books(self.store)

    def switch(self, **changes: Any) -> ElasticPathOptions:
        """Change how the running store behaves; raises TypeError for a switch that there is not."""
        if _LAG in changes:
            self.store.lag_seconds = changes.pop(_LAG) / 1000
        self.office.options = replace(self.office.options, **changes)
        self.store.world.refund_moves = self.office.options.refund_moves
        return self.office.options

    def _counts(self) -> dict[str, int]:
        return {kind: self.store.count(kind) for kind in KINDS}

    def _switches(self, request: Request) -> dict[str, Any]:
        given = body_of(request, dict[str, Any])
        known = _SWITCHES | {_LAG}
        if unknown := sorted(set(given) - known):
            raise AdminError(f"there is no switch {', '.join(unknown)}: it must be one of {', '.join(sorted(known))}")
        options = self.switch(**given)
        told = {name: value for name, value in asdict(options).items() if name in _SWITCHES}
        return told | {_LAG: round(self.store.lag_seconds * 1000)}


def _settings(url: str, options: SandboxOptions) -> str:
    return f"""\
type: elasticpath
base_url: {url}/elasticpath
client_id: {options.elasticpath.client_id}
client_secret: "${{{ELASTICPATH_SECRET_VARIABLE}}}"
rate: 10000  # a real production store allows 100 for all of its users
shipping_skus: [{SHIPPING}]
"""


SYSTEM = SystemSpec(
    name="elasticpath",
    title="Elastic Path store",
    is_source=True,
    open=ElasticPathSystem,
    settings=_settings,
    environment=lambda options: {ELASTICPATH_SECRET_VARIABLE: options.elasticpath.client_secret},
    pipeline="""\
consent:
  Advertising: {field: marketing_consent}
  Analytics: {field: analytics_consent}
""",
)
