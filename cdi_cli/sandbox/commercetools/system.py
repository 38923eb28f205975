"""The commercetools project as a simulated system: shop, tokens, API and seed data of one sandbox."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cdi_cli.sandbox.admin_tools import changes_of, lines, slice_of
from cdi_cli.sandbox.clock import SandboxClock
from cdi_cli.sandbox.commercetools.api import CommercetoolsApi
from cdi_cli.sandbox.commercetools.auth import TokenOffice
from cdi_cli.sandbox.commercetools.mutate import mutate
from cdi_cli.sandbox.commercetools.replies import scripted
from cdi_cli.sandbox.commercetools.shop import KINDS, Shop
from cdi_cli.sandbox.http_server import Request, Response
from cdi_cli.sandbox.live import CHANGES, live
from cdi_cli.sandbox.options import SECRET_VARIABLE, SandboxOptions
from cdi_cli.sandbox.seed.shop import project_of, seed_shop
from cdi_cli.sandbox.system import AdminRoute, SystemSpec


class CommercetoolsSystem:
    """One project, seeded; see `system.System`. `shop`, `tokens` and `seeder` are open to tests."""

    def __init__(self, options: SandboxOptions, clock: SandboxClock) -> None:
        project = project_of(options)
        self.shop = Shop(clock=clock, project=project, seed=options.seed, lag_seconds=options.lag_ms / 1000)
        self.tokens = TokenOffice(options, clock)
        self.seeder = seed_shop(self.shop, options)
        self._api = CommercetoolsApi(self.shop, self.tokens, options.project_key, page_bytes_max=options.page_bytes_max)

    def handle(self, request: Request) -> Response:
        """The answer of the API or of the token service."""
        return self._api.handle(request)

    def failed(self, request: Request, status: int) -> Response:
        """The error envelope; like every answer it carries a correlation id."""
        response = scripted(status)
        response.headers["X-Correlation-ID"] = request.headers.get("x-correlation-id", "sandbox/fault")
        return response

    def admin_routes(self) -> Mapping[tuple[str, str], AdminRoute]:
        """Changes by name, all writes, and the end of all tokens."""
        return {
            ("POST", "mutate"): self._mutate,
            ("GET", "journal"): self._journal,
            ("POST", "revoke-tokens"): lambda _request: {"revoked": self.tokens.revoke_all()},
        }

    def stats(self) -> dict[str, Any]:
        """Records by kind, and how many tokens were issued."""
        return {"records": self._counts(), "tokens_issued": self.tokens.issued}

    def more_orders(self, count: int) -> dict[str, int]:
        """More orders with payments and carts."""
        self.seeder.more_orders(count)
        return self._counts()

    def _counts(self) -> dict[str, int]:
        return {kind: self.shop.count(kind) for kind in KINDS}

    def _mutate(self, request: Request) -> list[dict[str, Any]]:
        changed: list[dict[str, Any]] = []
        for change in changes_of(request):
            changed += live(self.seeder, change) if change.get("do") in CHANGES else [mutate(self.shop, change)]
        return changed

    def _journal(self, request: Request) -> Response:
        offset, limit = slice_of(request)
        return lines([
            {
                "kind": entry.kind,
                "id": entry.record_id,
                "at": entry.at,
                "record": None if entry.record is None else entry.record.document(),
            }
            for entry in self.shop.journal[offset : offset + limit]
        ])  # fmt: skip


def _settings(url: str, options: SandboxOptions) -> str:
    return f"""\
type: commercetools
project_key: {options.project_key}
api_url: {url}/commercetools/api
auth_url: {url}/commercetools/auth
client_id: {options.client_id}
client_secret: "${{{SECRET_VARIABLE}}}"
"""


SYSTEM = SystemSpec(
    name="commercetools",
    title="commercetools project",
    is_source=True,
    open=CommercetoolsSystem,
    settings=_settings,
    environment=lambda options: {SECRET_VARIABLE: options.client_secret},
    pipeline="""\
consent:
  Advertising: {field: custom.fields.marketingConsent}
  Analytics: {field: custom.fields.analyticsConsent}
""",
)
