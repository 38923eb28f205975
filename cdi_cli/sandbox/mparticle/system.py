"""The mParticle workspace as a simulated system: inbox and API of one sandbox."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from cdi_cli.sandbox.admin_tools import slice_of
from cdi_cli.sandbox.clock import SandboxClock
from cdi_cli.sandbox.http_server import Request, Response
from cdi_cli.sandbox.mparticle.api import MparticleApi, refused
from cdi_cli.sandbox.mparticle.inbox import MparticleInbox
from cdi_cli.sandbox.options import SandboxOptions
from cdi_cli.sandbox.system import AdminRoute, SystemSpec

SECRET_VARIABLE = "CDI_SANDBOX_MPARTICLE_SECRET"  # noqa: S105 - a name, not a value
"""The environment variable that the settings text expects the feed's secret in."""


class MparticleSystem:
    """One workspace; see `system.System`. `inbox` is open to tests."""

    def __init__(self, options: SandboxOptions, clock: SandboxClock) -> None:
        self.inbox = MparticleInbox(clock)
        self._api = MparticleApi(self.inbox, clock, options.mparticle_key, options.mparticle_secret)

    def handle(self, request: Request) -> Response:
        """The answer of the Events API, of IDSync or of OpenDSR."""
        return self._api.handle(request)

    def failed(self, _request: Request, status: int) -> Response:
        """A refusal in mParticle's form."""
        return refused(status)

    def admin_routes(self) -> Mapping[tuple[str, str], AdminRoute]:
        """What was applied and dropped, a fresh start."""
        return {
            ("GET", "applied"): lambda request: _listed(request, self.inbox.applied),
            ("GET", "dropped"): lambda request: _listed(request, self.inbox.dropped),
            ("POST", "clear"): self._clear,
        }

    def stats(self) -> dict[str, Any]:
        """Requests, and what became of the batches."""
        return {
            "requests": len(self.inbox.requests),
            "applied": len(self.inbox.applied),
            "duplicates": len(self.inbox.duplicates),
            "dropped": dict(Counter(entry.code for entry in self.inbox.dropped)),
        }

    def more_orders(self, _count: int) -> dict[str, int]:
        """Nothing: a workspace holds what it is sent."""
        return {}

    def _clear(self, _request: Request) -> dict[str, bool]:
        self.inbox.clear()
        return {"cleared": True}


def _listed(request: Request, entries: list[Any]) -> list[dict[str, Any]]:
    offset, limit = slice_of(request)
    return [asdict(entry) for entry in entries[offset : offset + limit]]


def _settings(url: str, options: SandboxOptions) -> str:
    return f"""\
type: mparticle
endpoint: {url}/mparticle
key: {options.mparticle_key}
secret: "${{{SECRET_VARIABLE}}}"
environment: production
"""


SYSTEM = SystemSpec(
    name="mparticle",
    title="mParticle",
    is_source=False,
    open=MparticleSystem,
    settings=_settings,
    environment=lambda options: {SECRET_VARIABLE: options.mparticle_secret},
)
