"""The Segment workspace as a simulated system: inbox, API and rules of one sandbox."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from cdi_cli.sandbox.admin_tools import body_of, lines, slice_of
from cdi_cli.sandbox.clock import SandboxClock
from cdi_cli.sandbox.http_server import Request, Response
from cdi_cli.sandbox.options import WRITE_KEY_VARIABLE, SandboxOptions
from cdi_cli.sandbox.segment.api import SegmentApi, refused
from cdi_cli.sandbox.segment.inbox import Inbox
from cdi_cli.sandbox.system import AdminRoute, SystemSpec


class SegmentSystem:
    """One workspace; see `system.System`. `inbox` is open to tests."""

    def __init__(self, options: SandboxOptions, clock: SandboxClock) -> None:
        self.inbox = Inbox(clock, keep_messages=options.keep_messages)
        self._api = SegmentApi(self.inbox, clock, options.write_key)

    def handle(self, request: Request) -> Response:
        """The answer of the tracking API."""
        return self._api.handle(request)

    def failed(self, _request: Request, status: int) -> Response:
        """A refusal in Segment's form."""
        return refused(status, f"scripted status {status}")

    def admin_routes(self) -> Mapping[tuple[str, str], AdminRoute]:
        """What was applied and dropped, the workspace's rules, a fresh start."""
        return {
            ("GET", "applied"): lambda request: lines(self.inbox.applied_slice(*slice_of(request))),
            ("GET", "dropped"): self._dropped,
            ("POST", "rules"): self._rules,
            ("POST", "clear"): self._clear,
        }

    def stats(self) -> dict[str, Any]:
        """Requests, and what became of the messages."""
        return {
            "requests": len(self.inbox.requests),
            "applied": self.inbox.applied_count,
            "duplicates": len(self.inbox.duplicates),
            "dropped": dict(Counter(entry.code for entry in self.inbox.dropped_messages)),
        }

    def more_orders(self, _count: int) -> dict[str, int]:
        """Nothing: a workspace holds what it is sent."""
        return {}

    def _dropped(self, request: Request) -> Response:
        offset, limit = slice_of(request)
        dropped = self.inbox.dropped_messages[offset : offset + limit]
        return lines([{"code": entry.code, "message": entry.message} for entry in dropped])

    def _rules(self, request: Request) -> dict[str, Any]:
        given = body_of(request, dict[str, Any])
        rules = self.inbox.rules
        rules.is_disabled = bool(given.get("is_disabled", rules.is_disabled))
        rules.suppressed_users = set(given.get("suppressed_users", rules.suppressed_users))
        rules.blocked_events = set(given.get("blocked_events", rules.blocked_events))
        return asdict(rules)

    def _clear(self, _request: Request) -> dict[str, bool]:
        self.inbox.clear()
        return {"cleared": True}


def _settings(url: str, _options: SandboxOptions) -> str:
    return f"""\
type: segment
endpoint: {url}/segment
write_key: "${{{WRITE_KEY_VARIABLE}}}"
"""


SYSTEM = SystemSpec(
    name="segment",
    title="Segment",
    is_source=False,
    open=SegmentSystem,
    settings=_settings,
    environment=lambda options: {WRITE_KEY_VARIABLE: options.write_key},
)
